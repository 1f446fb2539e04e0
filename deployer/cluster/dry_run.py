"""What the API server says would become of one object. Nothing is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Protocol

from deployer.cluster import desired, identity
from deployer.cluster.change import Change, Verdict
from deployer.cluster.connection import Connection, Response
from deployer.cluster.disguise import KEPT_BY_SERVER, LAST_APPLIED, shown, shown_pair
from deployer.cluster.equality import same
from deployer.cluster.fields import changed
from deployer.cluster.patch import edited, over, patch
from deployer.cluster.refusal import INVALID, conflicts, explain, immutable_fields, name_owners, rejects_dry_run
from deployer.cluster.target import Target
from deployer.model import FIELD_MANAGER, JSON

Object = Mapping[str, JSON]

_CLOSELY = 4
"""The try at which the version does not count any more: somebody, a controller most likely, writes it all the time."""


class Held(Protocol):
    """What is done to an object beside applying git's manifest."""

    def over(self, live: Object, /) -> Target:
        """What to apply over another state of it."""

    def cleared(self, live: Object, /) -> Object:
        """A state of it without what will be taken away."""

    def exchange(self, live: identity.Content, /) -> list[JSON]:
        """What to do to a state of it, over which what git wants is refused."""


@dataclass(frozen=True, slots=True)
class DryRun:
    """Asks about one object at a time; several threads may use it at once."""

    connection: Connection
    force: bool
    """Fields that another manager owns would be taken over."""

    def of_absent(self, target: Target) -> Change:
        """What an object needs that is not in the set: it may be in the cluster nevertheless."""
        response = self.connection.request("GET", target.path)
        if response.status != 200 or not isinstance(response.body, dict):
            return self._created(target)
        if desired.asks(target.manifest.content, desired.APPLY) == desired.IF_ABSENT:
            note = "there already without our label, and to be applied only if absent: left alone"
            return Change(target.ref, Verdict.KEEP, note=note)
        return replace(self.of(target, response.body), foreign=True)

    def of(
        self,
        target: Target,
        live: Object,
        held: Held | None = None,
    ) -> Change:
        """What an object needs whose live state is `live`.

        It is compared with the very version that the API server answers about, which is read again when somebody wrote
        the object meanwhile: what they changed is no difference from git.

        Args:
            target: what git wants of it.
            live: the whole object.
            held: what is done beside applying. None: nothing.
        """
        for attempt in count(1):
            response, note = self._asked(over(target, identity.version(live) if attempt < _CLOSELY else ""))
            if response.status != 409 or conflicts(response) or attempt == _CLOSELY:
                break
            seen = self.connection.request("GET", target.path)
            if seen.status != 200 or not isinstance(seen.body, dict):
                break
            live = seen.body
            target = held.over(live) if held else target
        if response.status == INVALID and held is not None:
            made = edited(self.connection, target, live, held.exchange, dry_run=True)
            live, response = made or (live, response)
        if response.status >= 400 or not isinstance(response.body, dict):
            return self._refused(target, live, response)
        return difference(target, live, held.cleared(response.body) if held else response.body, note)

    def _asked(self, target: Target) -> tuple[Response, str]:
        response = patch(self.connection, target, force=False, dry_run=True)
        found = conflicts(response)
        if not (found and self.force):
            return response, ""
        return patch(self.connection, target, force=True, dry_run=True), f"takes over {name_owners(found)}"

    def _created(self, target: Target) -> Change:
        response = patch(self.connection, target, force=self.force, dry_run=True)
        if response.status < 300 and isinstance(response.body, dict):
            return Change(target.ref, Verdict.CREATE, after=shown(response.body))
        if response.status == 404 or rejects_dry_run(response):  # what it needs may come with it
            return Change(target.ref, Verdict.CREATE, after=shown(target.manifest.content))
        return Change(target.ref, Verdict.REFUSE, note=explain(target.manifest, response))

    def _refused(self, target: Target, live: Mapping[str, JSON], response: Response) -> Change:
        if response.status == 404:
            return Change(target.ref, Verdict.CREATE)  # it went meanwhile
        if rejects_dry_run(response):
            note = "an admission webhook allows no dry run, so what will change is not known"
            return Change(target.ref, Verdict.UPDATE, note=note)
        fixed = immutable_fields(response)
        if fixed and desired.asks(target.manifest.content, desired.RECREATE) == "true":
            before, after = shown_pair(live, target.manifest.content)
            note = f"{', '.join(fixed)} cannot change"
            return Change(target.ref, Verdict.RECREATE, (), note, before, after)
        barred = response.status != INVALID
        return Change(target.ref, Verdict.REFUSE, note=explain(target.manifest, response), barred=barred)


def difference(target: Target, live: Mapping[str, JSON], after: Mapping[str, JSON], note: str = "") -> Change:
    """Between what is there and what would be, in all that an apply can write: what is shown leaves some of it out."""
    old, new = (_written(content, has_status=target.resource.has_status) for content in (live, after))
    if same(old, new):
        recorded = same(_record(live), _record(after))
        return Change(target.ref, Verdict.UNCHANGED if recorded else Verdict.OWN)
    fields = changed(live, after)
    notes = [note] if note else []
    if not fields:
        notes.append(f"the difference is in {_unshown(old, new)}, which is not shown")
    return Change(target.ref, Verdict.UPDATE, fields, "; ".join(notes), *shown_pair(live, after))


def _written(content: Mapping[str, JSON], *, has_status: bool) -> dict[str, JSON]:
    """What of an object an apply can write. Items of lists lack apiVersion and kind, which no apply changes."""
    aside = {"apiVersion", "kind", "metadata", *(["status"] if has_status else [])}
    metadata = _mapping(content.get("metadata"))
    return {
        **{key: value for key, value in content.items() if key not in aside},
        "metadata": {key: value for key, value in metadata.items() if key not in KEPT_BY_SERVER},
    }


def _unshown(old: Mapping[str, JSON], new: Mapping[str, JSON]) -> str:
    """Where two states differ that look the same to people."""
    if not same(old.get("status"), new.get("status")):
        return "its status"
    before, after = (_mapping(_mapping(state.get("metadata")).get("annotations")) for state in (old, new))
    same_quote = same(before.get(LAST_APPLIED), after.get(LAST_APPLIED))
    return "a field that is null" if same_quote else f"its annotation {LAST_APPLIED}"


def _record(content: Mapping[str, JSON]) -> list[JSON]:
    """What the cluster has on record about our fields; without the time, which a dry run sets anew."""
    entries = _mapping(content.get("metadata")).get("managedFields")
    return [
        {name: value for name, value in entry.items() if name != "time"}
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict) and entry.get("manager") == FIELD_MANAGER
    ]


def _mapping(value: JSON) -> Mapping[str, JSON]:
    return value if isinstance(value, dict) else {}
