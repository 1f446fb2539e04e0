"""What follows from a look for drift: nothing, a report, a revert, or an end to reverting because somebody fights back.

Pure: what was seen and what is remembered in, what to do and what to remember out. Asks no clock and no cluster.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from deployer.model import Deployment, Drift, DriftKind, ObjectDrift, Trigger

COOL_DOWN = timedelta(seconds=60)
"""From one revert of an environment to the next."""
MOST_REVERTS = 3
"""Of one field within `WINDOW`; then somebody fights for it, and to go on would only make both sides write for ever."""
MOST_TOGETHER = 10
"""So many in an hour, whatever they were of: who makes something new each time is fighting, too."""
WINDOW = timedelta(hours=1)
CALM = timedelta(minutes=15)
"""A field that was as git wants it for so long is held again."""


class DriftState(StrEnum):
    """What is known of an environment's drift."""

    IN_SYNC = "in_sync"
    DRIFTED = "drifted"
    UNKNOWN = "unknown"
    """It could not be looked for; that is no drift."""
    UNCHECKED = "unchecked"
    """It was not looked for since the environment runs what it runs."""


class Step(StrEnum):
    """What follows from a look."""

    NOTHING = "nothing"
    REPORT = "report"
    REVERT = "revert"
    COOL = "cool"
    """It was reverted a moment ago; it is looked at again when the time is up."""
    STOP = "stop"
    """All that differs was put back too often: it is only reported from now on."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered of the reverts of an environment. Fields are named as `marks` names them."""

    since: str | None = None
    """The deployment by which git or a person last said what is wanted. Another one begins a new memory."""
    reverts: Mapping[str, tuple[datetime, ...]] = field(default_factory=dict)
    """When each field was put back within the last hour."""
    stopped: Mapping[str, datetime] = field(default_factory=dict)
    """The fields that are not put back any more, and when each was last seen to differ."""
    last: datetime | None = None
    """The last revert of all."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, and what to remember."""

    step: Step
    memory: Memory
    again: datetime | None = None
    """When to look again at the latest, if that is not left to the interval."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The last look at an environment."""

    state: DriftState = DriftState.UNCHECKED
    commit: str | None = None
    """That it was compared with."""
    checked_at: datetime | None = None
    objects: tuple[ObjectDrift, ...] = ()
    reason: str = ""
    """Why the state is not known."""
    step: Step = Step.NOTHING
    again: datetime | None = None
    memory: Memory = field(default_factory=Memory)

    def of(self, deployed: str | None) -> Checked:
        """What it still says when the environment runs `deployed` by now."""
        return self if deployed is not None and self.commit == deployed else Checked(memory=self.memory)


def decide(
    found: Sequence[ObjectDrift], *, policy: Drift, memory: Memory, since: str | None, now: datetime
) -> Decision:
    """What follows from what was found.

    Args:
        found: what differs from git.
        policy: the environment's.
        memory: what is remembered.
        since: the deployment by which git or a person last said what is wanted.
        now: the time.
    """
    seen = tuple(marks(found))
    kept = _aged(memory if memory.since == since else Memory(since), seen, now)
    if not found:
        return Decision(Step.NOTHING, kept)
    if policy is not Drift.REVERT:
        return Decision(Step.REPORT, kept)
    kept = replace(kept, stopped={**kept.stopped, **{mark: now for mark in seen if _fought(kept, mark)}})
    open_to_revert = [mark for mark in seen if mark not in kept.stopped]
    if not open_to_revert:
        return Decision(Step.STOP, kept)
    if kept.last is not None and now < (again := kept.last + COOL_DOWN):
        return Decision(Step.COOL, kept, again)
    reverts = {**kept.reverts, **{mark: (*kept.reverts.get(mark, ()), now) for mark in open_to_revert}}
    return Decision(Step.REVERT, replace(kept, reverts=reverts, last=now))


def marks(found: Iterable[ObjectDrift]) -> Iterator[str]:
    """A name for each thing that differs, the same at each look, without its values."""
    for drift in found:
        if drift.kind is DriftKind.CHANGED and drift.fields:
            yield from (f"{drift.ref} {each.path}" for each in drift.fields)
        else:
            yield f"{drift.ref} {drift.kind}"


def fighters(found: Iterable[ObjectDrift], memory: Memory) -> tuple[str, ...]:
    """The field managers on record for what is not put back any more, sorted."""
    names = set()
    for drift in found:
        authors = [(f"{drift.ref} {each.path}", each.author) for each in drift.fields]
        for mark, author in (*authors, (f"{drift.ref} {drift.kind}", drift.author)):
            if mark in memory.stopped and author is not None:
                names.add(author.manager)
    return tuple(sorted(names))


def outdated(deployment: Deployment, *, deployed: str | None) -> str | None:
    """Why what drifted is not to be put back any more: the environment runs something else by now."""
    if deployment.trigger is not Trigger.DRIFT or deployed == deployment.commit:
        return None
    return f"the environment runs {(deployed or 'nothing')[:12]} by now"


def _fought(memory: Memory, mark: str) -> bool:
    together = {at for times in memory.reverts.values() for at in times}
    often = len(memory.reverts.get(mark, ())) >= MOST_REVERTS or len(together) >= MOST_TOGETHER
    return often or mark in memory.stopped


def _aged(memory: Memory, seen: Sequence[str], now: datetime) -> Memory:
    """Without what was long ago: a stopped field is forgotten with its reverts, once it was calm for long enough."""
    calm = {mark for mark, last in memory.stopped.items() if mark not in seen and now - last >= CALM}
    recent = {
        mark: tuple(at for at in times if now - at < WINDOW)
        for mark, times in memory.reverts.items()
        if mark not in calm
    }
    stopped = {mark: now if mark in seen else last for mark, last in memory.stopped.items() if mark not in calm}
    return replace(memory, reverts={mark: times for mark, times in recent.items() if times}, stopped=stopped)
