"""ReplicaSets make as many pods as they are asked for and count those that are ready.

No pod becomes ready by itself here.
https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/
"""

from __future__ import annotations

from deployer.sandbox.kubernetes.dependents import PODS, Dependents
from deployer.sandbox.kubernetes.objects import Object, at, clone, each, metadata, name_of, section
from deployer.sandbox.kubernetes.store import Event, Key


class ReplicaSets:
    """The controller of ReplicaSets."""

    def __init__(self, dependents: Dependents) -> None:
        self._dependents = dependents

    def observe(self, event: Event) -> None:
        """Bring pods and status in line after a ReplicaSet or one of its pods changed."""
        if (event.key.group, event.key.plural) == ("apps", "replicasets"):
            self._reconcile(event.key)
        elif event.key.plural == "pods" and (owner := controller_of(event.last, "ReplicaSet")):
            self._reconcile(Key("apps", "replicasets", event.key.namespace, owner))

    def _reconcile(self, key: Key) -> None:
        with self._dependents.store.lock:
            obj = self._dependents.store.get(key)
            if obj is None or "deletionTimestamp" in metadata(obj):
                return
            self._make(obj)
            self._dependents.report(key, self._status(obj))

    def _make(self, obj: Object) -> None:
        wanted = int(at(obj, "spec", "replicas") or 0)
        pods = self._dependents.controlled(obj, PODS)
        template = clone(section(section(obj, "spec"), "template"))
        for _ in range(wanted - len(pods)):
            named = section(template, "metadata") | {"generateName": f"{name_of(obj)}-"}
            self._dependents.create(obj, PODS, {"metadata": named, "spec": section(template, "spec")})
        for pod in sorted(pods, key=is_ready)[: max(0, len(pods) - wanted)]:
            self._dependents.delete(PODS, pod)

    def _status(self, obj: Object) -> Object:
        pods = self._dependents.controlled(obj, PODS)
        ready = sum(map(is_ready, pods))
        counts = {"fullyLabeledReplicas": len(pods), "readyReplicas": ready, "availableReplicas": ready}
        shown = {name: number for name, number in counts.items() if number}
        return {"observedGeneration": metadata(obj).get("generation", 1), "replicas": len(pods), **shown}


def is_ready(pod: Object) -> bool:
    """Whether a pod's status says so."""
    conditions = each(section(pod, "status"), "conditions")
    return any((one.get("type"), one.get("status")) == ("Ready", "True") for one in conditions)


def controller_of(obj: Object, kind: str) -> str:
    """Name of the object of a kind that controls another one; empty when none does."""
    owners = each(metadata(obj), "ownerReferences")
    return next((str(one.get("name")) for one in owners if one.get("controller") and one.get("kind") == kind), "")
