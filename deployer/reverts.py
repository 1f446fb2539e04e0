"""What is remembered of putting back what drifted: what was tried, what came of it, and who is at it again each time.

Pure, like `holding`, which decides by it. Fields are named as `marks` names them.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from deployer.model import Action, Deployment, DriftKind, ObjectDrift, ObjectResult, State, Trigger

COOL_DOWN = timedelta(seconds=60)
"""From one revert of an environment to the next."""
MOST_DOUBLINGS = 6
"""After a try that failed, the next one waits for the cool-down, then for twice as long each time, up to about an hour:
whoever has to grant a right or to correct an object is not asked for it every minute."""

_PUT_BACK = (Action.CREATED, Action.UPDATED, Action.RECREATED, Action.DELETED)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A deployment that is to put back what differs."""

    deployment: str
    marks: Mapping[str, tuple[str, ...]]
    """What it is to put back, by the name of the object."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something was not put back that was to be."""

    reason: str
    """Empty when the deployment found it as git wants it: it had gone back by itself, or dry runs tell otherwise."""
    deployment: str
    """That failed for this reason first."""
    times: int
    """In a row, whatever the reasons."""
    last: datetime

    @property
    def again(self) -> datetime:
        """When it is worth another try."""
        return self.last + COOL_DOWN * (1 << min(self.times - 1, MOST_DOUBLINGS))


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered of the reverts of an environment."""

    since: str | None = None
    """The deployment by which git or a person last said what is wanted. Another one begins a new memory."""
    reverts: Mapping[str, tuple[datetime, ...]] = field(default_factory=dict)
    """When each field was put back within the last hour. What was to be put back and was not does not count."""
    refused: Mapping[str, Refusal] = field(default_factory=dict)
    """The fields that could not be put back, as long as they differ."""
    stopped: Mapping[str, datetime] = field(default_factory=dict)
    """The fields that are not put back any more, and when each was last seen to differ."""
    last: datetime | None = None
    """When something was to be put back last."""
    attempt: Attempt | None = None
    """That one, until it is known what became of it."""


def marks(found: Iterable[ObjectDrift]) -> Iterator[str]:
    """A name for each thing that differs, the same at each look, without its values."""
    for drift in found:
        if drift.kind is DriftKind.CHANGED and drift.fields:
            yield from (f"{drift.ref} {each.path}" for each in drift.fields)
        else:
            yield f"{drift.ref} {drift.kind}"


def among(drift: ObjectDrift, known: Container[str]) -> ObjectDrift | None:
    """What of an object's drift has its mark among those known: all of it, some of its fields, or nothing."""
    if not (drift.kind is DriftKind.CHANGED and drift.fields):
        return drift if f"{drift.ref} {drift.kind}" in known else None
    fields = tuple(each for each in drift.fields if f"{drift.ref} {each.path}" in known)
    return replace(drift, fields=fields) if fields else None


def fighters(stopped: Iterable[ObjectDrift]) -> tuple[str, ...]:
    """The field managers on record for what is not put back any more, sorted."""
    authors = (author for drift in stopped for author in (drift.author, *(each.author for each in drift.fields)))
    return tuple(sorted({author.manager for author in authors if author is not None}))


def attempted(found: Sequence[ObjectDrift], memory: Memory, *, deployment: str) -> Memory:
    """What to remember when a deployment is to put back what was found."""
    asked = {str(drift.ref): tuple(mark for mark in marks([drift]) if mark not in memory.stopped) for drift in found}
    return replace(memory, attempt=Attempt(deployment, {name: each for name, each in asked.items() if each}))


def settled(memory: Memory, ended: Deployment | None, results: Sequence[ObjectResult]) -> Memory:
    """What to remember once it is known what became of the last attempt: what was done counts, not what was meant.

    Args:
        memory: with the attempt.
        ended: the deployment that was to put it back; None when there is no record of it.
        results: what happened to its objects, as far as it came.
    """
    attempt = memory.attempt
    if attempt is None or (ended is not None and not ended.state.final):
        return memory
    memory = replace(memory, attempt=None)
    if ended is None or ended.finished_at is None or ended.state is State.SUPERSEDED:
        return memory
    became = {str(result.ref): result for result in results}
    reverts, refused = dict(memory.reverts), dict(memory.refused)
    for name, asked in attempt.marks.items():
        result = became.get(name)
        for mark in asked:
            if result is not None and result.action in _PUT_BACK:
                reverts[mark] = (*reverts.get(mark, ()), ended.finished_at)
                refused.pop(mark, None)
            else:
                refused[mark] = _refusal(ended, _reason(ended, result), before=refused.get(mark))
    return replace(memory, reverts=reverts, refused=refused)


def outdated(deployment: Deployment, *, deployed: str | None) -> str | None:
    """Why what drifted is not to be put back any more: the environment runs something else by now."""
    if deployment.trigger is not Trigger.DRIFT or deployed == deployment.commit:
        return None
    return f"the environment runs {(deployed or 'nothing')[:12]} by now"


def _reason(ended: Deployment, result: ObjectResult | None) -> str:
    nothing = "the deployment changed nothing of it"
    if ended.state is not State.SUCCEEDED:
        return (result.message or nothing) if result else ended.summary
    as_git_wants = result is not None and result.action is Action.UNCHANGED
    return (result.message if result else "") or ("" if as_git_wants else nothing)


def _refusal(ended: Deployment, said: str, *, before: Refusal | None) -> Refusal:
    first = before.deployment if before is not None and before.reason == said else ended.id
    return Refusal(said, first, before.times + 1 if before else 1, ended.finished_at or ended.created_at)
