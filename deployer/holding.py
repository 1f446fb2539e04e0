"""What follows from a look for drift: nothing, a report, a revert, or an end to reverting because somebody fights back.

Pure: what was seen and what is remembered in, what to do and what to remember out. Asks no clock and no cluster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from deployer.model import Author, Drift, ObjectDrift, ObjectRef
from deployer.reverts import COOL_DOWN, Memory, Refusal, among, marks

MOST_REVERTS = 3
"""Of one field within `WINDOW`; then somebody fights for it, and to go on would only make both sides write for ever."""
MOST_TOGETHER = 10
"""So many in an hour, whatever they were of: who makes something new each time is fighting, too."""
WINDOW = timedelta(hours=1)
CALM = timedelta(minutes=15)
"""A field that was as git wants it for so long is held again."""
BLIND = 3
"""So many intervals without a look that could tell are worth a word: a cluster that is restarted is not."""


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
    """It was reverted a moment ago, or in vain; it is looked at again when the time is up."""
    FAIL = "fail"
    """Putting it back failed; it is tried again when a while is up."""
    STOP = "stop"
    """All that differs was put back too often: it is only reported from now on."""
    BLIND = "blind"
    """It could not be looked for so long that the commit says so."""


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
    since: datetime | None = None
    """When the state was first seen to be this one, without another in between."""
    step: Step = Step.NOTHING
    again: datetime | None = None
    memory: Memory = field(default_factory=Memory)

    def begun(self, state: DriftState, *, now: datetime) -> datetime:
        """Since when a state that is seen now has been the state."""
        return self.since if self.state is state and self.since is not None else now

    def newer_than(self, at: datetime) -> bool:
        """Whether the look is of that time or later."""
        return self.checked_at is not None and self.checked_at >= at

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
    held = [mark for mark in seen if mark not in kept.stopped]
    waits = [kept.refused[mark].again for mark in held if mark in kept.refused and now < kept.refused[mark].again]
    if not held:
        return Decision(Step.STOP, kept)
    if len(waits) == len(held):
        has_failed = all(kept.refused[mark].reason for mark in held)
        return Decision(Step.FAIL if has_failed else Step.COOL, kept, min(waits))
    if kept.last is not None and now < (again := kept.last + COOL_DOWN):
        return Decision(Step.COOL, kept, again)
    return Decision(Step.REVERT, replace(kept, last=now))


def retold(found: Sequence[ObjectDrift], before: Checked) -> tuple[ObjectDrift, ...]:
    """What was found, with the times that were told of it already.

    A field manager has one time for all of its fields, so it also changes by what the manager writes elsewhere. What
    differs as it did at the last look was not written since, unless it was to be put back meanwhile.
    """
    if before.step is Step.REVERT:
        return tuple(found)
    known = {(drift.ref, drift.kind): drift for drift in before.objects}
    return tuple(_retold(drift, known.get((drift.ref, drift.kind))) for drift in found)


def refusal(checked: Checked) -> Refusal | None:
    """Why what differs is not put back although it is held, if that was tried and failed for all of it."""
    if checked.step not in (Step.REVERT, Step.COOL, Step.FAIL):
        return None
    held = [mark for mark in marks(checked.objects) if mark not in checked.memory.stopped]
    known = [checked.memory.refused[mark] for mark in held if mark in checked.memory.refused]
    told = [why for why in known if why.reason]
    return told[0] if told and len(told) == len(held) else None


def stopped(checked: Checked) -> tuple[ObjectDrift, ...]:
    """What differs and is not put back any more, each object with the fields for which somebody fights."""
    if checked.step in (Step.NOTHING, Step.REPORT):
        return ()
    return tuple(part for drift in checked.objects if (part := among(drift, checked.memory.stopped)) is not None)


def held(checked: Checked) -> tuple[ObjectDrift, ...]:
    """What differs but for `stopped`, in the same way."""
    fought = {mark for drift in stopped(checked) for mark in marks([drift])}
    known = frozenset(marks(checked.objects)) - fought
    return tuple(part for drift in checked.objects if (part := among(drift, known)) is not None)


def resting(checked: Checked) -> frozenset[ObjectRef]:
    """The objects of which nothing is put back any more; to write one for another's sake would go on with the fight."""
    return frozenset(drift.ref for drift in checked.objects if among(drift, checked.memory.stopped) == drift)


def lasting(blind: Checked, *, interval: float) -> bool:
    """Whether nothing could be found out for so long that it is worth a word; `interval` is seconds between looks."""
    if blind.state is not DriftState.UNKNOWN or blind.since is None or blind.checked_at is None:
        return False
    return blind.checked_at - blind.since >= BLIND * timedelta(seconds=interval)


def _retold(drift: ObjectDrift, before: ObjectDrift | None) -> ObjectDrift:
    if before is None:
        return drift
    fields = {replace(each, author=_unknown_when(each.author)): each for each in before.fields}
    told = tuple(fields.get(replace(each, author=_unknown_when(each.author)), each) for each in drift.fields)
    same = _unknown_when(drift.author) == _unknown_when(before.author)
    return replace(drift, fields=told, author=before.author if same else drift.author)


def _unknown_when(author: Author | None) -> Author | None:
    return replace(author, at=None) if author else None


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
    refused = {mark: why for mark, why in memory.refused.items() if mark in seen}
    return replace(
        memory,
        reverts={mark: times for mark, times in recent.items() if times},
        refused=refused,
        stopped=stopped,
    )
