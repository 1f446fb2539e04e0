"""The rules of what runs containers. Pure.

The order of the checks is kstatus's: it decides which of several reasons is told.
"""

from __future__ import annotations

from deployer.cluster.health.judgement import Judgement, failed, progressing, ready
from deployer.cluster.health.reading import Reading

_NO_DEADLINE = 2**31 - 1
"""The controller takes the greatest deadline for none, and then keeps no `Progressing` condition."""


def deployment(obj: Reading) -> Judgement:
    """Every replica updated, available and ready, none left of before, and the controller says that it is done."""
    progress, available = obj.condition("Progressing"), obj.condition("Available")
    if progress is not None and progress.reason == "ProgressDeadlineExceeded":
        return failed(progress.words)
    if waiting := _unseen(obj) or _replicas_missing(obj):
        return progressing(_why_not(obj, waiting))
    timeless = obj.number("spec", "progressDeadlineSeconds", default=_NO_DEADLINE) == _NO_DEADLINE
    done = progress is not None and progress.holds and progress.reason == "NewReplicaSetAvailable"
    if not (timeless or done):
        return progressing("its new ReplicaSet is not available yet")
    if available is None or not available.holds:
        return progressing(available.words if available else "not available yet")
    return ready(_all(_wanted(obj)))


def replica_set(obj: Reading) -> Judgement:
    """Every replica available and ready. A replica that cannot be made is tried again, so it is no failure."""
    failure = obj.condition("ReplicaFailure")
    if failure is not None and failure.holds:
        return progressing(failure.words)
    wanted = _wanted(obj)
    waiting = (
        _unseen(obj)
        or _fewer(obj, "fullyLabeledReplicas", of=wanted, state="labelled")
        or _fewer(obj, "availableReplicas", of=wanted, state="available")
        or _fewer(obj, "readyReplicas", of=wanted, state="ready")
        or _surplus(obj, wanted)
    )
    return progressing(waiting) if waiting else ready(_all(wanted))


def stateful_set(obj: Reading) -> Judgement:
    """Every replica ready and, from the partition on, of the new revision; with OnDelete, whatever runs.

    https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#update-strategies
    """
    if waiting := _unseen(obj):
        return progressing(waiting)
    if obj.text("spec", "updateStrategy", "type") == "OnDelete":
        return ready("its pods are updated when somebody deletes them")
    wanted = _wanted(obj)
    if waiting := (
        _fewer(obj, "replicas", of=wanted, state="created")
        or _fewer(obj, "readyReplicas", of=wanted, state="ready")
        or _surplus(obj, wanted)
    ):
        return progressing(waiting)
    waiting = _behind_partition(obj, wanted) if _partitioned(obj) else _behind_revision(obj, wanted)
    return progressing(waiting) if waiting else ready(_all(wanted))


def daemon_set(obj: Reading) -> Judgement:
    """On every node that it is meant for: there, updated, available and ready."""
    if waiting := _unseen(obj):
        return progressing(waiting)
    if not obj.has("status", "desiredNumberScheduled"):
        return progressing("not known yet on how many nodes it is to run")
    wanted = obj.number("status", "desiredNumberScheduled")
    waiting = (
        _fewer(obj, "currentNumberScheduled", of=wanted, state="created")
        or _fewer(obj, "updatedNumberScheduled", of=wanted, state="updated")
        or _fewer(obj, "numberAvailable", of=wanted, state="available")
        or _fewer(obj, "numberReady", of=wanted, state="ready")
    )
    return progressing(waiting) if waiting else ready(_all(wanted))


def job(obj: Reading) -> Judgement:
    """Started: a Job that runs is where it was asked to be, however long it runs. Suspended is what it may be, too.

    `FailureTarget` comes since Kubernetes 1.31 before `Failed`, while pods are still ending.
    https://kubernetes.io/docs/concepts/workloads/controllers/job/#termination-of-job-pods
    """
    for condition in obj.conditions:
        if condition.holds and condition.type == "Complete":
            return ready(f"{obj.number('status', 'succeeded')} of {_completions(obj)} completed")
        if condition.holds and condition.type in ("Failed", "FailureTarget"):
            return failed(condition.words)
        if condition.holds and condition.type == "Suspended":
            return ready("suspended")
    return ready("running") if obj.text("status", "startTime") else progressing("not started yet")


