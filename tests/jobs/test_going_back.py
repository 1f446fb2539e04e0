"""What somebody went back from stays away until something new is merged, or somebody asks for it."""

from __future__ import annotations

from typing import Any

import pytest

from deployer.model import State, Trigger
from deployer.source.overlay import reads
from tests import repositories
from tests.examples import STAGING, deployment
from tests.jobs.dying import Killed, die
from tests.jobs.world import World, plan_all


def test_another_event_of_a_merge_that_left_alone_what_was_rolled_back_changes_nothing(world: World) -> None:
    world.plan(world.first)
    world.deploy(STAGING)
    world.plan(world.commit("bad"))
    world.deploy(STAGING)
    readme = repositories.commit(world.repository, {"README": "hello"}, "Explain")
    world.plan(readme)
    world.go_back(STAGING)
    world.deploy(STAGING)
    world.clock.move(60)
    world.plan(readme)
    world.deploy(STAGING)
    assert world.given.store.environments.get(STAGING).deployed == world.first
    assert world.latest(STAGING, readme).summary.startswith("rolled back")


def test_another_event_of_what_was_rolled_back_does_not_bring_it_back(world: World) -> None:
    world.plan(world.first)
    world.deploy(STAGING)
    bad = world.commit("bad")
    world.plan(bad)
    world.deploy(STAGING)
    world.go_back(STAGING)
    world.deploy(STAGING)
    world.plan(bad)
    assert world.given.store.deployments.queued(STAGING) == ()
    assert world.given.store.environments.get(STAGING).deployed == world.first


@pytest.mark.parametrize("asked", [Trigger.MANUAL, Trigger.RERUN, Trigger.REPLAY])
def test_a_rollback_stays_one_when_what_was_gone_back_to_is_deployed_once_more(world: World, asked: Trigger) -> None:
    bad = rolled_back(world)
    world.given.store.deployments.queue(deployment("again", commit=world.first, trigger=asked))
    world.deploy(STAGING)
    world.plan(bad)
    assert world.given.store.deployments.queued(STAGING) == ()
    assert world.given.store.environments.get(STAGING).deployed == world.first


def test_a_new_merge_ends_a_rollback(world: World) -> None:
    rolled_back(world)
    world.plan(better := world.commit("better"))
    world.deploy(STAGING)
    assert world.given.store.environments.get(STAGING).deployed == better
    assert world.given.store.environments.get(STAGING).back_to is None


