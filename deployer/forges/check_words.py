"""What people read of a deployment where there is room for more than one line: the check on its commit, as Markdown.

Pure: records in, a check out. What tools and clusters said stands in code, so that it cannot pose as ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from deployer.forges.annotations import of_objects, of_render
from deployer.forges.quoting import cell, code, fenced
from deployer.forges.report import cut, line
from deployer.model import (
    Action,
    Annotation,
    Button,
    Check,
    CheckState,
    Deployment,
    Environment,
    ObjectRef,
    ObjectResult,
    Stage,
    StageRecord,
    State,
)

REDEPLOY = Button("Redeploy", "Deploy this commit again", "redeploy")
"""What can be pressed when a deployment is over."""

MOST_ROWS = 50
CELL_LENGTH = 200
REASON_LENGTH = 4_000
LOG_LINES = 30

_STATES = {
    State.QUEUED: CheckState.QUEUED,
    State.RUNNING: CheckState.IN_PROGRESS,
    State.ROLLING_OUT: CheckState.IN_PROGRESS,
    State.SUCCEEDED: CheckState.SUCCESS,
    State.FAILED: CheckState.FAILURE,
    State.SUPERSEDED: CheckState.CANCELLED,
    State.HELD: CheckState.NEUTRAL,
}

_ORDER = (Action.FAILED, Action.SKIPPED, Action.DELETED, Action.RECREATED, Action.CREATED, Action.UPDATED, Action.KEPT)
"""What people look for first."""


@dataclass(frozen=True, slots=True)
class Account:
    """What is on record of one deployment."""

    deployment: Deployment
    stages: Sequence[StageRecord] = ()
    objects: Sequence[ObjectResult] = ()
    log: Sequence[str] = ()

    @property
    def began(self) -> bool:
        """Whether it was ever more than queued."""
        return bool(self.stages)

    @property
    def failed(self) -> StageRecord | None:
        """The stage in which it failed, if it was in one."""
        if self.deployment.state is not State.FAILED:
            return None
        stages = [each for each in self.stages if self.deployment.summary.startswith(f"{each.stage}: ")]
        return stages[-1] if stages else None


def check(account: Account, *, environment: Environment | None, page: str) -> Check:
    """The check of a deployment on its commit, as it stands.

    Args:
        account: what is on record.
        environment: as the settings have it; None when it left them.
        page: URL where people read more.
    """
    deployment = account.deployment
    state = _STATES[deployment.state]
    if state is CheckState.QUEUED and account.began:
        state = CheckState.IN_PROGRESS  # between two tries
    return Check(
        repository=deployment.key.repository,
        commit=deployment.commit,
        name=f"deploy/{deployment.key.environment}",
        state=state,
        title=_title(account),
        summary=_summary(account, page),
        url=page,
        external_id=deployment.id,
        started_at=account.stages[0].started_at if account.began else None,
        completed_at=deployment.finished_at,
        annotations=_annotations(account, environment) if environment else (),
        actions=(REDEPLOY,) if state.final else (),
    )


def _title(account: Account) -> str:
    """The stage, while it is in one; else what happened."""
    deployment = account.deployment
    open_stages = [each for each in account.stages if each.finished_at is None]
    if deployment.state is State.RUNNING and open_stages:
        return f"{open_stages[-1].stage}: {line(open_stages[-1].message)}"
    return line(deployment.summary) or deployment.state.value.replace("_", " ")


def _summary(account: Account, page: str) -> str:
    parts = (
        code(_title(account)),
        _reason(account),
        _table(account.objects),
        _timings(account.stages),
        _log(account),
        f"[The deployment's page]({page}) has all of it.",
    )
    return "\n\n".join(filter(None, parts))


def _reason(account: Account) -> str:
    """All that was said about a failure, or about what a rollout waits for; the title has only as much as fits."""
    rolling = [each for each in account.stages if each.stage is Stage.ROLLOUT and each.finished_at is None]
    told = account.failed or (rolling[-1] if rolling else None)
    if told is None or not told.message.strip():
        return ""
    what = "Why it failed" if account.failed else "What it waits for"
    reasons = "\n".join(line(each) for each in told.message.split("; "))
    return f"### {what}\n\n{fenced(cut(reasons, REASON_LENGTH))}"


def _table(objects: Sequence[ObjectResult]) -> str:
    told = [each for each in objects if each.action is not Action.UNCHANGED or each.message]
    told.sort(key=lambda each: _ORDER.index(each.action) if each.action in _ORDER else len(_ORDER))
    if not objects:
        return ""
    rows = [f"| {each.action} | {cell(_short(each.ref))} | {_cell(each.message)} |" for each in told[:MOST_ROWS]]
    head = ["| | object | |", "|---|---|---|"] if rows else []
    return "\n".join(["### Objects", "", *head, *rows, *_rest(objects, told)])


def _rest(objects: Sequence[ObjectResult], told: Sequence[ObjectResult]) -> Iterator[str]:
    same = len(objects) - len(told)
    parts = [f"{len(told) - MOST_ROWS} others, see the page"] if len(told) > MOST_ROWS else []
    parts += [f"{same} unchanged"] if same else []
    if parts:
        yield from ("", f"{'and ' if told else ''}{', and '.join(parts)}")


def _timings(stages: Sequence[StageRecord]) -> str:
    ended = [(each, each.finished_at - each.started_at) for each in stages if each.finished_at is not None]
    rows = [f"| {each.stage} | {spent / timedelta(seconds=1):.2f} |" for each, spent in ended]
    return "\n".join(["### Time", "", "| stage | seconds |", "|---|---:|", *rows]) if rows else ""


def _log(account: Account) -> str:
    """The end of the log of what failed, without what is about the forge itself."""
    lines = [each for each in account.log if not re.match(r"\S+ report: ", each)][-LOG_LINES:]
    if account.deployment.state is not State.FAILED or not lines:
        return ""
    text = "\n".join(cut(line(each), 2 * CELL_LENGTH) for each in lines)
    return f"<details><summary>Log</summary>\n\n{fenced(text)}\n\n</details>"


def _annotations(account: Account, environment: Environment) -> tuple[Annotation, ...]:
    failed = account.failed
    if failed is not None and failed.stage is Stage.RENDER:
        return of_render(failed.message, overlay=environment.overlay)
    if failed is not None and failed.stage is Stage.APPLY:
        return of_objects(account.objects, overlay=environment.overlay)
    return ()


def _short(ref: ObjectRef) -> str:
    return f"{ref.kind} {ref.namespace}/{ref.name}" if ref.namespace else f"{ref.kind} {ref.name}"


def _cell(text: str) -> str:
    return cell(cut(line(text), CELL_LENGTH)) if text else ""
