"""One server-side apply request, for real or as a dry run.

https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

from __future__ import annotations

from deployer.cluster.connection import Connection, Response
from deployer.cluster.target import Target
from deployer.model import FIELD_MANAGER

WHOLE = "application/json"
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1, application/json"
"""Enough of an answer to know that the object was taken; parsing all of it would cost more than asking."""


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
