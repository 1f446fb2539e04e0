"""What the API fills in when an object says nothing, by kind: the fields that a comparison with git meets.

Defaults depend on the object alone; what depends on the cluster (cluster IPs, names, owners) is in `admission`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable

from deployer.sandbox.kubernetes.objects import Json, Object, clone, each, metadata, section
from deployer.sandbox.kubernetes.pods import fill, fill_pod, request_limits
from deployer.sandbox.kubernetes.resources import Resource
from deployer.sandbox.kubernetes.schema import ANY, Schema

_RBAC = "rbac.authorization.k8s.io"


def fill_in(resource: Resource, obj: Object) -> None:
    """Fill in the defaults of an object's kind, in place."""
    filler = _FILLERS.get((resource.group, resource.kind))
    if resource.custom:
        _declared(obj, resource.schema)
    elif filler is not None:
        filler(obj)


def _declared(value: Json, schema: Schema) -> None:
    """The defaults that a CustomResourceDefinition declares."""
    if isinstance(value, dict):
        for key, node in schema.properties.items():
            if "default" in node and value.get(key) is None:
                value[key] = clone(node["default"])
        for key, item in value.items():
            _declared(item, schema.child(key) or ANY)
    elif isinstance(value, list):
        for item in value:
            _declared(item, schema.element or ANY)


