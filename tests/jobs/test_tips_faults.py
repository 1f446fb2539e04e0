"""What goes wrong when we look at branches is said once, fails no commit, and holds up nobody."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from rq import Queue

from deployer import tables
from deployer.model import BranchKey, Stage, State, Temporary, Trigger
from deployer.repositories import tip
from deployer.settings import Settings
from jobs import tips
from jobs.delivery import DEATHS
from jobs.merge import CLAIM
from jobs.plan import broken
from jobs.queue import MERGES
from jobs.sweep import PATIENCE, sweep_with
from jobs.tips import DOWN, compare_with, plan_tip
from tests import repositories
from tests.examples import MAIN, PRODUCTION, STAGING
from tests.jobs.branches import GRACE_SECONDS, audited, changed, jobs, known, look, missed, planned, sweep
from tests.jobs.dying import Killed, die
from tests.jobs.world import World, plan_all


@contextmanager
def silence() -> Iterator[str]:
    """The address of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_branch_that_is_gone_is_said_once_and_in_the_status(world: World) -> None:
    world.plan(world.first)
    repositories.git(world.repository, "branch", "-m", "main", "trunk")
    told = len(known(world))
    for _ in range(3):
        sweep(world)
    (row,) = audited(world, "failed")
    assert (row["repository"], row["branch"]) == ("acme/shop", "main")
    assert "it has no branch 'main'" in str(row["reason"])
    assert len(known(world)) == told
    troubles = world.given.store.tips.troubles([MAIN])
    shown = tables.status([], {}, tables.Sweep(troubles=troubles))
    assert "github/acme/shop@main is not followed since 2026-11-23T12:00:00.000Z: asking file://" in shown
    repositories.git(world.repository, "branch", "-m", "trunk", "main")
    look(world)
    assert world.given.store.tips.troubles([MAIN]) == {}


