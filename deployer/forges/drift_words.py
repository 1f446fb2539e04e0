"""The words of the status `drift/<environment>`: in what a cluster differs from a commit, and what is done about it.

Pure: values in, text out, as `report`.
"""

from __future__ import annotations

from collections.abc import Sequence

from deployer.forges.report import cut, line
from deployer.holding import MOST_REVERTS, Checked, DriftState, Step, fighters
from deployer.model import CommitStatus, EnvironmentKey, ObjectDrift, ObjectRef, StatusState

LENGTH = 400
"""Characters of a line at most; forges cut it further."""

_STATES = {
    Step.NOTHING: StatusState.SUCCESS,
    Step.REPORT: StatusState.FAILURE,
    Step.REVERT: StatusState.PENDING,
    Step.COOL: StatusState.PENDING,
    Step.STOP: StatusState.FAILURE,
}


def commit_status(key: EnvironmentKey, commit: str, checked: Checked, *, page: str) -> CommitStatus:
    """What to say on the deployed commit; `page` is the URL where people read more."""
    return CommitStatus(
        repository=key.repository,
        commit=commit,
        context=f"drift/{key.environment}",
        state=_STATES[checked.step],
        description=said(checked),
        target_url=page,
    )


def left(key: EnvironmentKey, commit: str, *, page: str) -> CommitStatus:
    """What to say on a commit of which the last word was that something drifted, once the environment runs another."""
    context, words = f"drift/{key.environment}", "the environment runs another commit now"
    return CommitStatus(key.repository, commit, context, StatusState.CANCELED, words, page)


def said(checked: Checked) -> str:
    """One look in one line, as in `observed, not held: Deployment shop/web spec.replicas 3 → 5 by kubectl-edit …`."""
    if checked.state is DriftState.UNKNOWN:
        return cut(f"unknown: {line(checked.reason)}", LENGTH)
    if checked.state is not DriftState.DRIFTED:
        return checked.state.value.replace("_", " ")
    return cut(f"{_doing(checked)}: {differences(checked.objects)}", LENGTH)


def differences(found: Sequence[ObjectDrift]) -> str:
    """The first difference, and how many more there are."""
    each = told(found)
    more = f", and {len(each) - 1} more" if len(each) > 1 else ""
    return f"{each[0]}{more}" if each else "nothing"


def told(found: Sequence[ObjectDrift]) -> tuple[str, ...]:
    """Each difference in one line."""
    return tuple(line(text) for drift in found for text in _told(drift))


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


def _told(drift: ObjectDrift) -> list[str]:
    if drift.fields:
        return [f"{named(drift.ref)} {each}" for each in drift.fields]
    about = "; ".join(filter(None, (drift.note, str(drift.author or ""))))
    return [f"{named(drift.ref)} {drift.kind} {about}".rstrip()]


def _doing(checked: Checked) -> str:
    if checked.step is Step.STOP:
        who = ", ".join(fighters(checked.objects, checked.memory))
        by = f"{who} changes it" if who else "it changes"
        return f"not put back any more, {by} again each time ({MOST_REVERTS} reverts within an hour)"
    if checked.step is Step.COOL and checked.again is not None:
        return f"put back again at {checked.again:%H:%M:%S}"
    return "being put back" if checked.step is Step.REVERT else "observed, not held"
