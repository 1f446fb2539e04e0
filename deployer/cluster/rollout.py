"""One look at a rollout: which of the applied objects are healthy, which are on their way, which failed and why.

It asks with one list for each kind, and looks for reasons only where something is not ready. Nothing is written here
and nothing waits: whoever calls it looks again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass

from deployer.cluster import discovery, identity, observe
from deployer.cluster.connection import Connection
from deployer.cluster.discovery import Kind, UnknownKind
from deployer.cluster.health import Health, Judgement, judge, watched
from deployer.cluster.health.reading import Reading
from deployer.cluster.link import THREADS
from deployer.cluster.pods import Object, Trouble, selector, trouble
from deployer.cluster.refusal import capped
from deployer.cluster.resources import Resource, group_path
from deployer.model import PART_OF, ObjectRef, Permanent

_RUN_PODS = frozenset(
    {
        ("", "Pod"),
        ("apps", "DaemonSet"),
        ("apps", "Deployment"),
        ("apps", "ReplicaSet"),
        ("apps", "StatefulSet"),
        ("batch", "Job"),
    }
)
_PODS = Resource("v1", "pods", namespaced=True)
_REPLICA_SETS = Resource("apps/v1", "replicasets", namespaced=True)
_CLASSES = Resource("storage.k8s.io/v1", "storageclasses", namespaced=False)
_PLACED_ON = "volume.kubernetes.io/selected-node"
"""The scheduler writes it on a claim once a pod that uses it has its node."""


@dataclass(frozen=True, slots=True)
class Unready:
    """An object that is not ready, and why."""

    ref: ObjectRef
    reason: str
    """One line."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """How far a rollout is. What is neither ready nor waiting has failed."""

    total: int
    """Objects that can be anything else than ready once they are there."""
    ready: int
    waiting: tuple[Unready, ...]
    failed: tuple[Unready, ...]


def look(connection: Connection, refs: Sequence[ObjectRef], *, applyset: str) -> Rollout:
    """Look once at objects that were applied.

    Args:
        connection: the cluster.
        refs: the objects, no one twice; those of namespaced kinds name their namespace.
        applyset: the value of the label `applyset.kubernetes.io/part-of` that they carry.

    Raises:
        Permanent: listing a kind is not allowed. Not being allowed to list pods, ReplicaSets or StorageClasses costs
            reasons only.
        Temporary: as `Connection.request`.
    """
    seen = [ref for ref in refs if watched(ref)]
    with ThreadPoolExecutor(THREADS, thread_name_prefix="rollout") as threads:
        cluster = _Cluster(connection, threads)
        resources = cluster.resources({discovery.kind_of(ref) for ref in seen})
        found = cluster.objects(seen, resources, selector=f"{PART_OF}={applyset}")
        first = {ref: judge(content) for ref, content in found.items()}
        unready = {ref: found[ref] for ref, judgement in first.items() if judgement.health is not Health.READY}
        settled = first | cluster.explained(unready, first) | cluster.not_asked_for(unready)
    return _summed_up({ref: settled.get(ref) or _missing(ref, resources[discovery.kind_of(ref)]) for ref in seen})


def _summed_up(judgements: Mapping[ObjectRef, Judgement]) -> Rollout:
    by_health: defaultdict[Health, list[Unready]] = defaultdict(list)
    for ref, judgement in judgements.items():
        by_health[judgement.health].append(Unready(ref, judgement.reason))
    return Rollout(
        total=len(judgements),
        ready=len(by_health[Health.READY]),
        waiting=tuple(by_health[Health.PROGRESSING]),
        failed=tuple(by_health[Health.FAILED]),
    )


def _missing(ref: ObjectRef, resource: Resource | UnknownKind) -> Judgement:
    """What it means that an object which was applied is not listed.

    A Job goes by itself a time after it ended, if it says so (`ttlSecondsAfterFinished`): its start is all that a
    rollout waits for, and that was.
    """
    if isinstance(resource, UnknownKind):
        return Judgement(Health.FAILED, capped(resource.message))
    if (ref.kind, ref.api_version.partition("/")[0]) == ("Job", "batch"):
        return Judgement(Health.READY, "gone after it ended")
    lost = "not there any more: somebody deleted it, or took its applyset label off; deploy it again"
    return Judgement(Health.FAILED, lost)


@dataclass(frozen=True, slots=True)
class _Cluster:
    connection: Connection
    threads: Executor

    def resources(self, kinds: Set[Kind]) -> dict[Kind, Resource | UnknownKind]:
        """Where each kind is kept."""
        groups = {group_path(api_version) for api_version, _ in kinds}
        list(self.threads.map(self.connection.recall, groups))  # several at once; what follows knows the answers
        return {kind: self._resource(kind) for kind in kinds}

    def objects(
        self, refs: Iterable[ObjectRef], resources: Mapping[Kind, Resource | UnknownKind], *, selector: str
    ) -> dict[ObjectRef, Object]:
        """Those of the objects that are there."""
        places = {ref: (resources[discovery.kind_of(ref)], ref.namespace) for ref in refs}
        known = {ref: (where, within) for ref, (where, within) in places.items() if isinstance(where, Resource)}
        found = observe.labelled(self.connection, known.values(), selector=selector, threads=self.threads)
        paths = {ref: where.path(within, ref.name) for ref, (where, within) in known.items()}
        return {ref: found[path] for ref, path in paths.items() if path in found}

    def explained(
        self, unready: Mapping[ObjectRef, Object], judgements: Mapping[ObjectRef, Judgement]
    ) -> dict[ObjectRef, Judgement]:
        """Judgements of workloads of which more is known by their pods."""
        within: defaultdict[str, dict[ObjectRef, Object]] = defaultdict(dict)
        for ref, content in unready.items():
            if _runs_pods(content):
                within[ref.namespace or ""][ref] = content
        troubles = {ref: why for group in within.items() for ref, why in self._troubles(*group).items()}
        return {ref: _worsened(judgements[ref], why, ref) for ref, why in troubles.items()}

    def not_asked_for(self, unready: Mapping[ObjectRef, Object]) -> dict[ObjectRef, Judgement]:
        """Claims that nothing is bound to before a pod uses them, and that no pod uses yet: nothing to wait for here.

        https://kubernetes.io/docs/concepts/storage/storage-classes/#volume-binding-mode
        """
        classes = {ref: name for ref, content in unready.items() if (name := _class_of_unplaced(Reading(content)))}
        late = {name for name in set(classes.values()) if self._binds_late(name)}
        why = Judgement(Health.READY, "waits for its first consumer")
        return {ref: why for ref, name in classes.items() if name in late}

    def _resource(self, kind: Kind) -> Resource | UnknownKind:
        try:
            return discovery.find(self.connection, kind)
        except UnknownKind as unknown:
            return unknown

    def _troubles(self, namespace: str, workloads: Mapping[ObjectRef, Object]) -> dict[ObjectRef, Trouble]:
        deployments = [each for each in workloads.values() if each.get("kind") == "Deployment"]
        running = [each for each in workloads.values() if each.get("kind") != "Pod"]
        sets = self._listed(_REPLICA_SETS, namespace, deployments)
        listed = self._listed(_PODS, namespace, running)
        troubles = {}
        for ref, each in workloads.items():
            owned = sets.get(identity.uid(each), [])
            uids = [identity.uid(each), *map(identity.uid, owned)]
            pods = [pod for uid in uids for pod in listed.get(uid, ())]
            troubles[ref] = trouble(each, replica_sets=owned, pods=pods)
        return {ref: why for ref, why in troubles.items() if why is not None}

    def _listed(self, resource: Resource, namespace: str, owners: Sequence[Object]) -> dict[str, list[Object]]:
        """What belongs to the owners, by the UID of whoever owns it; nothing when listing is not allowed."""
        if not owners:
            return {}
        try:
            found = observe.labelled(
                self.connection, [(resource, namespace)], selector=selector(owners), threads=self.threads
            )
        except Permanent:
            return {}
        by_owner: defaultdict[str, list[Object]] = defaultdict(list)
        for content in found.values():
            for owner in Reading(content).parts("metadata", "ownerReferences"):
                by_owner[owner.text("uid")].append(content)
        return by_owner

    def _binds_late(self, storage_class: str) -> bool:
        response = self.connection.request("GET", _CLASSES.path(None, storage_class))
        return isinstance(response.body, dict) and response.body.get("volumeBindingMode") == "WaitForFirstConsumer"


def _runs_pods(content: Object) -> bool:
    """Whether the pods of an object say something about what it is now asked to be."""
    obj = Reading(content)
    return obj.kind in _RUN_PODS and not obj.unobserved() and not obj.has("metadata", "deletionTimestamp")


def _class_of_unplaced(obj: Reading) -> str:
    """The storage class of a claim that no placed pod uses; empty for anything else."""
    if obj.kind != ("", "PersistentVolumeClaim") or obj.has("metadata", "deletionTimestamp"):
        return ""
    waiting = obj.text("status", "phase") == "Pending" and not obj.has("metadata", "annotations", _PLACED_ON)
    return obj.text("spec", "storageClassName") if waiting else ""


def _worsened(judgement: Judgement, why: Trouble, ref: ObjectRef) -> Judgement:
    """A judgement with what the pods say. A hopeless one among them settles it, and stands alone where nothing else
    does."""
    if judgement.health is Health.FAILED and ref.kind != "Pod":
        return Judgement(Health.FAILED, capped(f"{judgement.reason}; {why.reason}"))
    if why.hopeless:
        return Judgement(Health.FAILED, why.reason)
    return Judgement(judgement.health, capped(f"{judgement.reason}; {why.reason}"))
