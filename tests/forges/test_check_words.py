from __future__ import annotations

from dataclasses import replace

import pytest

from deployer.forges.check_words import MOST_ROWS, REDEPLOY, Account, check
from deployer.model import (
    Action,
    Annotation,
    Check,
    CheckState,
    ObjectRef,
    ObjectResult,
    Stage,
    StageRecord,
    State,
)
from tests.examples import after, deployment, environment

PAGE = "https://deployer.example.com/deployments/a1"
KUSTOMIZATION = "deploy/overlays/staging/kustomization.yaml"


def result(number: int, action: Action, message: str = "") -> ObjectResult:
    return ObjectResult(ObjectRef("apps/v1", "Deployment", "shop", f"web-{number}"), action, message)


def of(account: Account) -> Check:
    return check(account, environment=environment(), page=PAGE)


def ended(state: State, summary: str, *stages: StageRecord, objects: tuple[ObjectResult, ...] = ()) -> Account:
    return Account(replace(deployment(state=state, finished_at=after(9)), summary=summary), stages, objects)


def failed(stage: Stage, message: str, *objects: ObjectResult) -> Check:
    return of(
        ended(State.FAILED, f"{stage}: {message}", StageRecord(stage, after(1), after(2), message), objects=objects)
    )


def test_the_whole_life_has_a_state_and_a_title() -> None:
    queued = of(Account(deployment()))
    stages = (StageRecord(Stage.FETCH, after(1), after(2), "commit 1"), StageRecord(Stage.RENDER, after(2), None, "it"))
    running = of(Account(deployment(state=State.RUNNING), stages))
    rolling = of(Account(replace(deployment(state=State.ROLLING_OUT), summary="4/6 ready"), stages))
    retried = of(Account(replace(deployment(), summary="retry 2 of 5 in 8 s: no"), stages))
    told = [(each.state, each.title) for each in (queued, running, rolling, retried)]
    assert told == [
        (CheckState.QUEUED, "on its way"),
        (CheckState.IN_PROGRESS, "render: it"),
        (CheckState.IN_PROGRESS, "4/6 ready"),
        (CheckState.IN_PROGRESS, "retry 2 of 5 in 8 s: no"),
    ]
    assert [each.started_at for each in (queued, running)] == [None, after(1)]


@pytest.mark.parametrize("state", list(State))
def test_only_the_end_can_be_deployed_again(state: State) -> None:
    shown = of(ended(state, "that is it"))
    assert shown.state.final is state.final
    assert shown.actions == ((REDEPLOY,) if state.final else ())


def test_failed_objects_come_first_and_the_unchanged_are_counted() -> None:
    objects = (result(1, Action.UPDATED), result(2, Action.FAILED, "no | room"), *[result(9, Action.UNCHANGED)] * 3)
    lines = failed(Stage.APPLY, "1 of 5 objects failed", *objects).summary.splitlines()
    rows = [line for line in lines if line.startswith("| failed") or line.startswith("| updated")]
    assert rows == [
        r"| failed | `Deployment shop/web-2` | `no \| room` |",
        r"| updated | `Deployment shop/web-1` |  |",
    ]
    assert "and 3 unchanged" in lines


def test_a_long_table_ends_with_how_many_are_left_out() -> None:
    objects = tuple(result(number, Action.CREATED) for number in range(MOST_ROWS + 312))
    summary = of(ended(State.SUCCEEDED, "done", objects=objects)).summary
    assert summary.count("| created |") == MOST_ROWS
    assert "and 312 others, see the page" in summary


def test_the_time_of_each_stage_and_the_page_are_there() -> None:
    summary = of(ended(State.SUCCEEDED, "done", StageRecord(Stage.FETCH, after(1), after(1.5)))).summary
    assert "| fetch | 0.50 |" in summary
    assert f"({PAGE})" in summary


def test_what_a_rollout_waits_for_is_told_reason_by_reason() -> None:
    message = "4/6 ready after 300 s: Deployment shop/web: no image; Deployment shop/api: no room"
    assert "Deployment shop/web: no image\nDeployment shop/api: no room" in failed(Stage.ROLLOUT, message).summary


def test_the_end_of_the_log_is_there_when_it_failed_without_what_is_about_the_forge() -> None:
    log = ("T12:00:00Z render: it", "T12:00:01Z report: retry 1 of 19 in 5 s: away")
    account = replace(ended(State.FAILED, "render: no"), log=log)
    assert "render: it" in of(account).summary
    assert "retry 1" not in of(account).summary


@pytest.mark.parametrize(
    ("message", "places"),
    [
        ("base/kustomization.yaml:4: resources: '../..' leads out of the repository", [("base/kustomization.yaml", 4)]),
        ("a/web.yaml:2: it is remote; b/api.yml:3: it is, too; and 4 more", [("a/web.yaml", 2), ("b/api.yml", 3)]),
        ("accumulating resources: base/web.yaml: yaml: line 7: mapping values", [("base/web.yaml", 7)]),
        ("base/web.yaml: no such file or directory", [("base/web.yaml", 1)]),
        ("base/Kustomization:3: namePrefix: is not known", [("base/Kustomization", 3)]),
        ("the overlay renders to nothing", [(KUSTOMIZATION, 1)]),
        ("../secret.yaml:4: /etc/passwd.txt is not there", [(KUSTOMIZATION, 1)]),
        ("document 3 (Deployment web): metadata has no name", [(KUSTOMIZATION, 1)]),
    ],
)
def test_what_is_wrong_with_an_overlay_is_shown_at_its_place(message: str, places: list[tuple[str, int]]) -> None:
    assert [(each.path, each.line) for each in failed(Stage.RENDER, message).annotations] == places


def test_what_the_cluster_refuses_is_shown_at_the_kustomization() -> None:
    shown = failed(
        Stage.APPLY, "1 of 2 objects failed", result(1, Action.FAILED, "spec: no"), result(2, Action.UPDATED)
    )
    assert shown.annotations == (Annotation(KUSTOMIZATION, 1, "Deployment.apps shop/web-1: spec: no"),)


def test_what_the_cluster_refuses_is_shown_at_the_line_that_says_it() -> None:
    wrong = replace(result(1, Action.FAILED, "spec: no"), source="base/web.yaml:7")
    shown = failed(Stage.APPLY, "1 of 1 objects failed", wrong)
    assert shown.annotations == (Annotation("base/web.yaml", 7, "Deployment.apps shop/web-1: spec: no"),)


def test_an_overlay_that_is_the_repository_and_one_that_left_the_settings() -> None:
    account = ended(State.FAILED, "render: no", StageRecord(Stage.RENDER, after(1), after(2), "no"))
    root = check(account, environment=replace(environment(), overlay="."), page=PAGE)
    assert [each.path for each in root.annotations] == ["kustomization.yaml"]
    assert check(account, environment=None, page=PAGE).annotations == ()


def test_a_cluster_that_is_away_is_nobodys_line() -> None:
    assert failed(Stage.APPLY, "cluster staging cannot be reached").annotations == ()
    assert failed(Stage.FETCH, "no such commit, see x.yaml:3: y").annotations == ()


def test_what_others_said_is_no_markdown() -> None:
    hostile = failed(Stage.RENDER, "no```\n\n# Approved").summary
    assert "\n# Approved" not in hostile
