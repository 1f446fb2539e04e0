"""Check runs: posted by the deployer's own client, kept by GitHub's rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from deployer.forges.github import GitHub
from deployer.model import Annotation, AnnotationLevel, Button, Check, CheckState, Permanent
from deployer.sandbox.forge import App, CheckRun, SandboxForge
from tests.sandbox.forge.clients import app_token, as_app, as_user, ask
from tests.sandbox.forge.conftest import SHOP

AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
REDEPLOY = Button("Redeploy", "Deploy this commit again", "redeploy")


@pytest.fixture
def github(forge: SandboxForge, app: App) -> GitHub:
    return as_app(forge, app)


@pytest.fixture
def check(forge: SandboxForge) -> Check:
    return Check(
        SHOP, forge.tip(SHOP), "deploy/staging", CheckState.QUEUED, "Waiting", "**Planned**",
        "https://deployer.example.com/1", "20261123-1",
    )  # fmt: skip


def only(forge: SandboxForge) -> CheckRun:
    (run,) = forge.checks(SHOP, forge.tip(SHOP))
    return run


def notes(count: int) -> tuple[Annotation, ...]:
    return tuple(Annotation("base/web.yaml", line + 1, f"Note {line}") for line in range(count))


def test_the_whole_life_of_a_check_is_one_run(forge: SandboxForge, app: App, github: GitHub, check: Check) -> None:
    number = github.post_check(check, known=None)
    queued = only(forge)
    assert (str(queued.id), queued.status, queued.conclusion, queued.look) == (number, "queued", None, "waiting")
    assert (queued.app, queued.app.login) == (app, "deployer[bot]")
    started = replace(check, state=CheckState.IN_PROGRESS, title="Applying", started_at=AT)
    assert github.post_check(started, known=number) == number
    assert (only(forge).status, only(forge).started_at) == ("in_progress", AT)
    done = replace(started, state=CheckState.SUCCESS, title="Healthy", completed_at=AT, actions=(REDEPLOY,))
    assert github.post_check(done, known=number) == number
    run = only(forge)
    assert (run.over, run.conclusion, run.look, run.completed_at) == (True, "success", "good", AT)
    assert run.output is not None
    assert (run.output.title, run.output.summary) == ("Healthy", "**Planned**")
    assert [(one.label, one.identifier) for one in run.buttons] == [("Redeploy", "redeploy")]
    assert (run.external_id, run.details_url) == (check.external_id, check.url)


@pytest.mark.parametrize(
    ("state", "look"),
    [
        (CheckState.FAILURE, "bad"),
        (CheckState.CANCELLED, "stopped"),
        (CheckState.NEUTRAL, "stopped"),
        (CheckState.ACTION_REQUIRED, "bad"),
    ],
)
def test_every_end_is_shown(forge: SandboxForge, github: GitHub, check: Check, state: CheckState, look: str) -> None:
    github.post_check(replace(check, state=state), known=None)
    assert (only(forge).conclusion, only(forge).look) == (state.value, look)


def test_a_run_whose_number_was_lost_is_found_again(forge: SandboxForge, github: GitHub, check: Check) -> None:
    number = github.post_check(check, known=None)
    assert github.post_check(check, known=None) == number
    other = github.post_check(replace(check, external_id="20261123-2"), known=None)
    assert other != number
    assert [str(one.id) for one in forge.checks(SHOP, check.commit)] == [other, number]
    assert github.post_check(check, known=None) == number


def test_a_run_that_is_not_there_is_made_anew(forge: SandboxForge, github: GitHub, check: Check) -> None:
    assert github.post_check(check, known="4711") == str(only(forge).id)


def test_annotations_add_up(forge: SandboxForge, github: GitHub, check: Check) -> None:
    number = github.post_check(replace(check, annotations=notes(120)), known=None)
    github.post_check(replace(check, state=CheckState.FAILURE, annotations=notes(123)), known=number)
    run = only(forge)
    assert run.output is not None
    assert [one.message for one in run.output.annotations] == [one.message for one in notes(123)]
    first = run.output.annotations[0]
    assert (first.path, first.start_line, first.end_line, first.level) == (
        "base/web.yaml", 1, 1, AnnotationLevel.FAILURE.value,
    )  # fmt: skip
    path = f"/api/v3/repos/{SHOP}/check-runs/{number}/annotations"
    assert len(listed(forge, f"{path}?per_page=100")) == 100
    assert listed(forge, f"{path}?per_page=100&page=2")[-1]["message"] == "Note 122"


def test_a_finished_run_can_begin_again(forge: SandboxForge, github: GitHub, check: Check) -> None:
    number = github.post_check(replace(check, state=CheckState.FAILURE, completed_at=AT), known=None)
    github.post_check(replace(check, state=CheckState.IN_PROGRESS), known=number)
    assert (only(forge).status, only(forge).conclusion, only(forge).completed_at) == ("in_progress", None, None)


def test_only_the_newest_of_a_name_is_listed_unless_all_are_wanted(
    forge: SandboxForge, github: GitHub, check: Check, app: App
) -> None:
    for number in range(3):
        github.post_check(replace(check, external_id=str(number)), known=None)
    github.post_check(replace(check, name="preview/staging"), known=None)
    path = f"/api/v3/repos/{SHOP}/commits/main/check-runs"
    assert [one["external_id"] for one in listed(forge, path)] == ["2", check.external_id]
    assert len(listed(forge, f"{path}?filter=all")) == 4
    assert len(listed(forge, f"{path}?filter=all&check_name=deploy/staging")) == 3
    assert len(listed(forge, f"{path}?filter=all&app_id={app.id}&status=queued")) == 4
    assert listed(forge, f"{path}?app_id=1") == listed(forge, f"{path}?status=completed") == []
    assert ask(forge, "GET", f"{path}?filter=all&per_page=3").json()["total_count"] == 4


def listed(forge: SandboxForge, path: str) -> list[dict[str, Any]]:
    answer = ask(forge, "GET", path).json()
    rows: list[dict[str, Any]] = answer["check_runs"] if isinstance(answer, dict) else answer
    return rows


def test_a_user_cannot_write_checks(forge: SandboxForge, check: Check) -> None:
    assert not as_user(forge).shows_checks
    answer = ask(forge, "POST", f"/api/v3/repos/{SHOP}/check-runs", json={"name": "x", "head_sha": check.commit})
    assert (answer.status_code, answer.json()["message"]) == (403, "You must authenticate via a GitHub App.")


def test_an_app_changes_its_own_runs_only(forge: SandboxForge, app: App, github: GitHub, check: Check) -> None:
    number = github.post_check(check, known=None)
    other = as_app(forge, forge.create_app("other", private_key=app.private_key))
    assert other.post_check(check, known=number) != number
    assert len(forge.checks(SHOP, check.commit)) == 2


def test_a_check_of_no_commit_is_refused(forge: SandboxForge, github: GitHub, check: Check) -> None:
    with pytest.raises(Permanent, match="No commit found for SHA"):
        github.post_check(replace(check, commit="4f" * 20), known=None)
    with pytest.raises(Permanent, match="404"):
        github.post_check(replace(check, repository="acme/none"), known=None)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": None}, "name wasn't supplied."),
        ({"name": 5}, "name is not a string"),
        ({"status": "done"}, "status is not a member of"),
        ({"status": "completed"}, "conclusion wasn't supplied."),
        ({"conclusion": "fine"}, "conclusion is not a member of"),
        ({"started_at": "yesterday"}, "started_at is not a valid date-time."),
        ({"started_at": "2026-11-23T09:00:00"}, "started_at is not a valid date-time."),
        ({"details_url": "javascript:alert(1)"}, "details_url must use http(s) scheme"),
        ({"output": "fine"}, "output is not an object."),
        ({"output": {"title": "x"}}, "summary wasn't supplied."),
        ({"output": {"title": "x", "summary": ""}}, "output needs a title and a summary."),
        ({"output": {"title": "x", "summary": "x" * 65_536}}, "summary exceeds a maximum bytesize of 65535"),
        ({"output": {"title": "x", "summary": "é" * 32_768}}, "summary exceeds a maximum bytesize of 65535"),
        ({"actions": [{"label": "x", "description": "x", "identifier": "x" * 21}]}, "identifier must have 1 to 20"),
        ({"actions": [{"label": "", "description": "x", "identifier": "x"}]}, "label must have 1 to 20"),
        ({"actions": [{"label": "x", "description": "x" * 41, "identifier": "x"}]}, "description must have 1 to 40"),
        ({"actions": [{"label": "x", "description": "x", "identifier": "x"}] * 4}, "actions has more than 3 items."),
        ({"actions": ["x"]}, "actions is not a list of objects."),
    ],
)
def test_a_bad_check_is_refused(quiet_forge: SandboxForge, quiet_app: App, wrong: dict[str, Any], said: str) -> None:
    fields = {"name": "deploy/staging", "head_sha": quiet_forge.tip(SHOP)} | wrong
    answer = begin(quiet_forge, quiet_app, fields)
    assert answer.status_code == 422
    assert said in answer.json()["message"]
    assert quiet_forge.checks(SHOP, quiet_forge.tip(SHOP)) == ()


def begin(forge: SandboxForge, app: App, fields: dict[str, Any]) -> requests.Response:
    token = app_token(forge, app, checks="write")
    return ask(forge, "POST", f"/api/v3/repos/{SHOP}/check-runs", token=token, json=fields)


ANNOTATION = {"path": "a", "start_line": 2, "end_line": 2, "annotation_level": "failure", "message": "x"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"path": "/etc/passwd"}, "path is not a path inside the repository."),
        ({"start_line": 0}, "start_line and end_line"),
        ({"end_line": 1}, "start_line and end_line"),
        ({"start_line": "2"}, "start_line is not an integer."),
        ({"start_line": True}, "start_line is not an integer."),
        ({"annotation_level": "bad"}, "annotation_level is not a member of"),
        ({"message": None}, "message wasn't supplied."),
    ],
)
def test_a_bad_annotation_is_refused(
    quiet_forge: SandboxForge, quiet_app: App, wrong: dict[str, Any], said: str
) -> None:
    output = {"title": "x", "summary": "x", "annotations": [ANNOTATION | wrong]}
    fields = {"name": "deploy/staging", "head_sha": quiet_forge.tip(SHOP), "output": output}
    answer = begin(quiet_forge, quiet_app, fields)
    assert answer.status_code == 422
    assert said in answer.json()["message"]


def test_more_than_fifty_annotations_at_once_are_refused(quiet_forge: SandboxForge, quiet_app: App) -> None:
    output = {"title": "x", "summary": "x", "annotations": [ANNOTATION] * 51}
    fields = {"name": "deploy/staging", "head_sha": quiet_forge.tip(SHOP), "output": output}
    answer = begin(quiet_forge, quiet_app, fields)
    assert (answer.status_code, "more than 50" in answer.json()["message"]) == (422, True)
