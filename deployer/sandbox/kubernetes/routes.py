"""URLs read as what they are about. Nothing is looked up in the store here.

https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from deployer.sandbox.kubernetes.errors import no_such_resource
from deployer.sandbox.kubernetes.resources import Registry
from deployer.sandbox.kubernetes.target import Target

_ON_NAMESPACE = frozenset(("status", "finalize"))


@dataclass(frozen=True, slots=True)
class Location:
    """A URL taken apart: the decoded segments of its path, and its query (the last of repeated names)."""

    segments: tuple[str, ...]
    query: dict[str, str]


def locate(url: str) -> Location:
    """Take a request's URL apart. Segments are decoded one by one, so that `%2F` separates nothing."""
    split = urlsplit(url)
    segments = tuple(unquote(part) for part in split.path.split("/") if part)
    return Location(segments, dict(parse_qsl(split.query, keep_blank_values=True)))


def is_resource(location: Location) -> bool:
    """Whether the URL is about objects rather than a document."""
    root, rest = location.segments[:1], location.segments[1:]
    return (root == ("api",) and len(rest) > 1) or (root == ("apis",) and len(rest) > 2)


def target_of(location: Location, registry: Registry) -> Target:
    """What a URL below /api/v1 or /apis/<group>/<version> is about.

    Raises:
        ApiError: 404, there is no such resource.
    """
    group, rest = ("", location.segments[1:]) if location.segments[0] == "api" else _grouped(location)
    version, path = rest[0], rest[1:]
    namespace = ""
    if path[0] == "namespaces" and len(path) > 2 and not (group == "" and len(path) == 3 and path[2] in _ON_NAMESPACE):
        namespace, path = path[1], path[2:]
    resource = registry.find(group, version, path[0])
    if resource is None or len(path) > 3 or (namespace and not resource.namespaced):
        raise no_such_resource()
    name, subresource = (*path[1:], "", "")[:2]
    if (subresource and subresource not in resource.subresources) or (
        name and resource.namespaced and not namespace
    ):  # fmt: skip
        raise no_such_resource()
    return Target(resource, namespace, name, subresource)


def _grouped(location: Location) -> tuple[str, tuple[str, ...]]:
    return location.segments[1], location.segments[2:]
