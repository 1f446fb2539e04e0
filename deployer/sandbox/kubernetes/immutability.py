"""What an update may not change, by kind. The words are the real API server's.

Metadata that never changes is in `names`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from deployer.sandbox.kubernetes.errors import Cause, forbidden_field, invalid_value
from deployer.sandbox.kubernetes.objects import Object, at, each, section
from deployer.sandbox.kubernetes.resources import Resource

_IMMUTABLE = "field is immutable"
_RBAC = "rbac.authorization.k8s.io"
_FIXED: dict[tuple[str, str], tuple[str, ...]] = {
    ("apps", "Deployment"): ("spec.selector",),
    ("apps", "DaemonSet"): ("spec.selector",),
    ("apps", "ReplicaSet"): ("spec.selector",),
    ("batch", "Job"): ("spec.completionMode", "spec.podFailurePolicy", "spec.backoffLimitPerIndex"),
    ("", "Secret"): ("type",),
    ("storage.k8s.io", "StorageClass"): ("provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"),
    ("scheduling.k8s.io", "PriorityClass"): ("value", "preemptionPolicy"),
    ("networking.k8s.io", "IngressClass"): ("spec.controller",),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): ("spec.group", "spec.scope", "spec.names.plural"),
}
_STATEFUL_SET_MAY_CHANGE = (
    *("replicas", "ordinals", "template", "updateStrategy", "persistentVolumeClaimRetentionPolicy"),
    *("minReadySeconds", "revisionHistoryLimit"),
)
_STATEFUL_SET = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)
_CLAIM = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
_POD = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def change_causes(resource: Resource, old: Object, new: Object) -> list[Cause]:
    """What is wrong with turning `old` into `new`."""
    kind = (resource.group, resource.kind)
    causes = [
        invalid_value(path, at(new, *path.split(".")), _IMMUTABLE)
        for path in _FIXED.get(kind, ())
        if at(old, *path.split(".")) != at(new, *path.split("."))
    ]
    check = _CHECKS.get(kind)
    return causes + (list(check(old, new)) if check else [])


def _frozen_data(old: Object, new: Object) -> Iterator[Cause]:
    """ConfigMaps and Secrets with `immutable: true`."""
    if not old.get("immutable"):
        return
    detail = "field is immutable when `immutable` is set"
    if not new.get("immutable"):
        yield forbidden_field("immutable", detail)
    for key in ("data", "binaryData"):
        if (old.get(key) or {}) != (new.get(key) or {}):
            yield forbidden_field(key, detail)


def _service(old: Object, new: Object) -> Iterator[Cause]:
    before, after = section(old, "spec"), section(new, "spec")
    if "ExternalName" in (before.get("type"), after.get("type")):
        return
    if before.get("clusterIP") and before.get("clusterIP") != after.get("clusterIP"):
        shown = [after["clusterIP"]] if after.get("clusterIP") else []
        yield invalid_value("spec.clusterIPs[0]", shown, "may not change once set")


def _stateful_set(old: Object, new: Object) -> Iterator[Cause]:
    if _without(old, _STATEFUL_SET_MAY_CHANGE) != _without(new, _STATEFUL_SET_MAY_CHANGE):
        yield forbidden_field("spec", _STATEFUL_SET)


def _job(old: Object, new: Object) -> Iterator[Cause]:
    for key in ("selector", "template"):
        if at(old, "spec", key) != at(new, "spec", key) and not at(old, "spec", "suspend"):
            yield invalid_value(f"spec.{key}", at(new, "spec", key), _IMMUTABLE)
    if at(old, "spec", "completions") != at(new, "spec", "completions"):
        yield invalid_value("spec.completions", at(new, "spec", "completions"), _IMMUTABLE)


def _binding(old: Object, new: Object) -> Iterator[Cause]:
    if old.get("roleRef") != new.get("roleRef"):
        yield invalid_value("roleRef", new.get("roleRef"), "cannot change roleRef")


def _claim(old: Object, new: Object) -> Iterator[Cause]:
    allowed = ("resources", "volumeAttributesClassName", "volumeName")
    if _without(old, allowed) != _without(new, allowed):
        yield forbidden_field("spec", _CLAIM)


def _pod(old: Object, new: Object) -> Iterator[Cause]:
    if _comparable_pod(old) != _comparable_pod(new):
        yield forbidden_field("spec", _POD)


def _comparable_pod(obj: Object) -> Object:
    """A pod's spec without what may change."""
    spec = _without(obj, ("activeDeadlineSeconds", "tolerations", "nodeName", "schedulingGates"))
    for key in ("containers", "initContainers"):
        spec[key] = [container | {"image": ""} for container in each(spec, key)]
    return spec


def _without(obj: Object, keys: tuple[str, ...]) -> Object:
    return {key: value for key, value in section(obj, "spec").items() if key not in keys}


_CHECKS: dict[tuple[str, str], Callable[[Object, Object], Iterator[Cause]]] = {
    ("", "ConfigMap"): _frozen_data,
    ("", "Secret"): _frozen_data,
    ("", "Service"): _service,
    ("", "PersistentVolumeClaim"): _claim,
    ("", "Pod"): _pod,
    ("apps", "StatefulSet"): _stateful_set,
    ("batch", "Job"): _job,
    (_RBAC, "RoleBinding"): _binding,
    (_RBAC, "ClusterRoleBinding"): _binding,
}
