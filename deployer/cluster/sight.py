"""What is in the cluster of one environment's set, and what of other sets is in its way. Nothing is written here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from concurrent.futures import Executor
from dataclasses import dataclass

from deployer.cluster import discovery, identity
from deployer.cluster.applyset import GroupKind, Inventory, Scope, group_kind
from deployer.cluster.connection import Connection
from deployer.cluster.observe import METADATA_ONLY, Found, Place, labelled
from deployer.cluster.prune import Extra, is_made_by_controller
from deployer.cluster.resources import Resource
from deployer.cluster.target import Name, Target, name_of, refuse_twice
from deployer.model import JSON, PART_OF, ObjectRef

_MOVED = {"Ingress.extensions": "networking.k8s.io"}
"""The group in which a kind's objects live on after the group that it had once is no longer served.

https://kubernetes.io/docs/reference/using-api/deprecation-guide/#ingress-v122
"""


@dataclass(frozen=True, slots=True)
class Sight:
    """What was found; objects by their path."""

    inventory: Inventory
    ours: Found
    """Objects that carry the set's label, each one once: under a target's path if a target is that object."""
    foreign: Mapping[str, str]
    """Objects of git that are not ours but another set's, with that set's id."""

    def extras(self, targets: Sequence[Target]) -> Iterator[Extra]:
        """What is ours and git does not name. What is being deleted already is gone; a controller's is not ours."""
        paths = {target.path for target in targets}
        names: set[Name] = {name_of(target.ref) for target in targets}
        for path, content in self.ours.items():
            ref = _ref(content)
            if path not in paths and name_of(ref) not in names and not identity.is_going(content):
                extra = Extra(ref, path, content)
                if not is_made_by_controller(extra):
                    yield extra


def look(
    connection: Connection, targets: Sequence[Target], *, scope: Scope, inventory: Inventory, threads: Executor
) -> Sight:
    """Look at all kinds and namespaces of git and of the inventory.

    Raises:
        Permanent: two targets are one object; or as `observe.labelled`.
        Temporary: as `observe.labelled`.
    """
    places = {target.place for target in targets} | _former(connection, targets, scope, inventory, threads)
    found = labelled(connection, places, selector=f"{PART_OF}={scope.id}", threads=threads)
    refuse_twice([target for target in targets if target.path in found], by=lambda each: identity.uid(found[each.path]))
    ours = _once(found, {target.path for target in targets})
    missing = [target for target in targets if target.path not in ours]
    foreign = labelled(
        connection,
        {target.place for target in missing},
        selector=f"{PART_OF},{PART_OF}!={scope.id}",
        threads=threads,
        accept=METADATA_ONLY,
    )
    return Sight(inventory, ours, {t.path: identity.applyset(foreign[t.path]) for t in missing if t.path in foreign})


def _once(found: Found, wanted: Set[str]) -> Found:
    """Each object under one of its paths; under the wanted one if there is one."""
    paths = {identity.uid(found[path]) or path: path for path in sorted(found, key=lambda path: path in wanted)}
    kept = set(paths.values())
    return {path: content for path, content in found.items() if path in kept}


def _former(
    connection: Connection, targets: Sequence[Target], scope: Scope, inventory: Inventory, threads: Executor
) -> set[Place]:
    """Where the inventory says that objects are, also beyond what git names now; each kind in one version."""
    wanted = {group_kind(target.ref.api_version, target.ref.kind): target.resource for target in targets}
    found = threads.map(lambda kind: _resource(connection, kind, wanted.get(kind)), inventory.kinds)
    homes = {scope.namespace, *inventory.namespaces}
    return {
        (resource, namespace)
        for resource in found
        if resource is not None
        for namespace in (homes if resource.namespaced else [None])
    }


def _resource(connection: Connection, kind: GroupKind, wanted: Resource | None) -> Resource | None:
    """None when the cluster has no such kind any more: then it has no objects of it either.

    The version that git wants is the one, unless it comes only with the definition that git brings.
    """
    name, _, group = kind.partition(".")
    if wanted is not None and discovery.served(connection, (wanted.api_version, name)) is not None:
        return wanted
    return discovery.find_preferred(connection, group, name) or discovery.find_preferred(
        connection, _MOVED.get(kind, group), name
    )


def _ref(content: Mapping[str, JSON]) -> ObjectRef:
    metadata = identity.metadata(content)
    namespace = metadata.get("namespace")
    return ObjectRef(
        str(content.get("apiVersion")),
        str(content.get("kind")),
        str(namespace) if namespace else None,
        str(metadata.get("name")),
    )
