"""Deletes one object, and only the one that was looked at.

https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-deletion
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from deployer.cluster.connection import Connection, Response
from deployer.cluster.refusal import capped, said
from deployer.model import JSON, PART_OF, Action, ObjectRef, ObjectResult

_TRIES = 5
"""A controller may write the object between our look and our delete, but not for ever."""

_POLL = 0.1
"""Seconds between two looks whether it is gone."""


@dataclass(frozen=True, slots=True)
class Deleter:
    """Deletes objects one at a time; several threads may use it at once."""

    connection: Connection
    applyset: str
    """The set that an object must belong to at the moment of its deletion."""
    check: Callable[[], None]
    """Raises when nothing more may be written."""

    def delete(self, ref: ObjectRef, path: str, content: Mapping[str, JSON]) -> ObjectResult:
        """Delete the object at `path` whose state was `content`.

        Returns:
            DELETED; KEPT when it is another one or another set's by now; FAILED with the API server's reason.

        Raises:
            Permanent, Temporary: as `Connection.request`.
        """
        uid, version = _identity(content)
        for _ in range(_TRIES):
            response = self._send(path, uid, version)
            if response.status != 409:
                break
            now = self.connection.request("GET", path)
            found, version = _identity(now.body)
            if now.status == 200 and found == uid and _label(now.body) != self.applyset:
                return ObjectResult(ref, Action.KEPT, "left git; belongs to another set by now")
            if now.status == 404 or found != uid:
                return ObjectResult(ref, Action.DELETED)  # another one of its name is not the one that left git
        if response.status >= 400 and response.status != 404:
            return ObjectResult(ref, Action.FAILED, capped(f"cannot be deleted: {said(response)}"))
        return ObjectResult(ref, Action.DELETED)

    def replace(self, path: str, *, settle: float) -> str:
        """Delete the object at `path` and wait until it is gone; why it is not gone, or nothing.

        Args:
            path: of an object that git wants to be created anew.
            settle: seconds that its finalizers may take.

        Raises:
            Permanent, Temporary: as `Connection.request`.
        """
        there = self.connection.request("GET", path)
        if there.status == 404:
            return ""
        uid, _ = _identity(there.body)
        response = self._send(path, uid, None)
        if response.status >= 400 and response.status != 404:
            return capped(f"cannot be deleted to be created anew: {said(response)}")
        deadline = time.monotonic() + settle
        while self._is_there(path, uid):
            if time.monotonic() > deadline:
                return f"deleted to be created anew, but still there after {settle:g} s: look at its finalizers"
            time.sleep(_POLL)
        return ""

    def _is_there(self, path: str, uid: str) -> bool:
        response = self.connection.request("GET", path)
        return response.status == 200 and _identity(response.body)[0] == uid

    def _send(self, path: str, uid: str, version: str | None) -> Response:
        self.check()
        preconditions: dict[str, JSON] = {"uid": uid}
        if version:
            preconditions["resourceVersion"] = version
        body: JSON = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": preconditions,
            "propagationPolicy": "Background",
        }
        return self.connection.request("DELETE", path, body=body)


def _identity(content: JSON | Mapping[str, JSON]) -> tuple[str, str]:
    metadata = content.get("metadata") if isinstance(content, Mapping) else None
    found = metadata if isinstance(metadata, dict) else {}
    return str(found.get("uid", "")), str(found.get("resourceVersion", ""))


def _label(content: JSON) -> JSON:
    metadata = content.get("metadata") if isinstance(content, dict) else None
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    return labels.get(PART_OF) if isinstance(labels, dict) else None
