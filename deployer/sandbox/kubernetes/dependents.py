"""What a controller does to objects: makes and scales those that its own object controls, and reports in its status."""

from __future__ import annotations

from dataclasses import dataclass

from deployer.sandbox.kubernetes.deletion import Conditions, Deleter
from deployer.sandbox.kubernetes.objects import Clock, Object, clone, metadata, name_of, section, timestamp
from deployer.sandbox.kubernetes.options import Options
from deployer.sandbox.kubernetes.resources import Resource, built_in_resources
from deployer.sandbox.kubernetes.store import Key, Store
from deployer.sandbox.kubernetes.target import Target
from deployer.sandbox.kubernetes.writes import Writer

_MANAGER = Options("kube-controller-manager")


def resource(api_version: str, plural: str) -> Resource:
    """A built-in resource that is known to be there."""
    return next(each for each in built_in_resources() if (each.api_version, each.plural) == (api_version, plural))


PODS = resource("v1", "pods")
REPLICA_SETS = resource("apps/v1", "replicasets")


@dataclass(frozen=True, slots=True)
class Dependents:
    """The hands of the controllers of one cluster. Its caller holds the store's lock from reading to writing."""

    store: Store
    writer: Writer
    deleter: Deleter
    clock: Clock

    def now(self) -> str:
        """The time, as objects have it."""
        return timestamp(self.clock())

    def controlled(self, owner: Object, kind: Resource) -> list[Object]:
        """What an object controls and is not being deleted, by name."""
        found = self.store.dependents(str(metadata(owner).get("uid")))
        return [obj for key, obj in found if key.plural == kind.plural and "deletionTimestamp" not in metadata(obj)]

    def create(self, owner: Object, kind: Resource, body: Object) -> Object:
        """Make an object that `owner` controls, beside it. Raises ApiError when it is refused."""
        reference = {
            "apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": name_of(owner),
            "uid": metadata(owner)["uid"], "controller": True, "blockOwnerDeletion": True,
        }  # fmt: skip
        body = clone(body) | {"metadata": clone(metadata(body)) | {"ownerReferences": [reference]}}
        return self.writer.create(Target(kind, str(metadata(owner)["namespace"])), body, _MANAGER).obj

    def scale(self, kind: Resource, obj: Object, replicas: int) -> Object:
        """Ask for another number of replicas."""
        if section(obj, "spec").get("replicas") == replicas:
            return obj

        def change(old: Object) -> Object:
            return {**old, "spec": section(old, "spec") | {"replicas": replicas}}

        target = Target(kind, str(metadata(obj)["namespace"]), name_of(obj))
        return self.writer.patch(target, change, _MANAGER, patch={"spec": {"replicas": replicas}}).obj

    def delete(self, kind: Resource, obj: Object) -> None:
        """Delete an object."""
        self.deleter.delete(Target(kind, str(metadata(obj)["namespace"]), name_of(obj)), Conditions())

    def report(self, key: Key, status: Object, **annotations: str) -> None:
        """Write a status, and annotations with it, which counts as no change of what is wanted."""
        obj = self.store.get(key)
        if obj is None:
            return
        meta = dict(metadata(obj))
        if annotations:
            meta["annotations"] = section(meta, "annotations") | annotations
        changed = obj | {"metadata": meta, "status": status}
        if changed != obj:
            self.store.put(key, changed)
