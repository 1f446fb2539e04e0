"""CustomResourceDefinitions: accepted at once, and read as the resources that they define.

https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
"""

from __future__ import annotations

from deployer.sandbox.kubernetes.objects import Object, at, each, metadata, section
from deployer.sandbox.kubernetes.resources import Resource
from deployer.sandbox.kubernetes.schema import ANY, Schema, object_metadata

CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
"""Finalizer of a definition that waits for its objects to go."""


def accept(definition: Object) -> None:
    """Write the status of a definition that is established, in place."""
    spec = section(definition, "spec")
    status = definition.setdefault("status", {})
    since = metadata(definition).get("creationTimestamp")
    stored = [version.get("name") for version in each(spec, "versions") if version.get("storage")]
    status["acceptedNames"] = section(spec, "names")
    status["storedVersions"] = list(dict.fromkeys([*(status.get("storedVersions") or []), *stored]))
    if not status.get("conditions"):
        status["conditions"] = [
            _condition("NamesAccepted", "NoConflicts", "no conflicts found", since),
            _condition("Established", "InitialNamesAccepted", "the initial names have been accepted", since),
        ]


def _condition(kind: str, reason: str, message: str, since: object) -> Object:
    condition = {"type": kind, "status": "True", "lastTransitionTime": since, "reason": reason, "message": message}
    return {key: value for key, value in condition.items() if value}


def resources_of(definition: Object) -> tuple[Resource, ...]:
    """The resources that a definition serves, one for each served version, the storage version first."""
    versions = [version for version in each(section(definition, "spec"), "versions") if version.get("served")]
    return tuple(_resource(definition, version) for version in sorted(versions, key=lambda v: not v.get("storage")))


def _resource(definition: Object, version: Object) -> Resource:
    spec = section(definition, "spec")
    names = section(spec, "names")
    subresources = section(version, "subresources")
    return Resource(
        str(spec.get("group")), str(version.get("name")), str(names.get("plural")), str(names.get("kind")),
        spec.get("scope") == "Namespaced",
        short_names=tuple(names.get("shortNames") or ()), categories=tuple(names.get("categories") or ()),
        subresources=frozenset(subresources), counts_generations=True, schema=_schema(version), custom=True,
        singular=str(names.get("singular") or ""), list_kind=str(names.get("listKind") or ""),
        columns=tuple(_column(column) for column in each(version, "additionalPrinterColumns")),
        scale_paths=_scale_paths(section(subresources, "scale")),
    )  # fmt: skip


def _schema(version: Object) -> Schema:
    declared = at(version, "schema", "openAPIV3Schema")
    if not isinstance(declared, dict):
        return ANY
    return CustomSchema(declared)


class CustomSchema(Schema):
    """The schema of a custom resource: whatever it says, `metadata` is that of every object."""

    def __init__(self, node: Object) -> None:
        text: Object = {"type": "string"}
        fixed = {"apiVersion": text, "kind": text, "metadata": {"type": "object"}}
        super().__init__(node | {"type": "object", "properties": {**(node.get("properties") or {}), **fixed}})
        self._children["metadata"] = object_metadata()


def _column(column: Object) -> tuple[str, str, str]:
    return str(column.get("name")), str(column.get("type")), str(column.get("jsonPath"))


def _scale_paths(scale: Object) -> tuple[str, str, str]:
    return (
        str(scale.get("specReplicasPath") or ".spec.replicas"),
        str(scale.get("statusReplicasPath") or ".status.replicas"),
        str(scale.get("labelSelectorPath") or ".status.selector"),
    )


def key_of(definition: Object) -> tuple[str, str]:
    """Group and plural of what it defines."""
    spec = section(definition, "spec")
    return str(spec.get("group")), str(section(spec, "names").get("plural"))
