"""One object into the cluster, by server-side apply, until the API server has really taken it.

https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Set
from dataclasses import dataclass
from itertools import count

from deployer.cluster import desired, discovery, identity
from deployer.cluster.change import Verdict
from deployer.cluster.connection import Connection, Response
from deployer.cluster.delete import Deleter
from deployer.cluster.discovery import Kind
from deployer.cluster.patch import METADATA, WHOLE, edit, edited, over, patch
from deployer.cluster.refusal import INVALID, capped, conflicts, explain, immutable_fields, name_owners, said
from deployer.cluster.resources import group_path
from deployer.cluster.steps import Step
from deployer.cluster.strays import disowning, removal
from deployer.cluster.target import Target
from deployer.model import JSON, Action, ObjectRef, ObjectResult

_CLOSELY = 3
"""Tries after which the version does not count any more: somebody, a controller most likely, writes it all the time."""

_CONFLICT = 409
_POLL = 0.1
"""Seconds between two looks at something that takes a moment."""

_Live = Mapping[str, JSON] | None
"""An object as it is in the cluster; None when it is not there, or not known."""

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
    deleter: Deleter
    named: dict[str, ObjectRef]
    """The objects of git by their UID, as far as these are known; grows with each answer."""

    def write(self, step: Step) -> ObjectResult:
        """Apply one object.

        Returns:
            What happened; a refusal with the API server's reason. A takeover of fields names their former owner.

        Raises:
            Permanent, Temporary: as `Connection.request`.
        """
        target = step.target
        deadline = time.monotonic() + self.settle
        live, removed = self._cleared(step)
        response, note = self._settled(step, deadline, live)
        if response.status == INVALID and (made := self._exchanged(step)) is not None:
            live, removed = made, "took away what excluded git's fields"
            response, note = self._settled(step, deadline, live)
        if disowning(response.body):
            self._disown(target)
        action = _action(response, step)
        fixed = ", ".join(immutable_fields(response))
        if fixed and desired.asks(target.manifest.content, desired.RECREATE) == "true":
            note = f"{fixed} cannot change: deleted and created anew"
            action = Action.RECREATED
            if problem := self.deleter.replace(target.ref, target.path, settle=self.settle):
                return ObjectResult(target.ref, Action.FAILED, f"{fixed} cannot change; {problem}")
            response, _ = self._settled(step, time.monotonic() + self.settle, None)
        if problem := self._problem(target, response, deadline):
            return ObjectResult(target.ref, Action.FAILED, problem)
        return ObjectResult(target.ref, action, "; ".join(filter(None, (removed, note))))

    def _cleared(self, step: Step) -> tuple[_Live, str]:
        """Take away what strayed into the object's lists; what it is then, and what was taken away.

        It is looked for anew in each version, so that nothing else than that is ever removed. Where somebody writes the
        object all the time, it stays until the next deployment.
        """
        live: _Live = step.live
        note = ""
        for _ in range(_CLOSELY):
            if not (found := step.strays(live)):
                return live, ""
            named = ", ".join(map(str, found))
            response = edit(self.connection, step.target, removal(identity.version(live), found))
            if response.status < 300:
                return _object(response), capped(f"removed {named}")
            note = capped(f"{named} could not be removed: {said(response)}")
            before, live = live, _object(self.connection.request("GET", step.target.path))
            refused = response.status == INVALID and identity.version(before) == identity.version(live)
            if refused and (made := self._exchanged(step)) is not None:
                return made, capped(f"replaced {named}")
        return live, note

    def _exchanged(self, step: Step) -> _Live:
        """Put what git wants in the place of what is in its way; what the object is then, None if that is refused."""
        live = _object(self.connection.request("GET", step.target.path))
        made = edited(self.connection, step.target, live, step.exchange)
        return _object(made[1]) if made else None

    def _disown(self, target: Target) -> None:
        """Be on record for what was exchanged by applying it alone, so that it goes when git drops it."""
        live = _object(self.connection.request("GET", target.path))
        edited(self.connection, target, live, disowning)

    def _problem(self, target: Target, response: Response, deadline: float) -> str:
        """Why the object is not in the cluster as it should be, or nothing."""
        if response.status >= 400:
            return explain(target.manifest, response)
        if _is_going(response):
            return f"still being deleted after {self.settle:g} s: look at what its finalizers wait for"
        if twin := self._twin(target, response):
            return f"is the same object as {twin} of {twin.api_version}: keep one of them in the overlay"
        if discovery.is_definition(target.ref):
            return capped(self._unestablished(target, response, deadline))
        return ""

    def _twin(self, target: Target, response: Response) -> ObjectRef | None:
        """Another object of git that turns out to be this very one."""
        uid = identity.uid(response.body)
        found = self.named.setdefault(uid, target.ref) if uid else target.ref
        return found if found != target.ref else None

    def _settled(self, step: Step, deadline: float, live: _Live) -> tuple[Response, str]:
        """Apply it again as long as the answer is one that only needs time.

        It is applied over the version that was seen, so that a request which is on its way when this worker's time
        ends finds its way barred by whatever a newer one wrote.
        """
        target, version = step.over(live), identity.version(live)
        for attempt in count(1):
            response, note = self._forced(target, version)
            if time.monotonic() > deadline or not (_is_going(response) or self._is_early(target, response)):
                break
            time.sleep(_POLL)
            if version:
                seen = _object(self.connection.request("GET", target.path))
                target, version = step.over(seen), identity.version(seen) if attempt < _CLOSELY else ""
        return response, note

    def _is_early(self, target: Target, response: Response) -> bool:
        if response.status == _CONFLICT:
            return not conflicts(response)  # someone else wrote it at the same moment
        return response.status == 404 and not self.brought.isdisjoint(needs(target))

    def _forced(self, target: Target, version: str) -> tuple[Response, str]:
        """Not forced at first even when it may be, because only a refusal names those who own the fields."""
        response = self._patch(target, version, force=False)
        found = conflicts(response)
        if not (found and self.force):
            return response, ""
        return self._patch(target, version, force=True), capped(f"took over {name_owners(found)}")

    def _patch(self, target: Target, version: str, *, force: bool) -> Response:
        accept = WHOLE if discovery.is_definition(target.ref) else METADATA
        return patch(self.connection, over(target, version), force=force, accept=accept)

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
    if step.change.verdict is Verdict.OWN or identity.version(response.body) == identity.version(step.live):
        return Action.UNCHANGED
    return Action.UPDATED


def _object(response: Response) -> _Live:
    return response.body if response.status < 300 and isinstance(response.body, dict) else None


def _is_going(response: Response) -> bool:
    """Whether the object is being deleted: then it took the fields, and will be gone nevertheless."""
    return response.status < 400 and identity.is_going(response.body)


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
