"""One object into the cluster, by server-side apply, until the API server has really taken it.

https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass

from deployer.cluster import desired, discovery
from deployer.cluster.change import Verdict
from deployer.cluster.connection import Connection, Response
from deployer.cluster.delete import Deleter
from deployer.cluster.discovery import Kind
from deployer.cluster.patch import METADATA, WHOLE, patch
from deployer.cluster.plan import Step
from deployer.cluster.refusal import capped, conflicts, explain, immutable_fields, name_owners
from deployer.cluster.resources import group_path
from deployer.cluster.target import Target
from deployer.model import JSON, Action, ObjectResult

_POLL = 0.1
"""Seconds between two looks at something that takes a moment."""

Need = Kind | str
"""What an object cannot be without: its kind, and its namespace's name."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes objects one at a time; several threads may use it at once."""

    connection: Connection
    force: bool
    """Take over fields that another manager owns."""
    settle: float
    """Seconds for what takes a moment: a definition to be served, an old object to be gone."""
    brought: Set[Need]
    """What the same apply brings along: if an object does not find it, it is not served yet."""
    check: Callable[[], None]
    """Raises when nothing more may be written."""
    deleter: Deleter

    def write(self, step: Step) -> ObjectResult:
        """Apply one object.

        Returns:
            What happened; a refusal with the API server's reason. A takeover of fields names their former owner.

        Raises:
            Permanent, Temporary: as `Connection.request`.
        """
        target = step.target
        deadline = time.monotonic() + self.settle
        response, note = self._settled(target, deadline)
        action = _action(response, step)
        if immutable_fields(response) and desired.asks(target.manifest.content, desired.RECREATE) == "true":
            note = f"{', '.join(immutable_fields(response))} cannot change: deleted and created anew"
            action = Action.RECREATED
            if problem := self.deleter.replace(target.path, settle=self.settle):
                return ObjectResult(target.ref, Action.FAILED, problem)
            response, _ = self._settled(target, time.monotonic() + self.settle)
        if problem := self._problem(target, response, deadline):
            return ObjectResult(target.ref, Action.FAILED, problem)
        return ObjectResult(target.ref, action, note)

    def _problem(self, target: Target, response: Response, deadline: float) -> str:
        """Why the object is not in the cluster as it should be, or nothing."""
        if response.status >= 400:
            return explain(target.manifest, response)
        if _is_going(response):
            return f"still being deleted after {self.settle:g} s: look at what its finalizers wait for"
        if discovery.is_definition(target.ref):
            return capped(self._unestablished(target, response, deadline))
        return ""

    def _settled(self, target: Target, deadline: float) -> tuple[Response, str]:
        """Apply it again as long as the answer is one that only needs time."""
        while True:
            response, note = self._forced(target)
            if time.monotonic() > deadline or not (_is_going(response) or self._is_early(target, response)):
                return response, note
            time.sleep(_POLL)

    def _is_early(self, target: Target, response: Response) -> bool:
        if response.status == 409:
            return not conflicts(response)  # someone else wrote it at the same moment
        return response.status == 404 and not self.brought.isdisjoint(needs(target))

    def _forced(self, target: Target) -> tuple[Response, str]:
        """Not forced at first even when it may be, because only a refusal names those who own the fields."""
        response = self._patch(target, force=False)
        found = conflicts(response)
        if not (found and self.force):
            return response, ""
        return self._patch(target, force=True), capped(f"took over {name_owners(found)}")

    def _patch(self, target: Target, *, force: bool) -> Response:
        self.check()
        accept = WHOLE if discovery.is_definition(target.ref) else METADATA
        return patch(self.connection, target, force=force, accept=accept)

    def _unestablished(self, target: Target, response: Response, deadline: float) -> str:
        """Wait until objects of a CustomResourceDefinition can be written; why they cannot be, or nothing."""
        while problem := _not_in_force(response) or self._unserved(target):
            if _condition(response, "NamesAccepted").get("status") == "False" or time.monotonic() > deadline:
                break
            time.sleep(_POLL)
            response = self.connection.request("GET", target.path)
        return problem

    def _unserved(self, target: Target) -> str:
        for kind in discovery.defined([target.manifest]):
            self.connection.forget(group_path(kind[0]))
            if discovery.served(self.connection, kind) is None:
                return f"the cluster does not serve {kind[0]} {kind[1]} yet; look at the conditions of the definition"
        return ""


def needs(target: Target) -> set[Need]:
    """What must be in the cluster before this object can be."""
    kind = discovery.kind_of(target.ref)
    return {kind, target.ref.namespace} if target.ref.namespace else {kind}


def brings(target: Target) -> set[Need]:
    """What other objects need this one for."""
    if discovery.kind_of(target.ref) == ("v1", "Namespace"):
        return {target.ref.name}
    return set(discovery.defined([target.manifest]))


def _action(response: Response, step: Step) -> Action:
    if response.status == 201:
        return Action.CREATED
    before = _part(dict(step.live), "metadata").get("resourceVersion") if step.live else None
    if step.change.verdict is Verdict.OWN or _part(response.body, "metadata").get("resourceVersion") == before:
        return Action.UNCHANGED
    return Action.UPDATED


def _is_going(response: Response) -> bool:
    """Whether the object is being deleted: then it took the fields, and will be gone nevertheless."""
    return response.status < 400 and bool(_part(response.body, "metadata").get("deletionTimestamp"))


def _not_in_force(response: Response) -> str:
    """What a CustomResourceDefinition's conditions say against it, or nothing.

    https://kubernetes.io/docs/reference/kubernetes-api/extend-resources/custom-resource-definition-v1/
    """
    if _condition(response, "Established").get("status") == "True":
        return ""
    said = [_condition(response, name).get("message") for name in ("NamesAccepted", "Established")]
    return f"not established: {'; '.join(map(str, filter(None, said))) or 'the API server has not said why'}"


def _condition(response: Response, name: str) -> Mapping[str, JSON]:
    conditions = _part(response.body, "status").get("conditions")
    listed = [each for each in conditions if isinstance(each, dict)] if isinstance(conditions, list) else []
    return next((each for each in listed if each.get("type") == name), {})


def _part(body: JSON, name: str) -> dict[str, JSON]:
    part = body.get(name) if isinstance(body, dict) else None
    return part if isinstance(part, dict) else {}
