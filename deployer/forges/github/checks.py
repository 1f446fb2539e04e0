"""Check runs on GitHub: the whole life of a deployment or a preview on its commit. Only an App may write them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from deployer.forges.answer import Missing
from deployer.forges.github.access import Api, Matter, Query
from deployer.forges.github.rights import CHECKS
from deployer.forges.reading import Fields, inner, integer, rows
from deployer.forges.report import cut, line
from deployer.forges.writing import in_bytes, whole_lines
from deployer.model import JSON, Annotation, Button, Check, Permanent

SUMMARY_BYTES = 65_535
"""GitHub's documentation says characters, its refusal "a maximum bytesize". https://github.com/github/docs/issues/35252"""
TITLE_LENGTH = 255
MESSAGE_LENGTH = 16_000
"""Of an annotation: GitHub takes 64 KB, and a character can have four bytes."""
LABEL_LENGTH = 20
BUTTON_DESCRIPTION_LENGTH = 40
IDENTIFIER_LENGTH = 20
MOST_BUTTONS = 3
BATCH = 50
"""Annotations in one request."""


@dataclass(frozen=True, slots=True)
class _Run:
    """A check run that GitHub has."""

    id: str
    annotations: int
    """How many it has. Each update adds to them, so what is there must not be sent again."""


def post(api: Api, check: Check, *, known: str | None) -> str:
    """Show `check` on its commit, as the run `known` if there is one, and give the id of its run.

    Without `known` it looks for a run of this name and `external_id` before it makes one: an earlier answer may have
    been lost. A run that GitHub does not know any more is made anew. One request for the run, another one to look for
    it or to count what it has, and one for every 50 annotations more.

    https://docs.github.com/en/rest/checks/runs

    Raises:
        Permanent: GitHub refuses it, or it has a button that GitHub does not take.
        Temporary: GitHub is away, or wants us to wait.
    """
    matter = Matter(f"repos/{check.repository}", CHECKS, _doing(check))
    content = _content(check, matter)
    try:
        run = _counted(api, matter, check, known) if known else _found(api, matter, check)
        if run is not None:
            _update(api, matter, check, run, content)
            return run.id
    except Missing:
        if not known:
            raise
    run = _create(api, matter, check, content)
    _append(api, matter, check, run)
    return run.id


def _counted(api: Api, matter: Matter, check: Check, known: str) -> _Run:
    if not check.annotations:
        return _Run(known, 0)
    return _read(api.ask(matter, "GET", _path(known)), matter)


def _found(api: Api, matter: Matter, check: Check) -> _Run | None:
    """The newest run of this check that we have made. Another App's may have the same name, and is not ours to change.

    https://docs.github.com/en/rest/checks/runs#list-check-runs-for-a-git-reference
    """
    path = f"/commits/{quote(check.commit, safe='')}/check-runs"
    made_by = {"app_id": api.app_id} if api.app_id is not None else {}
    query: Query = {"check_name": check.name, "filter": "all", "per_page": 100, **made_by}
    answer = api.ask(matter, "GET", path, query=query)
    ours = (run for run in rows(answer.get("check_runs"), matter.errand) if _is_ours(run, api.app_id, check))
    return max((_read(run, matter) for run in ours), key=lambda run: int(run.id), default=None)


def _is_ours(run: Fields, app_id: int | None, check: Check) -> bool:
    app = run.get("app")
    return run.get("external_id") == check.external_id and isinstance(app, dict) and app.get("id") == app_id


def _read(run: Fields, matter: Matter) -> _Run:
    errand = matter.errand
    count = integer(inner(run, "output", errand), "annotations_count", errand)
    return _Run(str(integer(run, "id", errand)), count)


def _create(api: Api, matter: Matter, check: Check, content: dict[str, JSON]) -> _Run:
    body = {**content, "head_sha": check.commit, "output": _output(check, check.annotations[:BATCH])}
    answer = api.ask(matter, "POST", "/check-runs", body=body)
    return _Run(str(integer(answer, "id", matter.errand)), min(BATCH, len(check.annotations)))


def _update(api: Api, matter: Matter, check: Check, run: _Run, content: dict[str, JSON]) -> None:
    first = check.annotations[run.annotations : run.annotations + BATCH]
    api.ask(matter, "PATCH", _path(run.id), body={**content, "output": _output(check, first)})
    _append(api, matter, check, _Run(run.id, run.annotations + len(first)))


def _append(api: Api, matter: Matter, check: Check, run: _Run) -> None:
    """Send the annotations that `run` does not have yet."""
    for batch in _batches(check.annotations[run.annotations :]):
        api.ask(matter, "PATCH", _path(run.id), body={"output": _output(check, batch)})


def _batches(annotations: tuple[Annotation, ...]) -> Iterator[tuple[Annotation, ...]]:
    for start in range(0, len(annotations), BATCH):
        yield annotations[start : start + BATCH]


def _content(check: Check, matter: Matter) -> dict[str, JSON]:
    """All of a run but its commit and its output."""
    state: dict[str, JSON] = {"status": check.state.value}
    if check.state.final:
        state = {"status": "completed", "conclusion": check.state.value}
    times = {"started_at": check.started_at, "completed_at": check.completed_at if check.state.final else None}
    return {
        "name": check.name,
        "details_url": check.url,
        "external_id": check.external_id,
        **state,
        **{key: _time(moment) for key, moment in times.items() if moment is not None},
        "actions": _buttons(check.actions, matter),
    }


def _output(check: Check, annotations: tuple[Annotation, ...]) -> JSON:
    title = cut(line(check.title) or check.state.value.replace("_", " "), TITLE_LENGTH)
    rest = f"There is more than fits in here: {check.url}"
    output: dict[str, JSON] = {
        "title": title,
        "summary": whole_lines(check.summary, limit=SUMMARY_BYTES, rest=rest, size=in_bytes) or title,
    }
    if annotations:
        output["annotations"] = [_annotation(each) for each in annotations]
    return output


def _annotation(annotation: Annotation) -> JSON:
    return {
        "path": annotation.path,
        "start_line": annotation.line,
        "end_line": annotation.line,
        "annotation_level": annotation.level.value,
        "message": cut(annotation.message, MESSAGE_LENGTH),
    }


def _buttons(buttons: tuple[Button, ...], matter: Matter) -> list[JSON]:
    """Raises Permanent: what comes back when one is pressed cannot be cut, and neither can their number."""
    if len(buttons) > MOST_BUTTONS:
        raise Permanent(f"{matter.doing}: GitHub shows at most {MOST_BUTTONS} buttons", stage=matter.stage)
    wrong = [each.identifier for each in buttons if not 1 <= len(each.identifier) <= IDENTIFIER_LENGTH]
    if wrong:
        what = f"the button {wrong[0]!r} must be named by 1 to {IDENTIFIER_LENGTH} characters"
        raise Permanent(f"{matter.doing}: {what}", stage=matter.stage)
    return [
        {
            "label": cut(each.label, LABEL_LENGTH),
            "description": cut(each.description, BUTTON_DESCRIPTION_LENGTH),
            "identifier": each.identifier,
        }
        for each in buttons
    ]


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _path(run: str) -> str:
    return f"/check-runs/{quote(run, safe='')}"


def _doing(check: Check) -> str:
    return f"posting the check {check.name} on {check.repository}@{check.commit[:12]}"