def pod(obj: Reading) -> Judgement:
    """Ready, or over with success.

    Stricter than kstatus, which takes any end for the wanted one; and more patient, because a pod that no node has room
    for may be what a cluster grows for.
    """
    phase = obj.text("status", "phase")
    condition = obj.condition("Ready")
    if phase == "Succeeded":
        return ready("completed")
    if phase == "Failed":
        told = (obj.text("status", "reason"), obj.text("status", "message"))
        return failed(": ".join(filter(None, told)) or "its containers failed")
    if phase == "Running" and condition is not None and condition.holds:
        return ready("ready")
    if phase == "Running" and (looping := _crash_looping(obj)):
        return failed(f"CrashLoopBackOff: {', '.join(looping)}")
    return progressing({"Running": "running, not ready yet", "": "not seen yet"}.get(phase, phase.lower()))


def _replicas_missing(obj: Reading) -> str:
    wanted = _wanted(obj)
    return (
        _fewer(obj, "replicas", of=wanted, state="created")
        or _fewer(obj, "updatedReplicas", of=wanted, state="updated")
        or _surplus(obj, wanted)
        or _fewer(obj, "availableReplicas", of=obj.number("status", "updatedReplicas"), state="available")
        or _fewer(obj, "readyReplicas", of=wanted, state="ready")
    )


def _why_not(obj: Reading, waiting: str) -> str:
    """What holds a Deployment up: that it is paused, or why its ReplicaSet makes no pods."""
    failure = obj.condition("ReplicaFailure")
    if failure is not None and failure.holds:
        return f"{waiting}; {failure.words}"
    return f"{waiting}; it is paused" if obj.part("spec").content.get("paused") is True else waiting


def _partitioned(obj: Reading) -> bool:
    return obj.has("spec", "updateStrategy", "rollingUpdate", "partition")


def _behind_partition(obj: Reading, wanted: int) -> str:
    partition = obj.number("spec", "updateStrategy", "rollingUpdate", "partition")
    return _fewer(obj, "updatedReplicas", of=wanted - partition, state="updated")


def _behind_revision(obj: Reading, wanted: int) -> str:
    if behind := _fewer(obj, "currentReplicas", of=wanted, state="of the current revision"):
        return behind
    current, update = obj.text("status", "currentRevision"), obj.text("status", "updateRevision")
    return "" if current == update else f"revision {update} has not taken the place of {current} yet"


def _unseen(obj: Reading) -> str:
    """Whether the controller has not seen the object at all. The API server writes parts of a status by itself."""
    return "" if obj.has("status", "observedGeneration") else "its controller has not seen it yet"


def _fewer(obj: Reading, field: str, *, of: int, state: str) -> str:
    there = obj.number("status", field)
    return f"{there} of {of} {_noun(of)} {state}" if there < of else ""


def _surplus(obj: Reading, wanted: int) -> str:
    surplus = obj.number("status", "replicas") - wanted
    return f"{surplus} {_noun(surplus)} more than wanted still there" if surplus > 0 else ""


def _wanted(obj: Reading) -> int:
    return obj.number("spec", "replicas", default=1)


def _completions(obj: Reading) -> int:
    return obj.number("spec", "completions", default=obj.number("spec", "parallelism", default=1))


def _all(wanted: int) -> str:
    return f"{wanted} {_noun(wanted)} ready"


def _noun(number: int) -> str:
    return "replica" if number == 1 else "replicas"


def _crash_looping(obj: Reading) -> list[str]:
    return [
        f"container {each.text('name')}"
        for each in obj.parts("status", "containerStatuses")
        if each.text("state", "waiting", "reason") == "CrashLoopBackOff"
    ]
