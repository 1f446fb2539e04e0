"""Workloads that become healthy by themselves, so that a rollout can be watched where nothing runs.

A workload's new generation is first seen as in progress and, a moment later, as rolled out. No pods are made.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from deployer.sandbox.kubernetes.controllers import Later
from deployer.sandbox.kubernetes.objects import Object, at, metadata, section, timestamp
from deployer.sandbox.kubernetes.store import Event, Key, Store

SECONDS = 0.5
"""From a change of what is wanted until it is rolled out."""


class Rollouts:
    """Writes the status of workloads."""

    def __init__(self, store: Store, later: Later) -> None:
        self._store = store
        self._later = later

    def observe(self, event: Event) -> None:
        """Begin a rollout when a workload's generation has not been observed yet."""
        status = _STATUS.get((event.key.group, event.key.plural))
        if status is None or event.after is None or _observed(event.after):
            return
        self._write(event.key, lambda obj: status(obj, ready=False))
        self._later.add(SECONDS, lambda: self._write(event.key, lambda obj: status(obj, ready=True)))

    def _write(self, key: Key, status: Callable[[Object], Object]) -> None:
        with self._store.lock:
            obj = self._store.get(key)
            if obj is None:
                return
            merged = section(obj, "status") | status(obj)
            if merged != obj.get("status"):
                self._store.put(key, obj | {"metadata": dict(metadata(obj)), "status": merged})


def _observed(obj: Object) -> bool:
    if "generation" in metadata(obj) and obj.get("kind") not in ("Job", "CronJob"):
        return bool(at(obj, "status", "observedGeneration") == metadata(obj)["generation"])
    return bool(at(obj, "status", "conditions") or at(obj, "status", "phase") == "Bound")


def _deployment(obj: Object, *, ready: bool) -> Object:
    wanted = _replicas(obj)
    progress = _condition("Progressing", "NewReplicaSetAvailable" if ready else "ReplicaSetUpdated", status="True")
    available = _condition("Available", "MinimumReplicasAvailable" if ready else "MinimumReplicasUnavailable",
                           status="True" if ready else "False")  # fmt: skip
    counts = {"replicas": wanted, "updatedReplicas": wanted} | _counts(wanted, ready=ready)
    return _generation(obj) | counts | {"conditions": [available, progress]}


def _stateful_set(obj: Object, *, ready: bool) -> Object:
    wanted = _replicas(obj)
    revision = f"{metadata(obj).get('name')}-{metadata(obj).get('generation')}"
    counts = {"replicas": wanted, "currentReplicas": wanted, "updatedReplicas": wanted if ready else 0}
    revisions = {"updateRevision": revision} | ({"currentRevision": revision} if ready else {})
    return _generation(obj) | counts | _counts(wanted, ready=ready) | revisions


def _daemon_set(obj: Object, *, ready: bool) -> Object:
    number = 1 if ready else 0
    counts = {"currentNumberScheduled": 1, "desiredNumberScheduled": 1, "numberMisscheduled": 0}
    return _generation(obj) | counts | {
        "numberReady": number, "numberAvailable": number, "updatedNumberScheduled": 1, "numberUnavailable": 1 - number,
    }  # fmt: skip


def _job(obj: Object, *, ready: bool) -> Object:
    started = {"startTime": _now()}
    if not ready:
        return started | {"active": 1}
    done = {"active": 0, "succeeded": at(obj, "spec", "completions") or 1, "completionTime": _now()}
    return done | {"conditions": [_condition("Complete", "CompletionsReached", status="True")]}


def _claim(obj: Object, *, ready: bool) -> Object:
    if not ready:
        return {"phase": "Pending"}
    capacity = at(obj, "spec", "resources", "requests") or {}
    return {"phase": "Bound", "accessModes": at(obj, "spec", "accessModes"), "capacity": capacity}


def _replicas(obj: Object) -> int:
    return int(at(obj, "spec", "replicas") or 0)


def _counts(wanted: int, *, ready: bool) -> Object:
    if ready:
        return {"readyReplicas": wanted, "availableReplicas": wanted, "unavailableReplicas": 0}
    return {"readyReplicas": 0, "availableReplicas": 0, "unavailableReplicas": wanted}


def _generation(obj: Object) -> Object:
    return {"observedGeneration": metadata(obj).get("generation", 1)}


def _condition(kind: str, reason: str, *, status: str) -> Object:
    moment = _now()
    return {"type": kind, "status": status, "reason": reason, "lastTransitionTime": moment, "lastUpdateTime": moment}


def _now() -> str:
    return timestamp(datetime.now(UTC))


_STATUS: dict[tuple[str, str], Callable[..., Object]] = {
    ("apps", "deployments"): _deployment,
    ("apps", "replicasets"): _deployment,
    ("apps", "statefulsets"): _stateful_set,
    ("apps", "daemonsets"): _daemon_set,
    ("batch", "jobs"): _job,
    ("", "persistentvolumeclaims"): _claim,
}