def test_a_merge_after_a_rollback_survives_a_planning_that_breaks_off(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    rolled_back(world)
    better = world.commit("better")
    with monkeypatch.context() as deadly:
        deadly.setattr("jobs.plan.reads", die)
        with pytest.raises(Killed):
            world.plan(better)
    world.clock.move(60)
    plan_all(world.given)
    world.deploy(STAGING)
    assert world.given.store.environments.get(STAGING).deployed == better


def test_a_rollback_that_waits_keeps_no_merge_away_that_came_after_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor one that is tried again: what it leaves behind is what there was when somebody asked for it."""
    run_bad(world)
    world.go_back(STAGING)
    better = world.commit("better")

    def run_meanwhile(*given: Any, **more: Any) -> Any:
        world.deploy(STAGING)  # the worker of the environment is faster than the one that plans the merge
        return reads(*given, **more)

    monkeypatch.setattr("jobs.plan.reads", run_meanwhile)
    world.plan(better)
    world.deploy(STAGING)
    assert world.given.store.environments.get(STAGING).deployed == better


def test_merges_go_on_after_a_rollback_before_anything_was_planned(world: World) -> None:
    world.go_back(STAGING)
    world.deploy(STAGING)
    world.plan(better := world.commit("better"))
    world.deploy(STAGING)
    assert world.given.store.environments.get(STAGING).deployed == better


@pytest.mark.parametrize("running", [False, True])
def test_a_rollback_does_not_share_the_fate_of_what_gives_way_to_newer_commits(world: World, running: bool) -> None:
    run_bad(world)
    older = deployment("older", commit=world.first, trigger=Trigger.MANUAL)
    world.given.store.deployments.queue(older)
    if running:
        world.given.store.deployments.advance(older, State.RUNNING, "writes")
    world.go_back(STAGING)
    world.deploy(STAGING)
    assert world.given.store.environments.get(STAGING).deployed == world.first


def test_a_second_rollback_leaves_behind_what_was_merged_since_the_first(world: World) -> None:
    run_bad(world)
    world.go_back(STAGING)
    world.plan(world.commit("worse"))
    world.go_back(STAGING)
    world.deploy(STAGING)
    assert world.given.store.environments.get(STAGING).deployed == world.first


def test_a_merge_that_was_being_planned_when_somebody_went_back_does_not_undo_that(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_bad(world)

    def go_back_meanwhile(*given: Any, **more: Any) -> Any:
        world.go_back(STAGING)
        return reads(*given, **more)

    monkeypatch.setattr("jobs.plan.reads", go_back_meanwhile)
    world.plan(world.commit("worse"))
    world.deploy(STAGING)
    assert world.given.store.environments.get(STAGING).deployed == world.first


@pytest.mark.parametrize("told_by", [Trigger.MERGE, Trigger.SWEEP])
def test_a_merge_that_was_queued_while_a_rollback_began_does_not_undo_it(world: World, told_by: Trigger) -> None:
    bad = rolled_back(world)
    world.given.store.deployments.queue(deployment("late", commit=bad, trigger=told_by))
    world.deploy(STAGING)
    assert world.given.store.environments.get(STAGING).deployed == world.first
    assert world.latest(STAGING, bad).summary.startswith("rolled back")


def test_what_was_left_behind_takes_nothing_along_that_somebody_asked_for(world: World) -> None:
    bad = rolled_back(world)
    world.given.store.deployments.queue(deployment("again", commit=world.first, trigger=Trigger.MANUAL))
    world.given.store.deployments.queue(deployment("late", commit=bad, trigger=Trigger.MERGE))
    world.deploy(STAGING)
    assert world.latest(STAGING, world.first).state is State.SUCCEEDED
    assert world.latest(STAGING, bad).summary.startswith("rolled back")


def test_a_rollback_does_not_end_by_what_is_refused_as_older(world: World) -> None:
    """Somebody asks for another older commit, but not to go back to it, while the rollback waits."""
    world.plan(older := world.commit("older"))
    world.plan(bad := world.commit("bad"))
    world.deploy(STAGING)
    world.go_back(STAGING)
    world.given.store.deployments.queue(deployment("other", commit=older, trigger=Trigger.MANUAL))
    world.deploy(STAGING)
    assert world.given.store.environments.get(STAGING).desired == world.first
    assert world.latest(STAGING, older).summary.startswith(f"older than {bad[:12]}")


def test_what_was_left_behind_runs_when_somebody_asks_for_it_before_the_rollback_began(world: World) -> None:
    bad = run_bad(world)
    world.go_back(STAGING)
    world.given.store.deployments.queue(deployment("again", commit=bad, trigger=Trigger.MANUAL))
    world.deploy(STAGING)
    assert world.given.store.environments.get(STAGING).deployed == bad
    assert world.latest(STAGING, world.first).state is State.SUPERSEDED


def test_a_replay_of_what_is_older_is_told_nothing_that_is_not_so(world: World) -> None:
    world.plan(world.first)
    world.plan(older := world.commit("older"), delivery="older")
    world.plan(bad := world.commit("bad"))
    world.deploy(STAGING)
    world.go_back(STAGING)
    world.deploy(STAGING)
    world.clock.move(60)
    world.plan(older, delivery="older")
    assert world.latest(STAGING, older).summary.startswith(f"older than {bad[:12]}, which was merged later; ")


def test_putting_back_what_drifted_ends_no_rollback(world: World) -> None:
    rolled_back(world)
    world.given.store.environments.begin(deployment("drift", commit="d" * 40, trigger=Trigger.DRIFT))
    assert world.given.store.environments.get(STAGING).back_to == world.first


def run_bad(world: World) -> str:
    """Deploy the first commit and one that will be regretted; gives that."""
    for commit in (world.first, bad := world.commit("bad")):
        world.plan(commit)
        world.deploy(STAGING)
    return bad


def rolled_back(world: World) -> str:
    """Deploy a commit and go back from it; gives that commit."""
    bad = run_bad(world)
    world.go_back(STAGING)
    world.deploy(STAGING)
    return bad
