"""Check runs, by GitHub's rules: what a run may be, what adds up and what is replaced when it is told more.

Decides only; reading requests and writing answers is up to the API.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from deployer.sandbox.forge.apps import App
from deployer.sandbox.forge.refusal import Invalid, NotFound

STATUSES = ("queued", "in_progress", "completed", "waiting", "requested", "pending")
CONCLUSIONS = ("success", "failure", "neutral", "cancelled", "skipped", "timed_out", "action_required")
LEVELS = ("notice", "warning", "failure")
MOST_ANNOTATIONS = 50
"""In one request."""
MOST_BUTTONS = 3
LONGEST_SUMMARY = 65_535
"""Bytes."""

_LOOKS = {"success": "good", "neutral": "stopped", "skipped": "stopped", "cancelled": "stopped"}


@dataclass(frozen=True, slots=True)
class Annotation:
    """Something that is said about lines of a file."""

    path: str
    start_line: int
    end_line: int
    level: str
    message: str
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Button:
    """Something that a person can ask the App for."""

    label: str
    description: str
    identifier: str


@dataclass(frozen=True, slots=True)
class Output:
    """What a run has to say."""

    title: str
    summary: str
    text: str | None = None
    annotations: tuple[Annotation, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """What a client says of a run; None says nothing."""

    name: str | None = None
    status: str | None = None
    conclusion: str | None = None
    external_id: str | None = None
    details_url: str | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    output: Output | None = None
    buttons: tuple[Button, ...] | None = None


@dataclass(frozen=True, slots=True)
class CheckRun:
    """One run of one check on one commit."""

    id: int
    app: App
    commit: str
    name: str
    status: str
    started_at: datetime
    conclusion: str | None = None
    external_id: str = ""
    details_url: str | None = None
    completed_at: datetime | None = None
    output: Output | None = None
    buttons: tuple[Button, ...] = ()

    @property
    def over(self) -> bool:
        """Whether it has come to an end: then it can be run again, and has its buttons."""
        return self.status == "completed"

    @property
    def look(self) -> str:
        """How it is shown to people: `good`, `bad`, `waiting` or `stopped`."""
        return _LOOKS.get(self.conclusion or "", "bad") if self.over else "waiting"


@dataclass(slots=True)
class CheckRuns:
    """The check runs of one repository. Callers hold the repository's lock while they write."""

    _all: dict[int, CheckRun] = field(default_factory=dict)
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def begin(self, app: App, commit: str, told: Told, *, at: datetime) -> CheckRun:
        """Keep a new run.

        Raises:
            Invalid: a field breaks one of GitHub's rules (https://docs.github.com/en/rest/checks/runs#create-a-check-run).
        """
        if not told.name:
            raise Invalid("name", "wasn't supplied.")
        blank = CheckRun(next(self._ids), app, commit, told.name, "queued", started_at=at)
        return self._keep(blank, told, at)

    def tell(self, number: int, app: App, told: Told, *, at: datetime) -> CheckRun:
        """Let a run be what is told now; annotations are added to those that it has.

        Raises:
            NotFound: this App has no such run.
            Invalid: a field breaks one of GitHub's rules (https://docs.github.com/en/rest/checks/runs#update-a-check-run).
        """
        run = self.get(number)
        if run.app != app:
            raise NotFound(f"{app.slug} has no check run {number}")
        return self._keep(run, told, at)

    def reset(self, number: int) -> None:
        """Somebody asks for a run again: it waits, as if it never ended, until its App says more. Raises NotFound.

        https://docs.github.com/en/rest/checks/runs#rerequest-a-check-run
        """
        self._all[number] = replace(self.get(number), status="queued", conclusion=None, completed_at=None)

    def get(self, number: int) -> CheckRun:
        """The run of that number. Raises NotFound."""
        try:
            return self._all[number]
        except KeyError:
            raise NotFound(f"no check run {number}") from None

    def of(self, commit: str) -> tuple[CheckRun, ...]:
        """All runs of a commit, newest first."""
        return tuple(one for one in reversed(self._all.values()) if one.commit == commit)

    def latest(self, commit: str) -> tuple[CheckRun, ...]:
        """The newest run of each App's check, by name."""
        newest = {(one.name, one.app.id): one for one in reversed(self.of(commit))}
        return tuple(newest[key] for key in sorted(newest))

    def _keep(self, run: CheckRun, told: Told, at: datetime) -> CheckRun:
        _check(told)
        status = "completed" if told.conclusion else told.status or run.status
        over = status == "completed"
        changed = replace(
            run,
            name=told.name or run.name,
            status=status,
            conclusion=(told.conclusion or run.conclusion) if over else None,
            external_id=run.external_id if told.external_id is None else told.external_id,
            details_url=told.details_url or run.details_url,
            started_at=told.started_at or run.started_at,
            completed_at=(told.completed_at or run.completed_at or at) if over else None,
            output=_added(run.output, told.output),
            buttons=run.buttons if told.buttons is None else told.buttons,
        )
        if over and changed.conclusion is None:
            raise Invalid("conclusion", "wasn't supplied.")
        self._all[run.id] = changed
        return changed


def _added(before: Output | None, told: Output | None) -> Output | None:
    if told is None or before is None:
        return told or before
    return replace(told, annotations=before.annotations + told.annotations)


def _check(told: Told) -> None:
    _one_of("status", told.status, STATUSES)
    _one_of("conclusion", told.conclusion, CONCLUSIONS)
    if told.details_url and not re.match(r"https?://", told.details_url):
        raise Invalid("details_url", "must use http(s) scheme")
    if told.output:
        _check_output(told.output)
    if told.buttons:
        _check_buttons(told.buttons)


def _check_output(output: Output) -> None:
    if not output.title or not output.summary:
        raise Invalid("output", "needs a title and a summary.")
    if max(len(text.encode()) for text in (output.summary, output.text or "")) > LONGEST_SUMMARY:
        raise Invalid("summary", f"exceeds a maximum bytesize of {LONGEST_SUMMARY}")
    if len(output.annotations) > MOST_ANNOTATIONS:
        raise Invalid("annotations", f"has more than {MOST_ANNOTATIONS} items.")
    for one in output.annotations:
        _one_of("annotation_level", one.level, LEVELS)
        if one.start_line < 1 or one.end_line < one.start_line:
            raise Invalid("start_line", "and end_line must be lines of a file, in that order.")


def _check_buttons(buttons: Sequence[Button]) -> None:
    if len(buttons) > MOST_BUTTONS:
        raise Invalid("actions", f"has more than {MOST_BUTTONS} items.")
    for one in buttons:
        lengths = (("label", one.label, 20), ("description", one.description, 40), ("identifier", one.identifier, 20))
        for name, value, most in lengths:
            if not 1 <= len(value) <= most:
                raise Invalid(name, f"must have 1 to {most} characters.")


def _one_of(name: str, value: str | None, allowed: Sequence[str]) -> None:
    if value is not None and value not in allowed:
        raise Invalid(name, f"is not a member of {list(allowed)}.")
