"""Schemas of kinds: what a field is, and how server-side apply merges it.

One class reads both the built-in definitions (as package kubernetes-validate carries them) and the schema in a
CustomResourceDefinition. It describes; checking and merging are done elsewhere.
https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy
"""

from __future__ import annotations

import functools
import importlib.resources
import json
from collections.abc import Mapping
from enum import Enum

from deployer.sandbox.kubernetes.objects import Json, Object

VERSION = "1.36"
"""The Kubernetes version whose built-in kinds the sandbox has."""

_REF = "#/$defs/"
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
KEY_DEFAULTS: Mapping[str, str] = {"protocol": "TCP"}
"""Values that keys of lists have when an item names none (`default` in the API's own schemas)."""


class Shape(Enum):
    """What a value looks like."""

    SCALAR = "scalar"
    MAP = "map"
    LIST = "list"
    ANY = "any"


class Schema:
    """The schema of one value. Children are read when they are first asked for, since definitions are recursive."""

    def __init__(self, node: Object, definitions: Definitions | None = None, *, name: str = "") -> None:
        self.node = node
        self.name = name
        """Name of the definition, empty for a schema in place."""
        self._definitions = definitions
        self._children: dict[str, Schema | None] = {}
        self.properties: Mapping[str, Object] = node.get("properties") or {}
        self.required: tuple[str, ...] = tuple(node.get("required") or ())
        self.preserves_unknown = bool(node.get("x-kubernetes-preserve-unknown-fields"))
        self.nullable = bool(node.get("nullable"))
        self.scalar = self._scalar()
        self.shape = self._shape()
        self.atomic = self._atomic()
        self.keys = self._keys()
        self.merge_key = str(node.get("x-kubernetes-patch-merge-key") or "")
        self.patch_strategy = tuple(str(node.get("x-kubernetes-patch-strategy") or "").split(","))

    @property
    def built_in(self) -> bool:
        return self._definitions is not None

    @functools.cached_property
    def element(self) -> Schema | None:
        """Schema of the items of a list, or of the values of a map without declared fields."""
        key = "items" if self.shape is Shape.LIST else "additionalProperties"
        node = self.node.get(key)
        if node is True:
            return ANY
        return self._read(node) if isinstance(node, dict) else None

    def child(self, name: str) -> Schema | None:
        """Schema of a field of a map; None when the schema does not know the field."""
        if name not in self._children:
            self._children[name] = self._child(name)
        return self._children[name]

    def declares(self, name: str) -> bool:
        """Whether it is a field of a structure, rather than a free key of a map."""
        return name in self.properties

    def _child(self, name: str) -> Schema | None:
        if self.shape is Shape.ANY:
            return ANY
        if name in self.properties:
            return self._read(self.properties[name])
        return self.element or (ANY if self.preserves_unknown else None)

    def _read(self, node: Object) -> Schema:
        if self._definitions is None:
            return Schema(node)
        return self._definitions.read(node)

    def _scalar(self) -> str:
        if self.name == _QUANTITY:
            return "quantity"
        if self.name == _INT_OR_STRING or self.node.get("x-kubernetes-int-or-string"):
            return "int-or-string"
        declared = self.node.get("type")
        if self.node.get("format") == "byte":
            return "bytes"
        kind = next((t for t in declared if t != "null"), "") if isinstance(declared, list) else str(declared or "")
        return kind if kind in ("string", "integer", "number", "boolean") else ""

    def _shape(self) -> Shape:
        if self.scalar:
            return Shape.SCALAR
        declared = self.node.get("type") or ""
        if "array" in declared:
            return Shape.LIST
        if self.properties or self.node.get("additionalProperties"):
            return Shape.MAP
        return Shape.MAP if "object" in declared and not self.built_in and not self.preserves_unknown else Shape.ANY

    def _atomic(self) -> bool:
        if self.shape is Shape.LIST:
            declared = self.node.get("x-kubernetes-list-type")
            if declared is None:
                return not str(self.node.get("x-kubernetes-patch-strategy") or "").startswith("merge")
            return bool(declared == "atomic")
        return self.node.get("x-kubernetes-map-type") == "atomic"

    def _keys(self) -> tuple[str, ...]:
        declared = self.node.get("x-kubernetes-list-map-keys")
        if declared:
            return tuple(declared)
        listed_by_patch = "x-kubernetes-list-type" not in self.node and self.node.get("x-kubernetes-patch-merge-key")
        return (str(listed_by_patch),) if listed_by_patch and self.shape is Shape.LIST else ()


ANY = Schema({"x-kubernetes-preserve-unknown-fields": True})
"""A value of which nothing is known: maps are merged key by key, lists are replaced whole."""


class Definitions:
    """The built-in definitions of one Kubernetes version."""

    def __init__(self, definitions: Mapping[str, Object]) -> None:
        self._definitions = definitions
        self._read: dict[str, Schema] = {}
        self._kinds = {
            (entry["group"], entry["version"], entry["kind"]): name
            for name, node in definitions.items()
            for entry in node.get("x-kubernetes-group-version-kind", ())
        }

    def kind(self, group: str, version: str, kind: str) -> Schema | None:
        """Schema of a kind, or None when this version of Kubernetes does not have it."""
        name = self._kinds.get((group, version, kind))
        return self.named(name) if name else None

    def named(self, name: str) -> Schema:
        """Schema of a definition."""
        if name not in self._read:
            self._read[name] = Schema(self._definitions[name], self, name=name)
        return self._read[name]

    def read(self, node: Object) -> Schema:
        """Schema of a node, which may refer to a definition and add to it how it is merged."""
        reference = node.get("$ref")
        if reference is None:
            return Schema(node, self)
        name = str(reference).removeprefix(_REF)
        extensions = {key: value for key, value in node.items() if key.startswith("x-")}
        if not extensions:
            return self.named(name)
        return Schema(self._definitions[name] | extensions, self, name=name)


@functools.cache
def built_in() -> Definitions:
    """The definitions of Kubernetes `VERSION`. Read once, on first use."""
    folder = importlib.resources.files("kubernetes_validate") / "kubernetes-json-schema" / f"v{VERSION}.0-local"
    content: dict[str, Json] = json.loads((folder / "_definitions.json").read_bytes())
    return Definitions(content["$defs"])


def object_metadata() -> Schema:
    """Schema of `metadata`, the same for every kind."""
    return built_in().named(_META)
