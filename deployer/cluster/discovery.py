"""Which resource a kind is: asked of the cluster, or read from a CustomResourceDefinition that is about to be applied.

Only the groups that an overlay uses are asked for, and each once in a connection's life.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from deployer.cluster.connection import Connection
from deployer.cluster.resources import Resource, group_path
from deployer.model import JSON, Manifest, ObjectRef, Permanent, Stage, Temporary

Kind = tuple[str, str]
"""apiVersion and kind."""


class UnknownKind(Permanent):
    """The cluster has no such kind. Concerns the objects of that kind only."""


def kind_of(ref: ObjectRef) -> Kind:
    """What is looked up for an object."""
    return ref.api_version, ref.kind


def defined(manifests: Iterable[Manifest]) -> dict[Kind, Resource]:
    """The resources that the CustomResourceDefinitions among the manifests define.

    A definition that is not well-formed defines nothing here; what is wrong with it, the API server says.

    Raises:
        Permanent: one has a name in it that would escape its place in a path.
    """
    return {
        kind: resource for manifest in manifests if is_definition(manifest.ref) for kind, resource in _read(manifest)
    }


def is_definition(ref: ObjectRef) -> bool:
    """Whether an object is a CustomResourceDefinition."""
    return ref.kind == "CustomResourceDefinition" and ref.api_version.startswith("apiextensions.k8s.io/")


def find(connection: Connection, kind: Kind) -> Resource:
    """The resource that the cluster keeps a kind in. A cluster that did not know the kind before is asked again.

    Raises:
        UnknownKind: the cluster does not serve it; the message says what it serves instead, or what is missing.
        Permanent, Temporary: as `Connection.request`.
    """
    api_version, name = kind
    path = group_path(api_version)
    resource = served(connection, kind)
    if resource is None:
        connection.forget(path)
        resource = served(connection, kind)
    if resource is None:
        raise UnknownKind(_unknown(connection, api_version, name), stage=Stage.APPLY)
    return resource


def served(connection: Connection, kind: Kind) -> Resource | None:
    """As `find`, from what is known of the group; None when the kind is not in it."""
    api_version, name = kind
    entries = _entries(connection, api_version)
    for entry in entries:
        plural = entry.get("name")
        if entry.get("kind") == name and isinstance(plural, str) and "/" not in plural:
            has_status = any(other.get("name") == f"{plural}/status" for other in entries)
            return Resource(api_version, plural, namespaced=entry.get("namespaced") is True, has_status=has_status)
    return None


def find_preferred(connection: Connection, group: str, kind: str) -> Resource | None:
    """The resource that the cluster keeps a kind of a group in, whatever the version; None when it has none.

    Raises:
        Permanent: asking is not allowed, so that it is not known; or as `Connection.request`.
        Temporary: the API server fails; or as `Connection.request`.
    """
    if group:
        _require_answer(connection, f"/apis/{group}")
    for api_version in _versions(connection, group) if group else ["v1"]:
        _require_answer(connection, group_path(api_version))
        if resource := served(connection, (api_version, kind)):
            return resource
    return None


def _require_answer(connection: Connection, path: str) -> None:
    """Make sure that what is not known of a group is not there: only a 404 says so."""
    status = connection.recall(path).status
    if status in (200, 404):
        return
    connection.forget(path)
    what = f"asking for the kinds in {path}: the API server answers HTTP {status}"
    if status == 403:
        raise Permanent(f"{what}; give the credentials the ClusterRole system:discovery", stage=Stage.APPLY)
    raise Temporary(what, stage=Stage.APPLY)


def _entries(connection: Connection, api_version: str) -> list[Mapping[str, JSON]]:
    body = connection.recall(group_path(api_version)).body
    entries = body.get("resources") if isinstance(body, dict) else None
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _unknown(connection: Connection, api_version: str, name: str) -> str:
    kinds = {str(entry.get("kind")) for entry in _entries(connection, api_version)}
    if kinds:
        near = get_close_matches(name, kinds, n=1)
        remedy = f"did you mean {near[0]}?" if near else "is its CustomResourceDefinition missing, or kind misspelt?"
        return f"the cluster knows {api_version} but no kind {name} in it; {remedy}"
    versions = _versions(connection, api_version.rpartition("/")[0])
    remedy = f"it has {', '.join(versions)}" if versions else (
        "is its CustomResourceDefinition missing, or apiVersion misspelt?"
    )  # fmt: skip
    return f"the cluster does not know {api_version} (kind {name}); {remedy}"


def _versions(connection: Connection, group: str) -> list[str]:
    """The versions of a group as the cluster serves them, the preferred one first."""
    body = connection.recall(f"/apis/{group}").body if group else None
    versions = body.get("versions") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(versions, list):
        return []
    ordered = [body.get("preferredVersion"), *versions]
    return list(dict.fromkeys(str(version.get("groupVersion")) for version in ordered if isinstance(version, dict)))


def _read(manifest: Manifest) -> Iterable[tuple[Kind, Resource]]:
    spec = manifest.content.get("spec")
    if not isinstance(spec, dict):
        return
    group, names, versions = spec.get("group"), spec.get("names"), spec.get("versions")
    if not (isinstance(group, str) and isinstance(names, dict) and isinstance(versions, list)):
        return
    plural, kind = names.get("plural"), names.get("kind")
    if not (isinstance(plural, str) and isinstance(kind, str)):
        return
    for version in versions:
        if isinstance(version, dict) and version.get("served") is True and isinstance(version.get("name"), str):
            api_version = f"{group}/{version['name']}"
            subresources = version.get("subresources") or spec.get("subresources")
            resource = Resource(
                api_version,
                plural,
                namespaced=spec.get("scope") == "Namespaced",
                has_status=isinstance(subresources, dict) and "status" in subresources,
            )
            resource.path(None)
            yield (api_version, kind), resource
