"""Each manifest with the place in the cluster that it belongs to. Nothing is written here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from deployer.cluster import discovery
from deployer.cluster.applyset import GroupKind, group_kind
from deployer.cluster.connection import Connection
from deployer.cluster.discovery import Kind, UnknownKind
from deployer.cluster.observe import Place
from deployer.cluster.resources import Resource, group_path
from deployer.model import JSON, Manifest, ObjectRef, Permanent, Stage


@dataclass(frozen=True, slots=True)
class Target:
    """A manifest and its resource; its namespace is settled."""

    manifest: Manifest
    resource: Resource

    @property
    def ref(self) -> ObjectRef:
        """What it is called in the cluster."""
        return self.manifest.ref

    @property
    def place(self) -> Place:
        """Kind and namespace."""
        return self.resource, self.ref.namespace

    @property
    def path(self) -> str:
        """Where it is in the API."""
        return self.resource.path(self.ref.namespace, self.ref.name)


def locate(
    connection: Connection, manifests: Sequence[Manifest], *, namespace: str, threads: Executor
) -> list[Target | UnknownKind]:
    """Find out where each manifest belongs, in their order.

    Args:
        connection: the cluster.
        manifests: what is to be applied.
        namespace: for objects of namespaced kinds that name none. Others lose theirs, as in kubectl: kustomize gives
            one to every object whose kind it does not know.
        threads: what asks the cluster for several groups at once.

    Raises:
        Permanent, Temporary: as `Connection.request`.
    """
    known: dict[Kind, Resource | UnknownKind] = dict(discovery.defined(manifests))
    missing = dict.fromkeys(discovery.kind_of(manifest.ref) for manifest in manifests).keys() - known.keys()
    _ask_groups(connection, {api_version for api_version, _ in missing}, threads)
    known |= {kind: _find(connection, kind) for kind in missing}
    return [_located(manifest, known[discovery.kind_of(manifest.ref)], namespace) for manifest in manifests]


def _ask_groups(connection: Connection, api_versions: set[str], threads: Executor) -> None:
    list(threads.map(connection.recall, (group_path(api_version) for api_version in api_versions)))


def _find(connection: Connection, kind: Kind) -> Resource | UnknownKind:
    try:
        return discovery.find(connection, kind)
    except UnknownKind as unknown:
        return unknown


def _located(manifest: Manifest, resource: Resource | UnknownKind, namespace: str) -> Target | UnknownKind:
    if isinstance(resource, UnknownKind):
        return resource
    home = (manifest.ref.namespace or namespace) if resource.namespaced else None
    if home == manifest.ref.namespace:
        return Target(manifest, resource)
    return Target(Manifest(replace(manifest.ref, namespace=home), _moved(manifest.content, home)), resource)


def _moved(content: Mapping[str, JSON], namespace: str | None) -> Mapping[str, JSON]:
    metadata = content.get("metadata")
    rest = {key: value for key, value in (metadata if isinstance(metadata, dict) else {}).items() if key != "namespace"}
    return {**content, "metadata": rest if namespace is None else {**rest, "namespace": namespace}}


Name = tuple[GroupKind, str | None, str]
"""What no two objects of a cluster share: kind and group, namespace, name. In each version they have the same."""


def name_of(ref: ObjectRef) -> Name:
    """What tells an object from all others, in whatever version of its group it is written."""
    return group_kind(ref.api_version, ref.kind), ref.namespace, ref.name


def refuse_twice(targets: Sequence[Target], *, by: Callable[[Target], Hashable]) -> None:
    """Make sure that no object is there twice now that the namespaces are settled.

    Args:
        targets: where to look.
        by: what two targets have in common only if they are one object; something false when that is not known.

    Raises:
        Permanent: names those that are.
    """
    same: defaultdict[Hashable, list[ObjectRef]] = defaultdict(list)
    for target in targets:
        if key := by(target):
            same[key].append(target.ref)
    twice = [_twice(refs) for refs in same.values() if len(refs) > 1]
    if twice:
        raise Permanent(f"in the overlay twice: {'; '.join(twice)}; keep one", stage=Stage.APPLY)


def _twice(refs: Sequence[ObjectRef]) -> str:
    versions = list(dict.fromkeys(ref.api_version for ref in refs))
    how = f"as {' and as '.join(versions)}" if len(versions) > 1 else "once with its namespace and once without"
    return f"{refs[0]} ({how})"
