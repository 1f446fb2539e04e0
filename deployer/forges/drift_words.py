"""The words of the status `drift/<environment>`: in what a cluster differs from a commit, and what is done about it.

Pure: values in, text out, as `report`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from deployer.forges.report import cut, line
from deployer.holding import Checked, DriftState, Step, held, refusal, stopped
from deployer.model import CommitStatus, Drift, Environment, ObjectDrift, ObjectRef, StatusState
from deployer.reverts import fighters, marks

LENGTH = 400
"""Characters of a line at most; forges cut it further."""
TIME = "%Y-%m-%d %H:%M UTC"

_STATES = {
    Step.NOTHING: StatusState.SUCCESS,
    Step.REPORT: StatusState.FAILURE,
    Step.REVERT: StatusState.PENDING,
    Step.COOL: StatusState.PENDING,
    Step.FAIL: StatusState.FAILURE,
    Step.STOP: StatusState.FAILURE,
    Step.BLIND: StatusState.ERROR,
}


def commit_status(environment: Environment, commit: str, checked: Checked, *, page: str) -> CommitStatus:
    """What to say on the deployed commit; `page` is the URL where people read more.

    While something cannot be put back, it is said like that and not each time that it is tried.
    """
    return CommitStatus(
        repository=environment.key.repository,
        commit=commit,
        context=f"drift/{environment.key.environment}",
        state=StatusState.FAILURE if refusal(checked) else _STATES[checked.step],
        description=said(checked),
        target_url=page,
        branch=environment.branch,
    )


def left(environment: Environment, commit: str, *, page: str) -> CommitStatus:
    """What to say on a commit on which something was said of drift, once the environment runs another, or drift is
    ignored."""
    ignored = environment.drift is Drift.IGNORE
    words = "drift is not looked for any more" if ignored else "the environment runs another commit now"
    context = f"drift/{environment.key.environment}"
    return CommitStatus(
        environment.key.repository, commit, context, StatusState.CANCELED, words, page, environment.branch
    )


def said(checked: Checked) -> str:
    """One look in one line, as in `observed, not held: Deployment shop/web spec.replicas 3 → 5 by kubectl-edit …`."""
    if checked.state is DriftState.UNKNOWN:
        return cut(f"{doing(checked)}: {line(checked.reason)}", LENGTH)
    if checked.state is not DriftState.DRIFTED:
        return doing(checked)
    if why := refusal(checked):
        rest = f"{doing(checked)}: {_refused(checked)}: {_first_clause(line(why.reason))}"
    else:
        rest = f"{doing(checked)}: {differences(held(checked), day=_day(checked))}" if held(checked) else ""
    return cut("; ".join(filter(None, (fight(checked), rest))), LENGTH)


def doing(checked: Checked) -> str:
    """How an environment stands to git and what is done about it, as in `observed, not held`, but not what differs."""
    if checked.state is DriftState.UNKNOWN:
        return f"unknown since {checked.since:{TIME}}" if checked.since else "unknown"
    if checked.state is not DriftState.DRIFTED:
        return checked.state.value.replace("_", " ")
    if refusal(checked):
        return "cannot be put back"
    if checked.step is Step.STOP:
        return _fight(checked)
    if checked.step is Step.COOL and checked.again is not None:
        return f"put back again at {checked.again:%H:%M:%S}"
    return "being put back" if checked.step is Step.REVERT else "observed, not held"


def differences(found: Sequence[ObjectDrift], *, day: date | None = None) -> str:
    """The first difference, and how many more there are; of what there is to know about it only the first clause."""
    return _counted(told([replace(drift, note=_first_clause(drift.note)) for drift in found], day=day))


def told(found: Sequence[ObjectDrift], *, day: date | None = None) -> tuple[str, ...]:
    """Each difference in one line; times of another day than the given one with their date."""
    return tuple(line(text) for drift in found for text in _told(drift, day))


def without_values(found: Sequence[ObjectDrift]) -> tuple[str, ...]:
    """What differs and by whom, for the audit, where of objects there are only names."""
    return tuple(
        line(f"{named(drift.ref)} {what} {author or ''}")
        for drift in found
        for what, author in [(each.path, each.author) for each in drift.fields] or [(drift.kind.value, drift.author)]
    )


def named(ref: ObjectRef) -> str:
    """`Deployment shop/web`: without the group, because a line on a commit is short."""
    return f"{ref.kind} {ref.namespace}/{ref.name}" if ref.namespace else f"{ref.kind} {ref.name}"


def _refused(checked: Checked) -> str:
    """What cannot be put back: without values and names, because forges show little and the reason is to be seen."""
    refused = checked.memory.refused
    return _counted(
        [line(mark.replace(str(drift.ref), named(drift.ref), 1))
         for drift in checked.objects for mark in marks([drift]) if mark in refused]
    )  # fmt: skip


def _first_clause(text: str) -> str:
    return text.partition("; ")[0]


def _counted(each: Sequence[str]) -> str:
    more = f", and {len(each) - 1} more" if len(each) > 1 else ""
    return f"{each[0]}{more}" if each else "nothing"


def _day(checked: Checked) -> date | None:
    """The day on which a state was first told of: what is said of it does not change at midnight."""
    begun = checked.since or checked.checked_at
    return begun.date() if begun else None


def _told(drift: ObjectDrift, day: date | None) -> list[str]:
    if drift.fields:
        return [f"{named(drift.ref)} {each.said(day=day)}" for each in drift.fields]
    about = "; ".join(filter(None, (drift.note, drift.author.said(day=day) if drift.author else "")))
    return [f"{named(drift.ref)} {drift.kind}{': ' if drift.note else ' '}{about}".rstrip()]


def fight(checked: Checked) -> str:
    """What is not put back any more, and who fights for it; nothing if nobody does."""
    given_up = stopped(checked)
    return f"{_fight(checked)}: {differences(given_up, day=_day(checked))}" if given_up else ""


def _fight(checked: Checked) -> str:
    who = ", ".join(fighters(stopped(checked)))
    by = f"{who} changes it" if who else "it changes"
    return f"not put back any more, {by} again each time"
