"""A manifest in the form in which the API server would keep it, where that form is known for certain. Pure.

Kubernetes' own kinds have places where what is read back is never quite what was written. Each is listed here with its
path, because the same text elsewhere (an environment variable `1000m`) means what it says. Nothing is known of custom
resources. A place that is missing here costs a dry run, a wrong one would hide a difference.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from deployer.cluster import quantity
from deployer.model import JSON


@dataclass(frozen=True, slots=True)
class Default:
    """Stands where a manifest says nothing: what the API server then writes there."""

    value: JSON


Kept = object
"""JSON in which a `Default` can stand for a value, and `FILLED` for an empty structure."""

FILLED: Kept = object()
"""Stands for an empty structure that the API server fills with defaults field by field."""

_Rewrite = Callable[[Kept], Kept]
_KEEPS_PROTOBUF = frozenset(
    {
        *("", "apps", "batch", "autoscaling", "policy", "networking.k8s.io", "rbac.authorization.k8s.io"),
        *("storage.k8s.io", "scheduling.k8s.io", "coordination.k8s.io", "node.k8s.io", "discovery.k8s.io"),
        *("admissionregistration.k8s.io", "certificates.k8s.io", "flowcontrol.apiserver.k8s.io", "resource.k8s.io"),
    }
)


def tells_empty_apart(api_version: str) -> bool:
    """Whether null, an empty list and no value may be three things in this API.

    Kubernetes' own types are kept as Go structures in Protocol Buffers, which know no difference.
    """
    return _group(api_version) not in _KEEPS_PROTOBUF


def canonical(manifest: Mapping[str, JSON]) -> Mapping[str, Kept]:
    """`manifest` with every value as it would be kept; a value that would be left out is None."""
    name = (_group(str(manifest.get("apiVersion"))), str(manifest.get("kind")))
    written = _rewritten(manifest, _RULES.get(name, _METADATA_ONLY))
    return written if isinstance(written, Mapping) else manifest


def _group(api_version: str) -> str:
    return api_version.rpartition("/")[0]


@dataclass(slots=True)
class _Place:
    """What happens to a value, and where in it more happens."""

    inside: dict[str, _Place] = field(default_factory=dict)
    each: _Place | None = None
    """Of a list's items, or of a map's values that have no place of their own."""
    rewrite: _Rewrite | None = None
    defaults: dict[str, Default] = field(default_factory=dict)
    """By the keys of the map that is here."""

    def at(self, path: str) -> _Place:
        """The place at a dotted path below this one, made if it is new; `*` is any item or value."""
        place = self
        for part in path.split("."):
            if part == "*":
                place.each = place.each or _Place()
                place = place.each
            else:
                place = place.inside.setdefault(part, _Place())
        return place


def _rewritten(value: Kept, place: _Place) -> Kept:
    """The same value, not a copy, when nothing in it is written differently."""
    if place.rewrite is not None:
        value = place.rewrite(value)
    if isinstance(value, dict):
        return _map_rewritten(value, place)
    if isinstance(value, list) and place.each is not None:
        items = [_rewritten(item, place.each) for item in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return value


def _map_rewritten(value: dict[str, Kept], place: _Place) -> dict[str, Kept]:
    changed: dict[str, Kept] = {}
    for key, item in value.items():
        child = place.inside.get(key, place.each)
        if child is not None and (kept := _rewritten(item, child)) is not item:
            changed[key] = kept
    if not (changed or place.defaults):
        return value
    return {**place.defaults, **value, **changed}


def _unless(zero: JSON) -> _Rewrite:
    """A text, number or truth value that is left out when it is zero; another type's zero would be refused."""
    return lambda value: None if type(value) is type(zero) and value == zero else value


_text, _number, _truth = _unless(""), _unless(0), _unless(False)


def _map(value: Kept) -> Kept:
    """A map that is left out when it is empty."""
    return None if value == {} else value


def _structure(value: Kept) -> Kept:
    return FILLED if value == {} else value


def _quantity(value: Kept) -> Kept:
    return quantity.canonical(value) if isinstance(value, str | int | float) else value


def _bytes(value: Kept) -> Kept:
    """Base64, which may have line breaks and is kept without."""
    if not isinstance(value, str):
        return value
    try:
        kept = base64.b64encode(base64.b64decode(value.replace("\n", "").replace("\r", ""), validate=True)).decode()
    except ValueError:
        return value
    return value if kept == value else kept


def _subject(value: Kept) -> Kept:
    if isinstance(value, dict) and value.get("kind") in ("User", "Group") and "apiGroup" not in value:
        return {**value, "apiGroup": Default("rbac.authorization.k8s.io")}
    return value


def _pending(value: Kept) -> Kept:
    return Default({"phase": "Pending"}) if value == {} else value


_METADATA: dict[str, _Rewrite] = {"metadata.labels": _map, "metadata.annotations": _map}
_REFERENCES: dict[str, _Rewrite | dict[str, JSON]] = {
    "fieldRef": {"apiVersion": "v1"},
    "resourceFieldRef": {"divisor": "0"},
    "resourceFieldRef.divisor": _quantity,
}
_RESOURCES: dict[str, _Rewrite] = {
    "resources": _structure,
    "resources.limits": _map,
    "resources.requests": _map,
    "resources.limits.*": _quantity,
    "resources.requests.*": _quantity,
}


_Rules = Mapping[str, _Rewrite | dict[str, JSON]]
"""By path: how the value is rewritten, or the defaults of the map."""


