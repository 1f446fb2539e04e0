"""What a request is about: a resource in one version, perhaps one object of it, perhaps one part of that."""

from __future__ import annotations

from dataclasses import dataclass

from deployer.sandbox.kubernetes.fieldset import Path
from deployer.sandbox.kubernetes.resources import Resource
from deployer.sandbox.kubernetes.store import Key


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is about."""

    resource: Resource
    namespace: str
    name: str = ""
    subresource: str = ""

    @property
    def key(self) -> Key:
        return Key(self.resource.group, self.resource.plural, self.namespace, self.name)

    @property
    def ignored(self) -> tuple[Path, ...]:
        """Fields that a write to this (sub)resource cannot change, and so cannot own."""
        if self.subresource == "status":
            return (("f:spec",), ("f:metadata",))
        return (("f:status",),) if "status" in self.resource.subresources else ()
