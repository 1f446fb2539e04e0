"""What is in a cluster, asked for in as few requests as there are kinds. Nothing is written here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor

from deployer.cluster.connection import Connection, Response
from deployer.cluster.identity import metadata
from deployer.cluster.resources import Resource
from deployer.model import JSON, Failure, Permanent, Stage, Temporary

Place = tuple[Resource, str | None]
"""A kind in a namespace; None for a kind that has none."""

METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1, application/json"
"""For lists of which only names and labels matter: a namespace may hold much in its Secrets, and that is its own."""

_PAGE = "500"
_ROUNDS = 3
"""Times that a list is begun, when the API server has forgotten its beginning before its end is asked for."""

_EVERYWHERE_FROM = 3
"""Namespaces from which one list over all of them costs less than one for each. The API server then looks through the
whole cluster, but sends only what carries the label."""

Found = dict[str, Mapping[str, JSON]]
"""Objects by their path in the API."""


def labelled(
    connection: Connection,
    places: Iterable[Place],
    *,
    selector: str,
    threads: Executor,
    accept: str = "application/json",
) -> Found:
    """The objects that a label selector chooses, by their path: one list for each kind, or kind and namespace.

    Args:
        connection: the cluster.
        places: where to look. A kind that the cluster does not serve any more has no objects.
        selector: as in `a=b,c!=d`.
        threads: what asks; several requests go out at once.
        accept: the form of JSON that is wanted.

    Raises:
        Permanent: listing is not allowed, or the answer is none.
        Temporary: as `Connection.request`.
    """
    namespaces: defaultdict[Resource, set[str | None]] = defaultdict(set)
    for resource, namespace in places:
        namespaces[resource].add(namespace if resource.namespaced else None)
    listing = _Listing(connection, selector, accept)
    lookups = [threads.submit(listing.kind, resource, frozenset(within)) for resource, within in namespaces.items()]
    return {path: content for lookup in lookups for path, content in lookup.result().items()}


class _Listing:
    def __init__(self, connection: Connection, selector: str, accept: str) -> None:
        self._connection = connection
        self._selector = selector
        self._accept = accept

    def kind(self, resource: Resource, namespaces: frozenset[str | None]) -> Found:
        if len(namespaces) >= _EVERYWHERE_FROM:
            found = self._list(resource, None)
            if found is not None:
                return {path: each for path, each in found.items() if metadata(each).get("namespace") in namespaces}
        return {path: each for namespace in namespaces for path, each in self._one(resource, namespace).items()}

    def _one(self, resource: Resource, namespace: str | None) -> Found:
        found = self._list(resource, namespace)
        if found is None:
            where = f"in namespace {namespace}" if namespace else "in the cluster"
            message = (
                f"listing {resource.plural} {where} is not allowed; grant the credentials get, list and watch there"
            )
            raise Permanent(message, stage=Stage.APPLY)
        return found

    def _list(self, resource: Resource, namespace: str | None) -> Found | None:
        """None when it is not allowed."""
        return None if (pages := self._pages(resource, namespace)) is None else dict(pages)

    def _pages(self, resource: Resource, namespace: str | None) -> list[tuple[str, Mapping[str, JSON]]] | None:
        found: list[tuple[str, Mapping[str, JSON]]] = []
        query = start = {"labelSelector": self._selector, "limit": _PAGE}
        rounds = 1
        while True:
            response = self._connection.request("GET", resource.path(namespace), query=query, accept=self._accept)
            if response.status == 403:
                return None
            if response.status in (404, 405):
                return []
            if response.status == 410 and rounds < _ROUNDS:  # the rest is too old by now: from the beginning
                found, query, rounds = [], start, rounds + 1
                continue
            if response.status != 200 or not isinstance(response.body, dict):
                raise _refused(resource, response)
            found += _items(resource, response.body)
            token = metadata(response.body).get("continue")
            if not token:
                return found
            query = {**start, "continue": str(token)}


def _refused(resource: Resource, response: Response) -> Failure:
    what = f"listing {resource.plural}: the API server answers HTTP {response.status}"
    if response.status == 410:
        return Temporary(f"{what} in the midst of the list {_ROUNDS} times: it is overloaded", stage=Stage.APPLY)
    return Permanent(what, stage=Stage.APPLY)


def _items(resource: Resource, body: Mapping[str, JSON]) -> Iterator[tuple[str, Mapping[str, JSON]]]:
    items = body.get("items")
    kind = str(body.get("kind") or "").removesuffix("List")
    for item in items if isinstance(items, list) else []:
        if isinstance(item, dict):
            named = metadata(item)
            namespace = named.get("namespace")
            path = resource.path(str(namespace) if namespace else None, str(named.get("name")))
            # Items of a list do not say what they are.
            yield path, {"apiVersion": resource.api_version, "kind": kind, **item}