def _under(prefix: str, *rules: _Rules) -> dict[str, _Rewrite | dict[str, JSON]]:
    return {f"{prefix}.{path}": rule for each in rules for path, rule in each.items()}


_PROBE: _Rules = {"initialDelaySeconds": _number}
_CONTAINER: _Rules = {
    **_RESOURCES,
    "env.*.value": _text,
    **_under("env.*.valueFrom", _REFERENCES),
    "envFrom.*.prefix": _text,
    "volumeMounts.*.readOnly": _truth,
    "volumeMounts.*.subPath": _text,
    **_under("livenessProbe", _PROBE),
    **_under("readinessProbe", _PROBE),
    **_under("startupProbe", _PROBE),
    **dict.fromkeys(("stdin", "stdinOnce", "tty"), _truth),
    "workingDir": _text,
}
_CLAIM: _Rules = {**_METADATA, **_under("spec", _RESOURCES)}
_VOLUME: _Rules = {
    "emptyDir.sizeLimit": _quantity,
    "emptyDir.medium": _text,
    **_under("downwardAPI.items.*", _REFERENCES),
    **_under("projected.sources.*.downwardAPI.items.*", _REFERENCES),
    "projected.sources.*.serviceAccountToken": {"expirationSeconds": 3600},
    **_under("ephemeral.volumeClaimTemplate", _CLAIM),
}
_POD: _Rules = {
    **_METADATA,
    **_under("spec.containers.*", _CONTAINER),
    **_under("spec.initContainers.*", _CONTAINER),
    **_under("spec.volumes.*", _VOLUME),
    **_under("spec", _RESOURCES),
    "spec.nodeSelector": _map,
    "spec.overhead.*": _quantity,
    **dict.fromkeys(("spec.hostNetwork", "spec.hostPID", "spec.hostIPC"), _truth),
}
_WORKLOAD: _Rules = {**_METADATA, **_under("spec.template", _POD), "spec.minReadySeconds": _number}
_POLICED_PORT: _Rules = {"spec.ingress.*.ports.*": {"protocol": "TCP"}, "spec.egress.*.ports.*": {"protocol": "TCP"}}
_TARGETS: _Rules = {
    f"spec.metrics.*.{source}.target.{value}": _quantity
    for source in ("resource", "containerResource", "pods", "object", "external")
    for value in ("value", "averageValue")
}
_WEBHOOKS: _Rules = {"webhooks.*.rules.*": {"scope": "*"}, "webhooks.*.clientConfig.caBundle": _bytes}
_KINDS: dict[tuple[str, str], _Rules] = {
    ("", "ConfigMap"): {"data": _map, "binaryData": _map, "binaryData.*": _bytes},
    ("", "Secret"): {"data": _map, "data.*": _bytes},
    ("", "Pod"): _POD,
    ("", "Service"): {
        "spec.selector": _map,
        "spec.ports.*.nodePort": _number,
        "spec.publishNotReadyAddresses": _truth,
    },
    ("", "PersistentVolumeClaim"): _CLAIM,
    ("", "PersistentVolume"): {"spec.capacity.*": _quantity},
    ("", "ResourceQuota"): {"spec.hard.*": _quantity},
    ("", "LimitRange"): {
        f"spec.limits.*.{bound}.*": _quantity
        for bound in ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")
    },
    ("apps", "Deployment"): {**_WORKLOAD, "spec.strategy": _structure, "spec.paused": _truth},
    ("apps", "ReplicaSet"): _WORKLOAD,
    ("apps", "DaemonSet"): {**_WORKLOAD, "spec.updateStrategy": _structure},
    ("apps", "StatefulSet"): {
        **_WORKLOAD,
        "spec.updateStrategy": _structure,
        "spec.volumeClaimTemplates.*": {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "status": {"phase": "Pending"},
        },
        "spec.volumeClaimTemplates.*.spec": {"volumeMode": "Filesystem"},
        "spec.volumeClaimTemplates.*.status": _pending,
        **_under("spec.volumeClaimTemplates.*", _METADATA),
        "spec.volumeClaimTemplates.*.spec.resources.limits.*": _quantity,
        "spec.volumeClaimTemplates.*.spec.resources.requests.*": _quantity,
    },
    ("batch", "Job"): _under("spec.template", _POD),
    ("batch", "CronJob"): _under("spec.jobTemplate", _METADATA, _under("spec.template", _POD)),
    ("networking.k8s.io", "NetworkPolicy"): _POLICED_PORT,
    ("autoscaling", "HorizontalPodAutoscaler"): _TARGETS,
    ("rbac.authorization.k8s.io", "RoleBinding"): {"subjects.*": _subject},
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): {"subjects.*": _subject},
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): _WEBHOOKS,
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): _WEBHOOKS,
    ("scheduling.k8s.io", "PriorityClass"): {"globalDefault": _truth},
    ("apiextensions.k8s.io", "CustomResourceDefinition"): {"spec.preserveUnknownFields": _truth},
}


def _compiled(rules: _Rules) -> _Place:
    top = _Place()
    for path, rule in {**_METADATA, **rules}.items():
        place = top.at(path)
        if isinstance(rule, dict):
            place.defaults = {key: Default(value) for key, value in rule.items()}
        else:
            place.rewrite = rule
    return top


_RULES = {kind: _compiled(rules) for kind, rules in _KINDS.items()}
_METADATA_ONLY = _compiled({})
