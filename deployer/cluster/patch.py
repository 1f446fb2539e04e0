"""One request that changes an object: a server-side apply, for real or as a dry run, or a JSON patch.

https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from deployer.cluster import identity
from deployer.cluster.connection import Connection, Response
from deployer.cluster.target import Target
from deployer.model import FIELD_MANAGER, JSON

_CLOSELY = 4
"""Versions that are tried, where somebody, a controller most likely, writes the object all the time."""
WHOLE = "application/json"
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1, application/json"
"""Enough of an answer to know that the object was taken; parsing all of it would cost more than asking."""


def over(target: Target, version: str) -> Target:
    """The target so that it is taken only by an object of that resourceVersion; empty: by any."""
    if not version:
        return target
    content = target.manifest.content
    bound = {**content, "metadata": {**identity.metadata(content), "resourceVersion": version}}
    return replace(target, manifest=replace(target.manifest, content=bound))


def patch(
    connection: Connection, target: Target, *, force: bool, dry_run: bool = False, accept: str = WHOLE
) -> Response:
    """Apply one object, or have the API server say what it would become.

    Args:
        connection: the cluster.
        target: what and where.
        force: take over fields that another manager owns.
        dry_run: change nothing.
        accept: the form of JSON that is wanted.

    Raises:
        Permanent, Temporary: as `Connection.request`.
    """
    return connection.request(
        "PATCH",
        target.path,
        query={
            "fieldManager": FIELD_MANAGER,
            "force": "true" if force else "false",
            "fieldValidation": "Strict",
            **({"dryRun": "All"} if dry_run else {}),
        },
        body=target.manifest.content,
        content_type="application/apply-patch+yaml",
        accept=accept,
    )


def edit(connection: Connection, target: Target, operations: list[JSON], *, dry_run: bool = False) -> Response:
    """Change an object otherwise than by applying, by the operations of a JSON patch (RFC 6902).

    Raises:
        Permanent, Temporary: as `Connection.request`.
    """
    return connection.request(
        "PATCH",
        target.path,
        query={"fieldManager": FIELD_MANAGER, **({"dryRun": "All"} if dry_run else {})},
        body=operations,
        content_type="application/json-patch+json",
    )


def edited(
    connection: Connection,
    target: Target,
    live: Mapping[str, JSON] | None,
    operations: Callable[[identity.Content], list[JSON]],
    *,
    dry_run: bool = False,
) -> tuple[Mapping[str, JSON], Response] | None:
    """Change an object by what is to be done to its very version, which is read again when somebody wrote it meanwhile.

    A version that is not there any more is answered like an object that would not be a proper one.

    Args:
        connection: the cluster.
        target: where.
        live: the whole object; None when it is not there.
        operations: what is to be done to a state of it, bound to that version.
        dry_run: change nothing.

    Returns:
        The state that was changed, and the answer; None when there is nothing to do, or it is refused.

    Raises:
        Permanent, Temporary: as `Connection.request`.
    """
    for _ in range(_CLOSELY):
        if live is None or not (asked := operations(live)):
            return None
        response = edit(connection, target, asked, dry_run=dry_run)
        if response.status < 300:
            return live, response
        seen = connection.request("GET", target.path)
        if not isinstance(seen.body, dict) or identity.version(seen.body) in ("", identity.version(live)):
            return None
        live = seen.body
    return None
