"""What is applied before what. Pure.

Objects of one phase are applied at the same time, so there are only as many phases as an API server needs: it looks
some kinds up when it admits others, and a controller that finds nothing where it points says so in events.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Protocol, TypeVar

from deployer.model import ObjectRef


class _Named(Protocol):
    @property
    def ref(self) -> ObjectRef: ...


_T = TypeVar("_T", bound=_Named)

_PHASES: tuple[dict[str, tuple[str, ...]], ...] = (
    # What others live in or are instances of.
    {
        "": ("Namespace",),
        "apiextensions.k8s.io": ("CustomResourceDefinition",),
    },
    # What admission looks up: classes, quotas, accounts, and the roles that a binding must not exceed.
    {
        "": ("ResourceQuota", "LimitRange", "ServiceAccount", "PersistentVolume"),
        "scheduling.k8s.io": ("PriorityClass",),
        "node.k8s.io": ("RuntimeClass",),
        "storage.k8s.io": ("StorageClass", "CSIDriver", "VolumeAttributesClass"),
        "networking.k8s.io": ("IngressClass",),
        "policy": ("PodSecurityPolicy",),
        "rbac.authorization.k8s.io": ("ClusterRole", "Role"),
    },
    # What pods use and what guards them.
    {
        "": ("Secret", "ConfigMap", "PersistentVolumeClaim", "Service", "Endpoints", "PodTemplate"),
        "discovery.k8s.io": ("EndpointSlice",),
        "networking.k8s.io": ("NetworkPolicy",),
        "policy": ("PodDisruptionBudget",),
        "rbac.authorization.k8s.io": ("ClusterRoleBinding", "RoleBinding"),
    },
    # Pods, and with them every kind that is not named here: custom resources.
    {
        "": ("Pod", "ReplicationController"),
        "apps": ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"),
        "batch": ("Job", "CronJob"),
    },
    # What points at pods.
    {
        "autoscaling": ("HorizontalPodAutoscaler",),
        "networking.k8s.io": ("Ingress",),
        "extensions": ("Ingress",),
    },
    # What stands in the way of every later write if what it calls is not there.
    {
        "apiregistration.k8s.io": ("APIService",),
        "admissionregistration.k8s.io": (
            "MutatingWebhookConfiguration",
            "ValidatingWebhookConfiguration",
            "MutatingAdmissionPolicy",
            "MutatingAdmissionPolicyBinding",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
        ),
    },
)
_PHASE_OF = {
    (api_group, kind): number
    for number, phase in enumerate(_PHASES)
    for api_group, kinds in phase.items()
    for kind in kinds
}  # fmt: skip
_UNKNOWN = _PHASE_OF["apps", "Deployment"]


def phases(objects: Iterable[_T]) -> tuple[tuple[_T, ...], ...]:
    """Split objects into the groups in which they are applied, first to last; inside a group the order is kept.

    The group of a kind counts, not only its name: a Knative Service is a custom resource.
    """
    ordered = sorted(objects, key=_phase)
    return tuple(tuple(members) for _, members in groupby(ordered, key=_phase))


def _phase(thing: _Named) -> int:
    return _PHASE_OF.get((_group(thing.ref), thing.ref.kind), _UNKNOWN)


def _group(ref: ObjectRef) -> str:
    """Empty for the core."""
    return ref.api_version.rpartition("/")[0]