def test_a_forge_that_is_down_is_one_line_in_the_log_and_fails_no_commit(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world = changed(world, clone_url="http://127.0.0.1:9/{repository}")
    for _ in range(DOWN + 1):
        look(world)
    assert capsys.readouterr().out.count("not_followed") == 1
    assert (audited(world, "failed"), known(world)) == ([], ())
    world = changed(world, clone_url=f"file://{world.repository.parent.parent}/{{repository}}")
    for _ in range(3):
        look(world)
    assert capsys.readouterr().out.count("followed_again") == 1


def test_a_commit_that_keeps_killing_its_planner_is_given_up_until_the_branch_is_at_another(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as deadly:
        deadly.setattr("jobs.plan.reads", die)
        for _ in range(DEATHS):
            with pytest.raises(Killed):
                sweep(world)
            world.clock.move(CLAIM.total_seconds())
        for _ in range(3):
            sweep(world)
    found = world.latest(STAGING, world.first)
    assert (found.state, found.trigger) == (State.FAILED, Trigger.SWEEP)
    assert found.summary == "plan: its worker died 3 times while planning it (out of memory?)"
    assert len(audited(world, "failed")) == 3, "once for the branch, once for each environment"
    world.commit("one")
    sweep(world)
    assert world.given.store.tips.troubles([MAIN]) == {}
    assert {each.trigger for each in known(world)} == {Trigger.SWEEP}
    assert world.latest(STAGING, planned(world) or "").state is State.QUEUED


@pytest.mark.parametrize("fault", [None, Temporary("away", stage=Stage.PLAN), ValueError("a bug of ours")])
def test_planning_that_comes_to_an_end_is_no_death_however_it_ends(
    world: World, monkeypatch: pytest.MonkeyPatch, fault: Exception | None
) -> None:
    def fail(*_: object, **__: object) -> None:
        assert fault is not None
        raise fault

    with monkeypatch.context() as faulty:
        if fault:
            faulty.setattr("jobs.plan.reads", fail)
        for _ in range(DEATHS):
            plan_tip(world.given, MAIN)
    plan_tip(world.given, MAIN)
    assert [each.summary for each in known(world) if "died" in each.summary] == []
    assert world.given.store.tips.troubles([MAIN]) == {}


def test_one_that_hangs_is_given_up_soon_and_not_asked_for_each_branch(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tips, "ASK_SECONDS", 0.1)
    with silence() as url:
        world = many(changed(world, clone_url=f"{url}/{{repository}}"), 20)
        asked = _count_asking(monkeypatch)
        look(world)
        assert len(asked) == DOWN
        assert "not_followed" in capsys.readouterr().out
        assert len(world.given.store.tips.troubles(world.given.settings.branches)) == 20
        for _ in range(3):
            look(world)
        assert len(asked) == DOWN + 3, "one for each round"
        assert "not_followed" not in capsys.readouterr().out
        assert world.given.store.tips.due(world.given.settings.branches, at=world.clock()) == ()


def test_a_forge_that_goes_down_between_two_looks_is_few_lines_too(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its branches are not due together, so no round sees several."""
    world = many(world, 10)
    for each in range(10):
        repositories.git(world.repository, "branch", f"b{each}")
    there, away = world, changed(world, clone_url="http://127.0.0.1:9/{repository}")
    for world, lines in ((away, DOWN), (there, 1)):
        for branch in world.given.settings.branches:
            world.given.store.tips.look_again(branch, due=world.clock())
            compare_with(world.given, "github")
        said = [line for line in capsys.readouterr().out.splitlines() if "follow" in line]
        assert len(said) == lines
    assert world.given.store.tips.troubles(world.given.settings.branches) == {}


def test_a_repository_that_hangs_holds_up_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world = many(world, 5)

    def hanging(settings: Settings, branch: BranchKey, *, seconds: float) -> str:
        if branch.name in ("b0", "b1"):
            raise Temporary("no end after 10 s", stage=Stage.FETCH)
        return tip(settings, branch, seconds=seconds)

    monkeypatch.setattr(tips, "tip", hanging)
    for each in range(5):
        repositories.git(world.repository, "branch", f"b{each}")
    sweep(world)
    troubles = world.given.store.tips.troubles(world.given.settings.branches)
    assert [branch.name for branch in troubles] == ["b0", "b1"]
    branches = [BranchKey("github", "acme/shop", f"b{each}") for each in range(5)]
    planned_ = [each for each in branches if world.given.store.environments.planned(each)]
    assert planned_ == branches[2:]


def many(world: World, count: int) -> World:
    """A world whose settings have so many branches, and no `main`."""
    (repository,) = world.given.settings.repositories
    staging = repository.environments["staging"]
    entries = tuple(
        repository.model_copy(update={"branch": f"b{each}", "environments": {f"e{each}": staging}})
        for each in range(count)
    )
    settings = Settings.model_construct(**(dict(world.given.settings) | {"repositories": entries}))
    return replace(world, given=replace(world.given, settings=settings))


def _count_asking(monkeypatch: pytest.MonkeyPatch) -> list[BranchKey]:
    asked: list[BranchKey] = []

    def counted(settings: Settings, branch: BranchKey, *, seconds: float) -> str:
        asked.append(branch)
        return tip(settings, branch, seconds=seconds)

    monkeypatch.setattr(tips, "tip", counted)
    return asked


def test_what_cannot_be_fetched_is_said_once_and_tried_again(world: World) -> None:
    world.plan(world.first)
    told = len(known(world))
    world.commit("ahoy")
    look(world)
    world.clock.move(GRACE_SECONDS)
    look(world)
    away = Path(f"{world.repository}-away")
    shutil.move(world.repository, away)
    for _ in range(3):
        plan_all(world.given)
        world.given.store.tips.owe(MAIN, due=world.clock())
    assert [row["branch"] for row in audited(world, "failed")] == ["main"]
    assert len(known(world)) == told
    shutil.move(away, world.repository)
    sweep(world)
    assert len(known(world)) == told + 2
    assert world.given.store.tips.troubles([MAIN]) == {}


def test_a_worker_that_dies_over_it_leaves_it_to_be_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It dies at the worst moment: what was planned is written down, and no deployment is."""

    world.plan(world.first)
    commit = world.commit("ahoy")
    look(world)
    world.clock.move(GRACE_SECONDS)
    look(world)
    with monkeypatch.context() as patch:
        patch.setattr("jobs.plan.reads", die)
        with pytest.raises(Killed):
            plan_all(world.given)
    assert planned(world) == commit
    world.clock.move((CLAIM + PATIENCE).total_seconds() + 1)
    Queue(MERGES, connection=world.given.redis).empty()
    sweep_with(world.given)
    assert jobs(world, MERGES) == [("jobs.merge.plan",)]
    plan_all(world.given)
    assert world.latest(STAGING, commit).trigger is Trigger.SWEEP
    assert missed(world)[0][1] == 1


def test_while_somebody_plans_the_repository_it_waits(world: World) -> None:
    world.given.store.tips.owe(MAIN, due=world.clock())
    with world.given.store.leases.hold("planning:github/acme/shop"):
        assert plan_all(world.given) == []
    world.clock.move(CLAIM.total_seconds())
    assert plan_all(world.given) == [PRODUCTION, STAGING]


def test_a_bug_of_ours_is_said_once_and_holds_up_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(*_: object, **__: object) -> None:
        raise ValueError("a bug of ours")

    monkeypatch.setattr("jobs.plan.reads", bug)
    for _ in range(2):
        world.given.store.tips.owe(MAIN, due=world.clock())
        assert plan_all(world.given) == []
    assert len(audited(world, "failed")) == 3, "once for the branch, once for each environment"
    assert world.given.store.tips.owed(before=world.clock()) == ()
    found = world.latest(STAGING, world.first)
    assert (found.state, found.summary) == (State.FAILED, broken(ValueError()))


def test_a_branch_that_left_the_settings_is_forgotten(world: World) -> None:
    gone = BranchKey("github", "acme/shop", "gone")
    world.given.store.tips.owe(gone, due=world.clock())
    assert plan_tip(world.given, gone) == []
    assert world.given.store.tips.owed(before=world.clock()) == ()
