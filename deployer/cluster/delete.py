"""Deletes one object, and only the one that was looked at.

https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-deletion
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from deployer.cluster import identity
from deployer.cluster.applyset import Scope
from deployer.cluster.connection import Connection, Response
from deployer.cluster.prune import not_recreated
from deployer.cluster.refusal import capped, objection
from deployer.model import JSON, Action, ObjectRef, ObjectResult

_TRIES = 5
"""A controller may write the object between our look and our delete, but not for ever."""

_CLOSELY = 3
"""Tries after which whoever writes the object all the time is left to it: the label was ours a moment ago."""

_POLL = 0.1
"""Seconds between two looks whether it is gone."""


@dataclass(frozen=True, slots=True)
class Deleter:
    """Deletes objects one at a time; several threads may use it at once."""

    connection: Connection
    scope: Scope
    """Of the set that an object must belong to at the moment of its deletion."""

    def delete(self, ref: ObjectRef, path: str, content: Mapping[str, JSON]) -> ObjectResult:
        """Delete the object at `path` whose state was `content`.

        Returns:
            DELETED when it is surely gone, or on its way out; KEPT when it is another set's by now; FAILED with the
            API server's reason.

        Raises:
            Permanent, Temporary: as `Connection.request`.
        """
        action, why = self._removed(ref, path, content)
        words = {Action.KEPT: f"left git; {why}", Action.FAILED: f"cannot be deleted: {why}"}
        return ObjectResult(ref, action, capped(words.get(action, "")))

    def replace(self, ref: ObjectRef, path: str, *, settle: float) -> str:
        """Delete the object at `path` and wait until it is gone; why it is not gone, or nothing.

        Args:
            ref: what git wants to be created anew.
            path: where that is.
            settle: seconds that its finalizers may take.

        Raises:
            Permanent, Temporary: as `Connection.request`.
        """
        there = self.connection.request("GET", path)
        if there.status == 404:
            return ""
        if there.status != 200:
            return capped(f"cannot be looked at to be created anew: {objection(ref, there)}")
        if why := not_recreated(ref, there.body, applyset=self.scope.id, policy=self.scope.prune):
            return why
        action, why = self._removed(ref, path, there.body)
        if action is not Action.DELETED:
            return capped(f"cannot be deleted to be created anew: {why}")
        deadline = time.monotonic() + settle
        while not _is_gone(self.connection.request("GET", path), identity.uid(there.body)):
            if time.monotonic() > deadline:
                return f"deleted to be created anew, but still there after {settle:g} s: look at its finalizers"
            time.sleep(_POLL)
        return ""

    def _removed(self, ref: ObjectRef, path: str, content: identity.Content) -> tuple[Action, str]:
        """DELETED, KEPT or FAILED, and why it is not gone."""
        uid = identity.uid(content)
        for attempt in range(_TRIES):
            if identity.applyset(content) != self.scope.id:
                return Action.KEPT, "not in this set any more: its label was changed or taken off"
            version = identity.version(content) if attempt < _CLOSELY else None
            response = self._send(path, uid, version)
            if response.status < 300 or response.status == 404:
                return Action.DELETED, ""
            if response.status != 409:
                return Action.FAILED, objection(ref, response)
            now = self.connection.request("GET", path)
            if _is_gone(now, uid):
                return self._replaced(now)
            if now.status != 200 or not identity.uid(now.body):
                why = "somebody wrote it meanwhile, and it cannot be looked at again"
                return Action.FAILED, f"{why}: {objection(ref, now)}"
            content = now.body
        return Action.FAILED, f"somebody writes it all the time: {objection(ref, response)}"

    def _replaced(self, now: Response) -> tuple[Action, str]:
        """Another one of its name is not the one that left git; but with our label it is one to be found again."""
        if identity.applyset(now.body) == self.scope.id:
            return Action.KEPT, "somebody made another one of its name, with the label of this set, meanwhile"
        return Action.DELETED, ""

    def _send(self, path: str, uid: str, version: str | None) -> Response:
        preconditions: dict[str, JSON] = {"uid": uid}
        if version is not None:
            preconditions["resourceVersion"] = version
        body: JSON = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": preconditions,
            "propagationPolicy": "Background",
        }
        return self.connection.request("DELETE", path, body=body)


def _is_gone(response: Response, uid: str) -> bool:
    """Whether an answer proves that the object with that UID is not there; a refusal to show it proves nothing."""
    return response.status == 404 or (response.status == 200 and identity.uid(response.body) not in ("", uid))
