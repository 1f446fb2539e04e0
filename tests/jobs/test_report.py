from __future__ import annotations

import secrets
from dataclasses import replace
from pathlib import Path

import pytest
from rq.registry import ScheduledJobRegistry

from deployer.model import Deployment, State
from deployer.retries import REPORTS as REPORTS_BUDGET
from deployer.settings import ClusterSettings, FileSecret
from jobs.queue import REPORTS
from jobs.report import Teller, report_owed
from tests.examples import PRODUCTION, STAGING, after, deployment
from tests.forges.recording import Answer
from tests.jobs.world import World

COMMIT = secrets.token_hex(20)


def queue(world: World) -> None:
    world.given.store.deployments.queue(deployment(commit=COMMIT))


def scheduled(world: World) -> int:
    return ScheduledJobRegistry(REPORTS, connection=world.given.redis).count


def test_pending_then_the_final_state_each_once(world: World) -> None:
    queue(world)
    world.report(STAGING, COMMIT)
    world.report(STAGING, COMMIT)
    world.given.store.deployments.finish(deployment(commit=COMMIT), State.SUCCEEDED, "1 object, 1 changed", at=after(3))
    world.report(STAGING, COMMIT)
    world.report(STAGING, COMMIT)
    assert world.posted() == [
        ("deploy/staging", "pending", "on its way"),
        ("deploy/staging", "success", "1 object, 1 changed"),
    ]
    assert world.given.store.reports.owed(before=after(1000)) == ()


def test_the_status_links_to_the_page_of_the_deployment(world: World) -> None:
    queue(world)
    world.report(STAGING, COMMIT)
    (request,) = world.forge.requests
    assert request.path == f"/repos/acme/shop/statuses/{COMMIT}"
    assert request.json["target_url"] == "https://deployer.example.com/deployments/a1"


def test_a_forge_that_is_away_is_told_later_and_the_deployment_is_untouched(world: World) -> None:
    queue(world)
    world.given.store.deployments.finish(deployment(commit=COMMIT), State.SUCCEEDED, "done", at=after(3))
    world.forge.answer = Answer(502)
    world.report(STAGING, COMMIT)
    assert scheduled(world) == 1
    assert world.given.store.reports.owed(before=after(1)) == ()
    assert world.latest(STAGING, COMMIT).state is State.SUCCEEDED
    world.forge.answer = Answer(201, {})
    world.report(STAGING, COMMIT)
    assert world.posted()[-1] == ("deploy/staging", "success", "done")


def test_a_refusal_is_asked_again_too_because_a_token_may_be_just_being_rotated(world: World) -> None:
    queue(world)
    world.forge.answer = Answer(401, {"message": "Bad credentials"})
    world.report(STAGING, COMMIT)
    assert scheduled(world) == 1
    world.forge.answer = Answer(201, {})
    world.report(STAGING, COMMIT)
    assert world.posted()[-1] == ("deploy/staging", "pending", "on its way")


def test_after_the_last_try_the_log_says_so(world: World) -> None:
    queue(world)
    world.forge.answer = Answer(403, {"message": "Resource not accessible"})
    for _ in range(REPORTS_BUDGET.attempts):
        world.report(STAGING, COMMIT)
    assert world.given.store.reports.owed(before=after(100_000)) == ()
    assert "report: not posted: " in world.given.store.deployments.log_lines("a1")[-1]
    assert ("reports_failed", {"forge": "github"}, 1) in world.given.store.counters.all()


def test_two_at_once_do_not_overtake_each_other(world: World) -> None:
    queue(world)
    with world.given.store.leases.hold(f"report:{STAGING}@{COMMIT}"):
        world.report(STAGING, COMMIT)
    assert world.posted() == []
    assert scheduled(world) == 1


def test_the_final_state_has_a_budget_of_its_own(world: World) -> None:
    queue(world)
    world.forge.answer = Answer(502)
    for _ in range(REPORTS_BUDGET.attempts - 1):
        world.report(STAGING, COMMIT)
    world.given.store.deployments.finish(deployment(commit=COMMIT), State.SUCCEEDED, "done", at=after(3))
    world.report(STAGING, COMMIT)
    assert world.given.store.reports.owed(before=after(100_000)) == ((STAGING, COMMIT),)


def test_one_that_cannot_be_told_does_not_hold_up_the_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def show(teller: Teller, latest: Deployment) -> None:
        if latest.key == STAGING:
            raise ValueError
        shown.append(latest.id)

    shown: list[str] = []
    queue(world)
    world.given.store.deployments.queue(deployment("b1", key=PRODUCTION, commit=COMMIT))
    monkeypatch.setattr(Teller, "_show", show)
    report_owed(world.given)
    assert shown == ["b1"]
    assert "internal error (ValueError)" in world.given.store.deployments.log_lines("a1")[-1]
    assert world.given.store.reports.owed(before=world.clock()) == ()


def test_the_forge_is_told_of_no_path_of_this_machine_and_the_log_is(world: World, tmp_path: Path) -> None:
    gone = tmp_path / "secrets" / "gone.kubeconfig"
    cluster = ClusterSettings(kubeconfig=FileSecret(file=gone))
    world.given = replace(world.given, settings=world.given.settings.model_copy(update={"clusters": {"test": cluster}}))
    world.plan(world.first)
    world.deploy(STAGING)
    world.report(STAGING, world.first)
    deployment = world.latest(STAGING, world.first)
    assert str(gone) in deployment.summary
    assert any(str(gone) in line for line in world.given.store.deployments.log_lines(deployment.id))
    assert "reading kubeconfig …/gone.kubeconfig" in world.posted()[-1][2]
    assert str(tmp_path).encode() not in b"".join(request.body for request in world.forge.requests)
