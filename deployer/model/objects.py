"""Kubernetes objects: how they are named, what git wants them to be, what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

FIELD_MANAGER = "deployer"
"""Under this name the cluster remembers which fields of an object are git's."""


PART_OF = "applyset.kubernetes.io/part-of"
"""The label by which an object says to which set it belongs (KEP-3659)."""

JSON = str | int | float | bool | None | list["JSON"] | dict[str, "JSON"]
"""What `json.loads` can return."""


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """The name of one Kubernetes object, as people read it."""

    api_version: str
    kind: str
    namespace: str | None
    name: str

    def __str__(self) -> str:
        group = self.api_version.rpartition("/")[0]
        kind = f"{self.kind}.{group}" if group else self.kind
        return f"{kind} {self.namespace}/{self.name}" if self.namespace else f"{kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Manifest:
    """One Kubernetes object in the form in which git wants it."""

    ref: ObjectRef
    content: Mapping[str, JSON] = field(repr=False)
    """The whole object. Not in the representation: it may be a Secret."""


@dataclass(frozen=True, slots=True)
class Manifests:
    """Everything that one overlay renders to: at least one object, no object twice."""

    objects: tuple[Manifest, ...]
    """In the order of the rendered output."""
    digest: str
    """SHA-256 in hexadecimal over the content of all objects, whatever their order and however they were written."""
    fetched: bool = False
    """Some of it is not in the repository: the same commit may render to something else by now."""


class Action(StrEnum):
    """What happened to one object."""

    CREATED = "created"
    UPDATED = "updated"
    RECREATED = "recreated"
    UNCHANGED = "unchanged"
    DELETED = "deleted"
    KEPT = "kept"
    """It stays as it is, for the reason that the message gives."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """Not tried, because something that it needs failed before it."""


@dataclass(frozen=True, slots=True)
class ObjectResult:
    """What happened to one object and, unless all went well, why."""

    ref: ObjectRef
    action: Action
    message: str = ""
    source: str = ""
    """The line of the repository that a failed object was made from, as `file:line`; empty where it was not found."""
