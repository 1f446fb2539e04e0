"""Deployments: one ReplicaSet for each template, the new one scaled up as the old ones are scaled down.

https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-update-deployment
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from deployer.sandbox.kubernetes.controllers import Later
from deployer.sandbox.kubernetes.dependents import REPLICA_SETS, Dependents
from deployer.sandbox.kubernetes.objects import Json, Object, at, clone, each, metadata, name_of, section
from deployer.sandbox.kubernetes.replica_sets import controller_of
from deployer.sandbox.kubernetes.store import Event, Key

_REVISION = "deployment.kubernetes.io/revision"
_HASH = "pod-template-hash"
_TIMED_OUT = "ProgressDeadlineExceeded"


class Deployments:
    """The controller of Deployments."""

    def __init__(self, dependents: Dependents, later: Later) -> None:
        self._dependents = dependents
        self._later = later

    def observe(self, event: Event) -> None:
        """Bring ReplicaSets and status in line after a Deployment or one of its ReplicaSets changed."""
        if (event.key.group, event.key.plural) == ("apps", "deployments"):
            self._reconcile(event.key)
        elif event.key.plural == "replicasets" and (owner := controller_of(event.last, "Deployment")):
            self._reconcile(Key("apps", "deployments", event.key.namespace, owner))

    def _reconcile(self, key: Key) -> None:
        with self._dependents.store.lock:
            obj = self._dependents.store.get(key)
            if obj is None or "deletionTimestamp" in metadata(obj):
                return
            family = self._family(obj)
            if family.new is not None:
                self._scale(obj, family)
            status = self._status(obj, self._family(obj))
            noted = {_REVISION: str(_revision(family.new))} if family.new is not None else {}
            self._dependents.report(key, status, **noted)
            self._wait_for_deadline(key, obj, status)

    def _family(self, obj: Object) -> _Family:
        """The ReplicaSets of a Deployment; the one of its present template is made, unless it is paused."""
        sets = self._dependents.controlled(obj, REPLICA_SETS)
        digest = _digest(obj)
        new = next((one for one in sets if section(metadata(one), "labels").get(_HASH) == digest), None)
        old = [one for one in sets if one is not new]
        if at(obj, "spec", "paused"):
            return _Family(new, old)
        revision = max(map(_revision, old), default=0) + 1
        if new is None:
            new = self._dependents.create(obj, REPLICA_SETS, _replica_set(obj, digest, revision))
        elif _revision(new) < revision:
            self._dependents.report(_key(new), section(new, "status"), **{_REVISION: str(revision)})
            new = self._dependents.store.get(_key(new))
        return _Family(new, old)

    def _scale(self, obj: Object, family: _Family) -> None:
        wanted = int(at(obj, "spec", "replicas") or 0)
        surge, unavailable = _room(obj, wanted)
        others = sum(map(_asked, family.old))
        new = family.new or {}
        if surge is None:  # Recreate: nothing new before everything old is gone
            for one in family.old:
                self._dependents.scale(REPLICA_SETS, one, 0)
            gone = not any(_count(one, "replicas") for one in family.old)
            self._dependents.scale(REPLICA_SETS, new, wanted if gone else _asked(new))
            return
        target = min(wanted, max(_asked(new), wanted + surge - others))
        new = self._dependents.scale(REPLICA_SETS, new, target)
        spare = others + target - (wanted - unavailable) - (target - min(target, _count(new, "availableReplicas")))
        for one in family.old:
            fewer = max(0, min(spare, _asked(one)))
            self._dependents.scale(REPLICA_SETS, one, _asked(one) - fewer)
            spare -= fewer

    def _status(self, obj: Object, family: _Family) -> Object:
        wanted = int(at(obj, "spec", "replicas") or 0)
        sets = family.sets
        names = ("replicas", "readyReplicas", "availableReplicas")
        counts = {name: sum(_count(one, name) for one in sets) for name in names}
        counts["updatedReplicas"] = _count(family.new or {}, "replicas")
        counts["unavailableReplicas"] = max(0, sum(map(_asked, sets)) - counts["availableReplicas"])
        _, unavailable = _room(obj, wanted)
        enough = counts["availableReplicas"] >= wanted - unavailable
        done = all(counts[name] == wanted for name in ("replicas", "updatedReplicas", "availableReplicas"))
        available = ("True", "MinimumReplicasAvailable") if enough else ("False", "MinimumReplicasUnavailable")
        conditions = [self._condition(obj, "Available", *available), self._progress(obj, counts, done=done)]
        shown = {name: number for name, number in counts.items() if number}
        return {"observedGeneration": metadata(obj).get("generation", 1), **shown, "conditions": conditions}

    def _progress(self, obj: Object, counts: Object, *, done: bool) -> Object:
        before = _condition_of(obj, "Progressing")
        if done:
            return self._condition(obj, "Progressing", "True", "NewReplicaSetAvailable")
        new = at(obj, "status", "observedGeneration") != metadata(obj).get("generation")
        moved = any(section(obj, "status").get(name, 0) != number for name, number in counts.items())
        if before is None or new or moved:
            updated = self._condition(obj, "Progressing", "True", "ReplicaSetUpdated")
            return updated | {"lastUpdateTime": self._dependents.now()}
        if before.get("reason") != "NewReplicaSetAvailable" and self._overdue(obj, before):
            message = f'ReplicaSet "{name_of(obj)}-{_digest(obj)}" has timed out progressing.'
            return self._condition(obj, "Progressing", "False", _TIMED_OUT, message=message)
        return before

    def _condition(self, obj: Object, kind: str, status: str, reason: str, *, message: str = "") -> Object:
        """The condition as it is, if nothing in it changes."""
        before = _condition_of(obj, kind)
        said = {"type": kind, "status": status, "reason": reason, "message": message or _MESSAGES[reason]}
        if before is not None and {name: before.get(name) for name in said} == said:
            return before
        now = self._dependents.now()
        kept = before is not None and before.get("status") == status
        since = at(before, "lastTransitionTime") if kept else now
        return said | {"lastUpdateTime": now, "lastTransitionTime": since}

    def _wait_for_deadline(self, key: Key, obj: Object, status: Object) -> None:
        progress = _condition_of({"status": status}, "Progressing") or {}
        if progress.get("reason") not in ("NewReplicaSetAvailable", _TIMED_OUT):
            # Times are in whole seconds: a second more makes sure that the deadline has passed by then.
            self._later.add(int(at(obj, "spec", "progressDeadlineSeconds") or 600) + 1, partial(self._reconcile, key))

    def _overdue(self, obj: Object, progress: Object) -> bool:
        deadline = int(at(obj, "spec", "progressDeadlineSeconds") or 600)
        since = datetime.fromisoformat(str(progress.get("lastUpdateTime")))
        return progress.get("reason") == _TIMED_OUT or (self._dependents.clock() - since).total_seconds() >= deadline


@dataclass(frozen=True, slots=True)
class _Family:
    new: Object | None
    old: Sequence[Object]

    @property
    def sets(self) -> list[Object]:
        return [*self.old, *([] if self.new is None else [self.new])]


def _replica_set(obj: Object, digest: str, revision: int) -> Object:
    spec = clone(section(obj, "spec"))
    template = spec["template"]
    template["metadata"] = section(template, "metadata") | {
        "labels": section(section(template, "metadata"), "labels") | {_HASH: digest}
    }
    selector = section(spec, "selector")
    selector["matchLabels"] = section(selector, "matchLabels") | {_HASH: digest}
    return {
        "metadata": {
            "name": f"{name_of(obj)}-{digest}",
            "labels": template["metadata"]["labels"],
            "annotations": {_REVISION: str(revision)},
        },
        "spec": {"replicas": 0, "selector": selector, "template": template},
    }


def _digest(obj: Object) -> str:
    """A short name for a template."""
    template = json.dumps(at(obj, "spec", "template"), sort_keys=True)
    return hashlib.sha256(template.encode()).hexdigest()[:10]


def _room(obj: Object, wanted: int) -> tuple[int | None, int]:
    """How many pods more than wanted there may be, and how many fewer available. None more: Recreate."""
    if at(obj, "spec", "strategy", "type") == "Recreate":
        return None, 0
    rolling = at(obj, "spec", "strategy", "rollingUpdate") or {}
    surge = math.ceil(_share(rolling.get("maxSurge"), wanted))
    unavailable = math.floor(_share(rolling.get("maxUnavailable"), wanted))
    return (surge, unavailable) if surge or unavailable else (0, 1)


def _share(value: Json, wanted: int) -> float:
    if isinstance(value, str) and value.endswith("%"):
        return wanted * int(value[:-1]) / 100
    return float(value or 0)


def _condition_of(obj: Object, kind: str) -> Object | None:
    return next((one for one in each(section(obj, "status"), "conditions") if one.get("type") == kind), None)


def _key(replica_set: Object) -> Key:
    return Key("apps", "replicasets", str(metadata(replica_set)["namespace"]), name_of(replica_set))


def _revision(replica_set: Object) -> int:
    return int(section(metadata(replica_set), "annotations").get(_REVISION, 0))


def _asked(replica_set: Object) -> int:
    return int(at(replica_set, "spec", "replicas") or 0)


def _count(replica_set: Object, name: str) -> int:
    return int(at(replica_set, "status", name) or 0)


_MESSAGES = {
    "MinimumReplicasAvailable": "Deployment has minimum availability.",
    "MinimumReplicasUnavailable": "Deployment does not have minimum availability.",
    "NewReplicaSetAvailable": "ReplicaSet has successfully progressed.",
    "ReplicaSetUpdated": "ReplicaSet is progressing.",
}
