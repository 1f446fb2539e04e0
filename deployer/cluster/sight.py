"""What is in the cluster of one environment's set, and what of other sets is in its way. Nothing is written here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from deployer.cluster import discovery
from deployer.cluster.applyset import Inventory, Scope, group_kind
from deployer.cluster.connection import Connection
from deployer.cluster.observe import METADATA_ONLY, Found, Place, labelled
from deployer.cluster.prune import Extra, is_made_by_controller
from deployer.cluster.resources import Resource
from deployer.cluster.target import Target
from deployer.model import JSON, PART_OF, ObjectRef


@dataclass(frozen=True, slots=True)
class Sight:
    """What was found; objects by their path."""

    inventory: Inventory
    ours: Found
    """Objects that carry the set's label."""
    foreign: Mapping[str, str]
    """Objects of git that are not ours but another set's, with that set's id."""

    def extras(self, targets: Sequence[Target]) -> Iterator[Extra]:
        """What is ours and git does not name. What is being deleted already is gone; a controller's is not ours."""
        named = {target.path for target in targets}
        for path, content in self.ours.items():
            if path not in named and not _metadata(content).get("deletionTimestamp"):
                extra = Extra(_ref(content), path, content)
                if not is_made_by_controller(extra):
                    yield extra


def look(
    connection: Connection, targets: Sequence[Target], *, scope: Scope, inventory: Inventory, threads: Executor
) -> Sight:
    """Look at all kinds and namespaces of git and of the inventory.

    Raises:
        Permanent, Temporary: as `observe.labelled`.
    """
    places = {target.place for target in targets} | _former(connection, targets, scope, inventory, threads)
    ours = labelled(connection, places, selector=f"{PART_OF}={scope.id}", threads=threads)
    missing = [target for target in targets if target.path not in ours]
    foreign = labelled(
        connection,
        {target.place for target in missing},
        selector=f"{PART_OF},{PART_OF}!={scope.id}",
        threads=threads,
        accept=METADATA_ONLY,
    )
    return Sight(inventory, ours, {t.path: _set_of(foreign[t.path]) for t in missing if t.path in foreign})


def _former(
    connection: Connection, targets: Sequence[Target], scope: Scope, inventory: Inventory, threads: Executor
) -> set[Place]:
    """Where the inventory says that objects are, beyond what git names now."""
    resources = {group_kind(target.ref.api_version, target.ref.kind): target.resource for target in targets}
    gone = [kind for kind in inventory.kinds if kind not in resources]
    found = threads.map(lambda kind: _resource(connection, kind), gone)
    resources |= {kind: resource for kind, resource in zip(gone, found, strict=True) if resource is not None}
    homes = {scope.namespace, *inventory.namespaces}
    return {
        (resource, namespace)
        for kind, resource in resources.items()
        if kind in inventory.kinds
        for namespace in (homes if resource.namespaced else [None])
    }


def _resource(connection: Connection, kind: str) -> Resource | None:
    """None when the cluster has no such kind any more: then it has no objects of it either."""
    name, _, group = kind.partition(".")
    return discovery.find_preferred(connection, group, name)


def _set_of(content: Mapping[str, JSON]) -> str:
    labels = _metadata(content).get("labels")
    return str(labels.get(PART_OF)) if isinstance(labels, dict) else ""


def _ref(content: Mapping[str, JSON]) -> ObjectRef:
    metadata = _metadata(content)
    namespace = metadata.get("namespace")
    return ObjectRef(
        str(content.get("apiVersion")),
        str(content.get("kind")),
        str(namespace) if namespace else None,
        str(metadata.get("name")),
    )


def _metadata(content: Mapping[str, JSON]) -> Mapping[str, JSON]:
    metadata = content.get("metadata")
    return metadata if isinstance(metadata, dict) else {}
