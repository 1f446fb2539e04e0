"""Why the pods of a workload do not come up. Pure: it reads what was listed and asks nothing.

Only pods of the newest revision count: what an older one does wrong is what a rollout is meant to cure. What containers
and kubelets say comes from outside and is quoted on one line, never at length.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from deployer.cluster.health.reading import Reading
from deployer.cluster.refusal import capped
from deployer.model import JSON

Object = Mapping[str, JSON]

HOPELESS = frozenset({"CrashLoopBackOff", "ErrImageNeverPull", "ImagePullBackOff", "InvalidImageName"})
"""What containers wait with when the kubelet has tried in vain at least once and only something new will help.

Every other reason is told and waited with: `ErrImagePull` is still being tried, a Secret or ConfigMap that a
`CreateContainerConfigError` misses may be on its way from another controller, and what cannot be created or run goes
over into a `CrashLoopBackOff` or away. https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-states
"""

_ON_THE_WAY = frozenset({"", "ContainerCreating", "PodInitializing"})
_QUOTED = 160
"""Characters of one text of a pod."""
_REVISION = "deployment.kubernetes.io/revision"
_HASH = "controller-revision-hash"
_TEMPLATE_HASH = "pod-template-hash"
_TEMPLATE_GENERATION = "pod-template-generation"
_DAEMON_GENERATION = "deprecated.daemonset.template.generation"


@dataclass(frozen=True, slots=True)
class Trouble:
    """What keeps pods from coming up."""

    reason: str
    """One line, as in `pod web-7d4-x: container app: CrashLoopBackOff: …; last exit 1: …`."""
    hopeless: bool
    """Whether waiting will not help."""


def trouble(workload: Object, *, replica_sets: Iterable[Object], pods: Iterable[Object]) -> Trouble | None:
    """The worst that the pods of a workload's newest revision are in, or None when they are on their way.

    Args:
        workload: a Deployment, ReplicaSet, StatefulSet, DaemonSet, Job or Pod.
        replica_sets: those of its namespace.
        pods: those of its namespace.
    """
    obj = Reading(workload)
    if obj.part("spec").content.get("paused") is True:
        return None
    found = [each for pod in _newest(obj, replica_sets, pods) for each in _troubles(pod)]
    worst = next((each for each in found if each.hopeless), None)
    return worst or next(iter(found), None)


def selector(workloads: Sequence[Object]) -> str:
    """A label selector that chooses at least the pods of all workloads, and as few others as can be said briefly.

    Empty, which chooses everything, when their own selectors have no label in common.
    """
    labels = [Reading(workload).texts("spec", "selector", "matchLabels") for workload in workloads]
    shared = sorted(set.intersection(*(set(each) for each in labels))) if labels else []
    said = ",".join(f"{key} in ({','.join(sorted({each[key] for each in labels}))})" for key in shared)
    return said if len(said) <= _LONGEST_SELECTOR else ""


_LONGEST_SELECTOR = 2000
"""Characters: it becomes a part of a URL, and what stands between us and the API server may cut long ones off."""


def _newest(obj: Reading, replica_sets: Iterable[Object], pods: Iterable[Object]) -> Iterator[Reading]:
    """The pods of the newest revision that are not being deleted."""
    if obj.kind == ("", "Pod"):
        yield obj
        return
    owner = _newest_replica_set(obj, replica_sets) if obj.kind[1] == "Deployment" else obj
    if owner is None:
        return
    for pod in map(Reading, pods):
        if _owned(pod, owner) and _of_revision(pod, owner) and not pod.has("metadata", "deletionTimestamp"):
            yield pod


def _newest_replica_set(deployment: Reading, replica_sets: Iterable[Object]) -> Reading | None:
    """The one with the Deployment's own template: right after a change, the newest one may still be the old one."""
    wanted = _template(deployment)
    owned = [each for each in map(Reading, replica_sets) if _owned(each, deployment) and _template(each) == wanted]
    return max(owned, key=_revision, default=None)


def _template(workload: Reading) -> JSON:
    """The pods that a workload asks for, without the label that tells the ReplicaSets of a Deployment apart."""
    template = dict(workload.part("spec", "template").content)
    metadata = dict(workload.part("spec", "template", "metadata").content)
    labels = workload.texts("spec", "template", "metadata", "labels")
    metadata["labels"] = {name: value for name, value in labels.items() if name != _TEMPLATE_HASH}
    return {**template, "metadata": dict(metadata)}


def _revision(replica_set: Reading) -> int:
    number = replica_set.texts("metadata", "annotations").get(_REVISION, "")
    return int(number) if number.isascii() and number.isdigit() else 0


def _owned(obj: Reading, owner: Reading) -> bool:
    uid = owner.text("metadata", "uid")
    return any(each.text("uid") == uid for each in obj.parts("metadata", "ownerReferences")) if uid else False


def _of_revision(pod: Reading, owner: Reading) -> bool:
    """Whether a pod of a StatefulSet or DaemonSet is of the newest revision; any is when there is no telling."""
    labels = pod.texts("metadata", "labels")
    if newest := owner.text("status", "updateRevision"):
        return labels.get(_HASH, newest) == newest
    if generation := owner.texts("metadata", "annotations").get(_DAEMON_GENERATION):
        return labels.get(_TEMPLATE_GENERATION, generation) == generation
    return True


def _troubles(pod: Reading) -> Iterator[Trouble]:
    where = f"pod {pod.name}"
    unplaced = pod.condition("PodScheduled")
    if unplaced is not None and unplaced.status == "False":
        yield Trouble(capped(f"{where}: {_quoted(unplaced.words)}"), hopeless=False)
    for container in (*pod.parts("status", "initContainerStatuses"), *pod.parts("status", "containerStatuses")):
        waiting = container.part("state", "waiting")
        reason = waiting.text("reason")
        if reason not in _ON_THE_WAY:
            told = (reason, waiting.text("message"))
            said = f"{where}: container {container.text('name')}: {_quoted(': '.join(filter(None, told)))}"
            yield Trouble(capped(said + _last_end(container)), hopeless=reason in HOPELESS)
        elif pod.text("status", "phase") == "Failed" and container.number("state", "terminated", "exitCode"):
            said = f"{where}: container {container.text('name')}: {_end(container.part('state', 'terminated'))}"
            yield Trouble(capped(said), hopeless=False)


def _last_end(container: Reading) -> str:
    terminated = container.part("lastState", "terminated")
    return f"; last {_end(terminated)}" if terminated.content else ""


def _end(terminated: Reading) -> str:
    """How a container ended, as in `exit 137 (OOMKilled): …`. `Error` is what any exit code but 0 is called."""
    reason = terminated.text("reason")
    why = f" ({reason})" if reason not in ("", "Error") else ""
    message = terminated.text("message")
    return f"exit {terminated.number('exitCode')}{why}" + (f": {_quoted(message)}" if message else "")


def _quoted(text: str) -> str:
    line = capped(text)
    return line if len(line) <= _QUOTED else f"{line[: _QUOTED - 1]}…"
