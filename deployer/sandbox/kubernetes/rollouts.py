"""Pods and workloads that become healthy by themselves, so that a rollout can be watched where nothing runs.

A new pod is ready a moment later, as if a kubelet had started it; Deployments follow from that. Kinds whose pods nobody
makes here are first seen as in progress and, a moment later, as rolled out.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from deployer.sandbox.kubernetes.controllers import Later
from deployer.sandbox.kubernetes.objects import Object, at, each, metadata, section, timestamp
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
    if "generation" in metadata(obj) and obj.get("kind") not in ("Job", "Pod"):
        return bool(at(obj, "status", "observedGeneration") == metadata(obj)["generation"])
    return bool(at(obj, "status", "conditions") or at(obj, "status", "phase") == "Bound")


def _pod(obj: Object, *, ready: bool) -> Object:
    said = "True" if ready else "False"
    kinds = {"Initialized": "True", "Ready": said, "ContainersReady": said, "PodScheduled": "True"}
    conditions = [_condition(kind, "", status=status) for kind, status in kinds.items()]
    containers = [_container(one, ready=ready) for one in each(section(obj, "spec"), "containers")]
    phase = {"phase": "Running" if ready else "Pending", "startTime": _now()}
    return phase | {"conditions": conditions, "containerStatuses": containers}


def _container(container: Object, *, ready: bool) -> Object:
    state = {"running": {"startedAt": _now()}} if ready else {"waiting": {"reason": "ContainerCreating"}}
    image = str(container.get("image"))
    known = {"name": container.get("name"), "image": image, "imageID": image}
    return known | {"ready": ready, "started": ready, "restartCount": 0, "state": state}


def _api_service(_obj: Object, *, ready: bool) -> Object:
    """Served by somebody, as far as the sandbox is concerned."""
    return {"conditions": [_condition("Available", "Passed", status="True" if ready else "False")]}


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
    because = {"reason": reason} if reason else {}
    return {"type": kind, "status": status, **because, "lastTransitionTime": _now()}


def _now() -> str:
    return timestamp(datetime.now(UTC))


_STATUS: dict[tuple[str, str], Callable[..., Object]] = {
    ("", "pods"): _pod,
    ("apiregistration.k8s.io", "apiservices"): _api_service,
    ("apps", "statefulsets"): _stateful_set,
    ("apps", "daemonsets"): _daemon_set,
    ("batch", "jobs"): _job,
    ("", "persistentvolumeclaims"): _claim,
}