def _deployment(obj: Object) -> None:
    spec = _spec(obj)
    fill(spec, {"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600})
    strategy = spec.setdefault("strategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        fill(strategy.setdefault("rollingUpdate", {}), {"maxUnavailable": "25%", "maxSurge": "25%"})
    _template(spec)


def _stateful_set(obj: Object) -> None:
    spec = _spec(obj)
    fill(spec, {"replicas": 1, "revisionHistoryLimit": 10, "podManagementPolicy": "OrderedReady"})
    strategy = spec.setdefault("updateStrategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        strategy.setdefault("rollingUpdate", {}).setdefault("partition", 0)
    fill(spec, {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"}})
    for claim in each(spec, "volumeClaimTemplates"):
        fill(claim, {"kind": "PersistentVolumeClaim", "apiVersion": "v1"})
        _claim(claim)
        claim.setdefault("status", {}).setdefault("phase", "Pending")
    _template(spec)


def _daemon_set(obj: Object) -> None:
    spec = _spec(obj)
    spec.setdefault("revisionHistoryLimit", 10)
    strategy = spec.setdefault("updateStrategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        fill(strategy.setdefault("rollingUpdate", {}), {"maxUnavailable": 1, "maxSurge": 0})
    annotations = obj.setdefault("metadata", {}).setdefault("annotations", {})
    annotations.setdefault("deprecated.daemonset.template.generation", "1")
    _template(spec)


def _replica_set(obj: Object) -> None:
    spec = _spec(obj)
    spec.setdefault("replicas", 1)
    _template(spec)


def _job(obj: Object) -> None:
    _job_spec(_spec(obj))


def _job_spec(spec: Object) -> None:
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    fill(spec, {"parallelism": 1, "backoffLimit": 6, "completionMode": "NonIndexed", "suspend": False})
    fill(spec, {"podReplacementPolicy": "TerminatingOrFailed", "manualSelector": False})
    if not spec["manualSelector"]:
        del spec["manualSelector"]
    _template(spec, restart_policy="")


def _cron_job(obj: Object) -> None:
    spec = _spec(obj)
    fill(spec, {"concurrencyPolicy": "Allow", "suspend": False})
    fill(spec, {"successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1})
    job = section(section(spec, "jobTemplate"), "spec")
    if "template" in job:
        _template(job, restart_policy="")


def _pod(obj: Object) -> None:
    spec = _spec(obj)
    fill_pod(spec)
    request_limits(spec)
    fill(spec, {"enableServiceLinks": True, "preemptionPolicy": "PreemptLowerPriority", "priority": 0})


def _template(spec: Object, *, restart_policy: str = "Always") -> None:
    """Jobs have no default restart policy: they must name one."""
    template = section(spec, "template")
    if isinstance(template.get("spec"), dict):
        named = template["spec"].get("restartPolicy", restart_policy)
        fill_pod(template["spec"])
        template["spec"]["restartPolicy"] = named
        if not named:
            del template["spec"]["restartPolicy"]


def _service(obj: Object) -> None:
    spec = _spec(obj)
    fill(spec, {"type": "ClusterIP", "sessionAffinity": "None"})
    for port in each(spec, "ports"):
        port.setdefault("protocol", "TCP")
        if not port.get("targetPort"):
            port["targetPort"] = port.get("port", 0)
    if spec["type"] in ("NodePort", "LoadBalancer"):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if spec["type"] == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    if spec["type"] != "ExternalName":
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if spec["sessionAffinity"] == "ClientIP":
        spec.setdefault("sessionAffinityConfig", {"clientIP": {"timeoutSeconds": 10800}})


def _secret(obj: Object) -> None:
    obj.setdefault("type", "Opaque")
    written = obj.pop("stringData", None)
    if written:
        encoded = {key: base64.b64encode(str(value).encode()).decode() for key, value in written.items()}
        obj["data"] = {**section(obj, "data"), **encoded}


def _namespace(obj: Object) -> None:
    name = metadata(obj).get("name")
    if name:
        metadata(obj).setdefault("labels", {})["kubernetes.io/metadata.name"] = name


def _claim(obj: Object) -> None:
    _spec(obj).setdefault("volumeMode", "Filesystem")


def _volume(obj: Object) -> None:
    fill(_spec(obj), {"persistentVolumeReclaimPolicy": "Retain", "volumeMode": "Filesystem"})


def _network_policy(obj: Object) -> None:
    spec = _spec(obj)
    spec.setdefault("podSelector", {})
    if "policyTypes" not in spec:
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
    for rule in [*each(spec, "ingress"), *each(spec, "egress")]:
        for port in each(rule, "ports"):
            port.setdefault("protocol", "TCP")


def _autoscaler(obj: Object) -> None:
    _spec(obj).setdefault("minReplicas", 1)


def _role(obj: Object) -> None:
    obj.setdefault("rules", None)


def _binding(obj: Object) -> None:
    if "roleRef" in obj:
        obj["roleRef"].setdefault("apiGroup", _RBAC)
    for subject in each(obj, "subjects"):
        if subject.get("kind") in ("User", "Group"):
            subject.setdefault("apiGroup", _RBAC)


def _storage_class(obj: Object) -> None:
    fill(obj, {"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"})


def _priority_class(obj: Object) -> None:
    obj.setdefault("preemptionPolicy", "PreemptLowerPriority")


def _webhooks(obj: Object) -> None:
    for webhook in each(obj, "webhooks"):
        fill(webhook, {"failurePolicy": "Fail", "matchPolicy": "Equivalent", "timeoutSeconds": 10})
        fill(webhook, {"namespaceSelector": {}, "objectSelector": {}})
        if "service" in section(webhook, "clientConfig"):
            webhook["clientConfig"]["service"].setdefault("port", 443)
        for rule in each(webhook, "rules"):
            rule.setdefault("scope", "*")


def _mutating_webhooks(obj: Object) -> None:
    _webhooks(obj)
    for webhook in each(obj, "webhooks"):
        webhook.setdefault("reinvocationPolicy", "Never")


def _custom_resource_definition(obj: Object) -> None:
    spec = _spec(obj)
    spec.setdefault("conversion", {"strategy": "None"})
    names = spec.setdefault("names", {})
    kind = str(names.get("kind", ""))
    fill(names, {"singular": kind.lower(), "listKind": f"{kind}List"})


def _spec(obj: Object) -> Object:
    spec = obj.setdefault("spec", {})
    return spec if isinstance(spec, dict) else {}


_FILLERS: dict[tuple[str, str], Callable[[Object], None]] = {
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _stateful_set,
    ("apps", "DaemonSet"): _daemon_set,
    ("apps", "ReplicaSet"): _replica_set,
    ("batch", "Job"): _job,
    ("batch", "CronJob"): _cron_job,
    ("", "Pod"): _pod,
    ("", "Service"): _service,
    ("", "Secret"): _secret,
    ("", "Namespace"): _namespace,
    ("", "PersistentVolumeClaim"): _claim,
    ("", "PersistentVolume"): _volume,
    ("networking.k8s.io", "NetworkPolicy"): _network_policy,
    ("autoscaling", "HorizontalPodAutoscaler"): _autoscaler,
    (_RBAC, "Role"): _role,
    (_RBAC, "ClusterRole"): _role,
    (_RBAC, "RoleBinding"): _binding,
    (_RBAC, "ClusterRoleBinding"): _binding,
    ("storage.k8s.io", "StorageClass"): _storage_class,
    ("scheduling.k8s.io", "PriorityClass"): _priority_class,
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): _webhooks,
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): _mutating_webhooks,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _custom_resource_definition,
}
