"""What is in the cluster before an apply, no more of it than tells afterwards whether the apply changed anything.

Of ConfigMaps and Secrets only metadata is asked for: a namespace may hold much in them, and their values are theirs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial

from deployer.cluster.connection import Connection
from deployer.cluster.resources import Resource
from deployer.model import JSON

_METADATA = "application/json;as=PartialObjectMetadata{};g=meta.k8s.io;v=v1, application/json"
_WHOLE = "application/json"
_LIST_FROM = 10
"""Objects of one kind in one namespace from which one list costs less than a request for each. A list also reads what
is not ours, so it is not worth it for a few."""
_PAGE = "500"

_NOT_WANTED = frozenset({"apiVersion", "kind", "status"})
"""The first two are missing in the items of a list."""
_KEPT_BY_SERVER = frozenset({"resourceVersion", "generation", "managedFields"})
_KEPT_BY_CONTROLLER = "deployment.kubernetes.io/"
"""Start of the annotations with which a Deployment's controller counts revisions."""

Place = tuple[Resource, str | None]
"""A kind in a namespace."""


@dataclass(frozen=True, slots=True)
class Version:
    """One state of one object."""

    resource_version: str
    wanted: JSON = field(repr=False)
    """The object without what the API server and controllers keep in it; None when only its metadata is known."""

    @classmethod
    def of(cls, content: JSON) -> Version:
        """The version of an object as the API server sent it, whole or only its metadata."""
        if not isinstance(content, dict):
            return cls("", None)
        only_metadata = content.get("kind") == "PartialObjectMetadata"
        return cls(str(_metadata(content).get("resourceVersion", "")), None if only_metadata else _wanted(content))

    def differs(self, before: Version) -> bool:
        """Whether more changed than what the API server and controllers keep in the object.

        They may have written between the two, a Deployment's controller always does in the moments after a change.
        """
        if self.resource_version == before.resource_version:
            return False
        return self.wanted is None or self.wanted != before.wanted


def accept(resource: Resource, *, listed: bool = False) -> str:
    """The Accept header to ask for as much of an object as its version needs."""
    sparing = resource.api_version == "v1" and resource.plural in ("configmaps", "secrets")
    return _METADATA.format("List" if listed else "") if sparing else _WHOLE


def _wanted(content: Mapping[str, JSON]) -> dict[str, JSON]:
    metadata = {key: value for key, value in _metadata(content).items() if key not in _KEPT_BY_SERVER}
    annotations = metadata.pop("annotations", None)
    if isinstance(annotations, dict):
        metadata["annotations"] = {k: v for k, v in annotations.items() if not k.startswith(_KEPT_BY_CONTROLLER)}
    return {key: value for key, value in content.items() if key not in _NOT_WANTED} | {"metadata": metadata}


def read(connection: Connection, objects: Iterable[tuple[Place, str]], threads: Executor) -> dict[str, Version]:
    """The versions of those objects that are there, by their path.

    Args:
        connection: the cluster.
        objects: places and names.
        threads: what asks; several requests go out at once.

    Raises:
        Permanent, Temporary: as `Connection.request`.
    """
    names: defaultdict[Place, list[str]] = defaultdict(list)
    for place, name in objects:
        names[place].append(name)
    lookups = []
    for place, wanted in names.items():
        if len(wanted) >= _LIST_FROM:
            lookups.append(threads.submit(_list, connection, place, wanted))
        else:
            lookups += [threads.submit(_get, connection, place, name) for name in wanted]
    return {path: version for lookup in lookups for path, version in lookup.result().items()}


def _get(connection: Connection, place: Place, name: str) -> dict[str, Version]:
    resource, namespace = place
    path = resource.path(namespace, name)
    response = connection.request("GET", path, accept=accept(resource))
    return {path: Version.of(response.body)} if response.status == 200 else {}


def _list(connection: Connection, place: Place, wanted: list[str]) -> dict[str, Version]:
    """As `_get` for many; one by one after all when listing is not allowed to us."""
    resource, namespace = place
    ask = partial(connection.request, "GET", resource.path(namespace), accept=accept(resource, listed=True))
    found: dict[str, Version] = {}
    query = {"limit": _PAGE}
    while True:
        response = ask(query=query)
        if response.status == 404:
            return {}
        if response.status != 200 or not isinstance(response.body, dict):
            return {path: version for name in wanted for path, version in _get(connection, place, name).items()}
        found |= _versions(response.body, place)
        token = _metadata(response.body).get("continue")
        if not token:
            return found
        query = {"limit": _PAGE, "continue": str(token)}


def _versions(body: Mapping[str, JSON], place: Place) -> dict[str, Version]:
    resource, namespace = place
    items = body.get("items")
    return {
        resource.path(namespace, str(_metadata(item).get("name"))): Version.of(item)
        for item in (items if isinstance(items, list) else [])
        if isinstance(item, dict)
    }


def _metadata(content: Mapping[str, JSON]) -> Mapping[str, JSON]:
    metadata = content.get("metadata")
    return metadata if isinstance(metadata, dict) else {}
