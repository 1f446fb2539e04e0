"""From an object to its health: first what holds for every kind, then the rule of its own kind. Pure.

Where kstatus and this differ, it is said at the rule; everything else is meant to be the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from deployer.cluster.health import kinds, workloads
from deployer.cluster.health.judgement import Judgement, failed, progressing
from deployer.cluster.health.reading import Reading
from deployer.model import JSON, ObjectRef

_RULES: dict[tuple[str, str], Callable[[Reading], Judgement]] = {
    ("apps", "Deployment"): workloads.deployment,
    ("apps", "ReplicaSet"): workloads.replica_set,
    ("apps", "StatefulSet"): workloads.stateful_set,
    ("apps", "DaemonSet"): workloads.daemon_set,
    ("batch", "Job"): workloads.job,
    ("", "Pod"): workloads.pod,
    ("", "Service"): kinds.service,
    ("", "PersistentVolumeClaim"): kinds.claim,
    ("policy", "PodDisruptionBudget"): kinds.disruption_budget,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): kinds.definition,
    ("apiregistration.k8s.io", "APIService"): kinds.api_service,
}

_THERE_IS_READY = frozenset(
    {
        *(("", kind) for kind in ("ConfigMap", "Endpoints", "Event", "LimitRange", "Namespace", "PersistentVolume")),
        *(("", kind) for kind in ("PodTemplate", "ResourceQuota", "Secret", "ServiceAccount")),
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
        ("apps", "ControllerRevision"),
        ("batch", "CronJob"),
        ("networking.k8s.io", "Ingress"),
        ("networking.k8s.io", "IngressClass"),
        ("networking.k8s.io", "NetworkPolicy"),
    }
)
_THERE_IS_READY_GROUPS = frozenset(
    {
        "coordination.k8s.io",
        "discovery.k8s.io",
        "flowcontrol.apiserver.k8s.io",
        "node.k8s.io",
        "rbac.authorization.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
    }
)


def judge(content: Mapping[str, JSON]) -> Judgement:
    """The health of an object.

    Args:
        content: the whole object with its status, as the API server sent it; `apiVersion` and `kind` say what it is.
    """
    obj = Reading(content)
    return _of_any_kind(obj) or _RULES.get(obj.kind, kinds.any_other)(obj)


def watched(ref: ObjectRef) -> bool:
    """Whether an object can be anything else than ready, once it is there."""
    group = ref.api_version.rpartition("/")[0]
    return group not in _THERE_IS_READY_GROUPS and (group, ref.kind) not in _THERE_IS_READY


def _of_any_kind(obj: Reading) -> Judgement | None:
    """What decides before the kind does: https://github.com/kubernetes-sigs/cli-utils/tree/master/pkg/kstatus#conditions"""
    if obj.has("metadata", "deletionTimestamp"):
        return progressing("being deleted")
    if unobserved := obj.unobserved():
        return progressing(unobserved)
    for condition in obj.conditions:
        if condition.type == "Reconciling" and condition.holds:
            return progressing(condition.words)
        if condition.type == "Stalled" and condition.holds:
            return failed(condition.words)
    return None
