"""Whether an object makes sense: what must be there, which values are allowed, what kinds demand beyond that.

Types were checked when the object was decoded, and defaults are filled in. Every mistake is found, not only the first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from deployer.sandbox.kubernetes.errors import Cause, duplicate, invalid_value, required, unsupported
from deployer.sandbox.kubernetes.fieldset import item_element
from deployer.sandbox.kubernetes.names import metadata_causes
from deployer.sandbox.kubernetes.objects import Json, Object
from deployer.sandbox.kubernetes.resources import Resource
from deployer.sandbox.kubernetes.schema import Schema, Shape
from deployer.sandbox.kubernetes.special import special_causes
from deployer.sandbox.kubernetes.unions import union_causes

_PROTOCOLS = ("SCTP", "TCP", "UDP")
_CHOICES: dict[tuple[str, str], tuple[str, ...]] = {
    ("Container", "imagePullPolicy"): ("Always", "IfNotPresent", "Never"),
    ("Container", "terminationMessagePolicy"): ("FallbackToLogsOnError", "File"),
    ("ContainerPort", "protocol"): _PROTOCOLS,
    ("ServicePort", "protocol"): _PROTOCOLS,
    ("PodSpec", "restartPolicy"): ("Always", "OnFailure", "Never"),
    ("PodSpec", "dnsPolicy"): ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"),
    ("ServiceSpec", "type"): ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort"),
    ("ServiceSpec", "sessionAffinity"): ("ClientIP", "None"),
    ("DeploymentStrategy", "type"): ("Recreate", "RollingUpdate"),
    ("StatefulSetUpdateStrategy", "type"): ("OnDelete", "RollingUpdate"),
    ("DaemonSetUpdateStrategy", "type"): ("OnDelete", "RollingUpdate"),
    ("StatefulSetSpec", "podManagementPolicy"): ("OrderedReady", "Parallel"),
    ("CronJobSpec", "concurrencyPolicy"): ("Allow", "Forbid", "Replace"),
    ("HTTPIngressPath", "pathType"): ("Exact", "ImplementationSpecific", "Prefix"),
    ("CustomResourceDefinitionSpec", "scope"): ("Cluster", "Namespaced"),
    ("RoleRef", "kind"): ("ClusterRole", "Role"),
    ("Subject", "kind"): ("Group", "ServiceAccount", "User"),
}
_NAMED_BY_PARENT = frozenset((("DeploymentStrategy", "type"),))
"""Fields whose mistakes the API reports on the structure that they are in."""
_PORT = (1, 65535, "must be between 1 and 65535, inclusive")
_NATURAL = (0, 2**63, "must be greater than or equal to 0")
_RANGES: dict[tuple[str, str], tuple[int, int, str]] = {
    ("ContainerPort", "containerPort"): _PORT,
    ("ServicePort", "port"): _PORT,
    ("ServicePort", "targetPort"): _PORT,
    ("ServiceBackendPort", "number"): _PORT,
    ("DeploymentSpec", "replicas"): _NATURAL,
    ("StatefulSetSpec", "replicas"): _NATURAL,
    ("ReplicaSetSpec", "replicas"): _NATURAL,
    ("DeploymentSpec", "minReadySeconds"): _NATURAL,
    ("JobSpec", "parallelism"): _NATURAL,
    ("JobSpec", "completions"): _NATURAL,
    ("JobSpec", "backoffLimit"): _NATURAL,
    ("Probe", "periodSeconds"): _NATURAL,
    ("HorizontalPodAutoscalerSpec", "maxReplicas"): (1, 2**31, "must be greater than 0"),
}
_NEVER_EMPTY = frozenset((("PodSpec", "containers"), ("Container", "image"), ("Container", "name")))
_UNIQUE = frozenset((("PodSpec", "containers"), ("PodSpec", "volumes"), ("ServiceSpec", "ports")))
_SHARE = (
    r"[0-9]+%?",
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for"
    " validation is '[0-9]+%')",
)
_PATTERNS: dict[tuple[str, str], tuple[str, str]] = {
    ("RollingUpdateDeployment", "maxSurge"): _SHARE,
    ("RollingUpdateDeployment", "maxUnavailable"): _SHARE,
    ("Container", "name"): (
        r"[a-z0-9]([-a-z0-9]*[a-z0-9])?",
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end"
        " with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is"
        " '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
    ),
}


def causes(resource: Resource, obj: Object) -> list[Cause]:
    """Everything that is wrong with an object of this resource."""
    found = metadata_causes(resource, obj)
    rest = {key: value for key, value in obj.items() if key not in ("metadata", "status")}
    if resource.schema.built_in:
        found += _structure(rest, resource.schema, "")
    else:
        found += _custom(rest, resource.schema, "")
    return found + special_causes(resource, obj)


def _structure(value: Json, schema: Schema, path: str) -> Iterator[Cause]:
    """Required fields, choices and ranges of built-in kinds, all the way down."""
    if isinstance(value, dict) and schema.shape is Shape.MAP:
        yield from _fields(value, schema, path)
        for key, item in value.items():
            child = schema.child(key)
            if child is not None and isinstance(item, dict | list):
                below = f"{path}.{key}" if path else key
                yield from _structure(item, child, below if schema.declares(key) else f"{path}[{key}]")
    elif isinstance(value, list) and schema.element is not None:
        for index, item in enumerate(value):
            yield from _structure(item, schema.element, f"{path}[{index}]")


def _fields(value: Object, schema: Schema, path: str) -> Iterator[Cause]:
    kind = schema.name.rpartition(".")[2]
    prefix = f"{path}." if path else ""
    for key in schema.required:
        if value.get(key) is None and key != "rules":
            yield required(prefix + key)
    for key, item in value.items():
        where = (kind, key)
        if where in _NEVER_EMPTY and not item:
            yield required(prefix + key)
        elif where in _CHOICES and item not in _CHOICES[where]:
            yield unsupported(path if where in _NAMED_BY_PARENT else prefix + key, item, _CHOICES[where])
        elif where in _RANGES and isinstance(item, int) and not _RANGES[where][0] <= item <= _RANGES[where][1]:
            yield invalid_value(prefix + key, item, _RANGES[where][2])
        elif where in _PATTERNS and not re.fullmatch(_PATTERNS[where][0], str(item)):
            yield invalid_value(prefix + key, item, _PATTERNS[where][1])
        if where in _UNIQUE:
            yield from _duplicates(item, prefix + key)
    yield from union_causes(kind, value, path)
    if kind == "Container" and "image" not in value:
        yield required(prefix + "image")


def _duplicates(items: Json, path: str) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, item in enumerate(items if isinstance(items, list) else []):
        name = item.get("name") if isinstance(item, dict) else None
        if name in seen:
            yield duplicate(f"{path}[{index}].name", name)
        elif isinstance(name, str):
            seen.add(name)


def _custom(value: Json, schema: Schema, path: str) -> Iterator[Cause]:
    """The value rules of a CustomResourceDefinition's schema.

    https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation
    """
    for rule, check in _RULES.items():
        if rule in schema.node:
            yield from check(value, schema.node[rule], path)
    if isinstance(value, dict):
        for key in schema.required:
            if key not in value:
                yield required(f"{path}.{key}" if path else key)
        for key, item in value.items():
            child = schema.child(key)
            if child is not None:
                yield from _custom(item, child, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and schema.element is not None:
        yield from _repeated(value, schema, path)
        for index, item in enumerate(value):
            yield from _custom(item, schema.element, f"{path}[{index}]")


def _repeated(items: list[Json], schema: Schema, path: str) -> Iterator[Cause]:
    """Items of sets and of lists with keys must be told apart."""
    if schema.atomic:
        return
    seen: set[str | None] = set()
    for index, item in enumerate(items):
        element = item_element(item, schema)
        if element in seen:
            shown = {key: item.get(key) for key in schema.keys} if isinstance(item, dict) else item
            yield duplicate(f"{path}[{index}]", shown)
        seen.add(element)


Rule = Callable[[Json, Json, str], Iterator[Cause]]


def _enum(value: Json, allowed: Json, path: str) -> Iterator[Cause]:
    if value not in allowed:
        yield unsupported(path, value, [str(choice) for choice in allowed])


def _bound(words: str, holds: Callable[[Json, Json], bool]) -> Rule:
    def check(value: Json, limit: Json, path: str) -> Iterator[Cause]:
        if isinstance(value, int | float) and not isinstance(value, bool) and not holds(value, limit):
            yield invalid_value(path, value, f"{path} in body should be {words} {limit}")

    return check


def _size(words: str, kind: type, holds: Callable[[int, int], bool]) -> Rule:
    def check(value: Json, limit: Json, path: str) -> Iterator[Cause]:
        if isinstance(value, kind) and not holds(len(value), limit):  # type: ignore[arg-type]
            yield invalid_value(path, value, f"{path} in body should {words.format(limit)}")

    return check


def _pattern(value: Json, expression: Json, path: str) -> Iterator[Cause]:
    if isinstance(value, str) and not re.search(expression, value):
        yield invalid_value(path, value, f"{path} in body should match '{expression}'")


_RULES: dict[str, Rule] = {
    "enum": _enum,
    "minimum": _bound("greater than or equal to", lambda value, limit: bool(value >= limit)),
    "maximum": _bound("less than or equal to", lambda value, limit: bool(value <= limit)),
    "minLength": _size("be at least {} chars long", str, lambda length, limit: length >= limit),
    "maxLength": _size("be at most {} chars long", str, lambda length, limit: length <= limit),
    "minItems": _size("have at least {} items", list, lambda length, limit: length >= limit),
    "maxItems": _size("have at most {} items", list, lambda length, limit: length <= limit),
    "pattern": _pattern,
}
