"""What the commits say of drift: while nothing is known, when the forge is away, and once something else runs."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from deployer.cluster.connection import Connection
from deployer.holding import DriftState, Step
from deployer.intake import Intake, Request
from deployer.model import Trigger
from jobs import drift
from jobs.queue import CHECKS
from jobs.report import report_owed
from tests.control_plane import free_port
from tests.examples import STAGING
from tests.forges.recording import Answer
from tests.jobs.branches import audited, jobs
from tests.jobs.drifting import change, deployed, drift_posts, edit, elsewhere, look, settled
from tests.jobs.world import World

pytestmark = pytest.mark.thorough

INTERVAL = 300


@pytest.fixture
def cluster_kubeconfig(kubeconfig: Path) -> Path:
    return kubeconfig


@pytest.fixture
def nowhere(cluster_kubeconfig: Path, tmp_path: Path) -> Path:
    """The kubeconfig of a cluster that went away."""
    return elsewhere(tmp_path, cluster_kubeconfig, free_port())


def last_words(world: World, commit: str) -> list[tuple[str, str]]:
    """What the forge was told of staging's drift from a commit, oldest first."""
    posts = [each for each in world.forge.requests if each.method == "POST" and each.path.endswith(commit)]
    return [(each.json["state"], each.json["description"]) for each in posts if each.json["context"] == "drift/staging"]


def test_a_forge_that_is_away_is_told_by_the_next_look(world: World, cluster: Connection) -> None:
    here = deployed(world, drift="report")
    edit(here, cluster, "mine")
    good, here.forge.answer = here.forge.answer, Answer(502)
    look(here)
    here.forge.answer = good
    count = len(drift_posts(here))
    look(here)
    look(here)
    assert len(drift_posts(here)) == count + 1


def test_nothing_is_said_anew_when_whoever_changed_it_writes_something_else(world: World, cluster: Connection) -> None:
    here = deployed(world, drift="report")
    edit(here, cluster, "theirs", by="controller")
    first = look(here)
    time.sleep(1.1)  # the record of who wrote when is kept to the second
    change(here, cluster, {"metadata": {"annotations": {"beat": "2"}}}, by="controller")
    assert look(here).objects == first.objects


def test_a_commit_that_drifted_has_its_last_word_when_another_is_deployed(world: World, cluster: Connection) -> None:
    here = deployed(world, drift="report")
    edit(here, cluster, "mine")
    look(here)
    newer = here.commit("ahoy")
    here.plan(newer)
    here.clock.move(1)
    here.deploy(STAGING)
    here.forge.requests.clear()
    for _ in range(2):
        look(here)
        report_owed(here.given)
    assert last_words(here, here.first) == [("failure", "the environment runs another commit now")]
    assert last_words(here, newer) == []


def test_the_last_word_is_said_later_if_the_forge_is_away(world: World, cluster: Connection) -> None:
    here = deployed(world, drift="report")
    edit(here, cluster, "mine")
    look(here)
    newer = here.commit("ahoy")
    here.plan(newer)
    here.deploy(STAGING)
    good, here.forge.answer = here.forge.answer, Answer(502)
    look(here)
    report_owed(here.given)
    here.forge.answer = good
    here.forge.requests.clear()
    look(here)
    here.clock.move(60)
    report_owed(here.given)
    assert last_words(here, here.first) == [("failure", "the environment runs another commit now")]


def test_it_has_its_last_word_also_if_the_next_look_cannot_tell(
    world: World, cluster: Connection, nowhere: Path
) -> None:
    here = deployed(world, drift="report")
    edit(here, cluster, "mine")
    look(here)
    here.plan(here.commit("ahoy"))
    here.deploy(STAGING)
    assert look(settled(here, cluster=nowhere)).state is DriftState.UNKNOWN
    report_owed(here.given)
    assert last_words(here, here.first)[-1] == ("failure", "the environment runs another commit now")


def test_a_commit_that_runs_again_by_then_has_none(world: World, cluster: Connection) -> None:
    here = deployed(world, drift="report")
    edit(here, cluster, "mine")
    look(here)
    here.plan(here.commit("ahoy"))
    here.deploy(STAGING)
    look(here)
    Intake(here.given.store, here.given.queues, here.clock).accept(Request(STAGING, here.first, Trigger.ROLLBACK))
    here.deploy(STAGING)
    report_owed(here.given)
    assert last_words(here, here.first)[-1][1] != "the environment runs another commit now"
    look(here)
    assert last_words(here, here.first)[-1] == ("success", "in sync")


@pytest.mark.parametrize("drifted", [True, False], ids=["drifted before", "never drifted"])
def test_a_commit_says_so_when_its_environment_is_not_looked_at_any_more(
    world: World, cluster: Connection, drifted: bool
) -> None:
    here = deployed(world, drift="report")
    if drifted:
        edit(here, cluster, "mine")
        look(here)
    ignored = settled(here, drift="ignore")
    here.clock.move(2 * INTERVAL)
    asked = len(jobs(here, CHECKS))
    drift.ask_for_due(ignored.given)
    assert len(jobs(here, CHECKS)) == asked + 1
    drift.check_due(ignored.given)
    report_owed(ignored.given)
    said = last_words(here, here.first)
    assert said[1:] == ([("failure", "drift is not looked for any more")] if drifted else [])
    assert here.given.store.drift.get(STAGING).state is DriftState.UNCHECKED
    assert here.given.store.drift.due(at=here.clock()) == ()
    look(here)
    assert last_words(here, here.first)[len(said) :][:1] == said[:1], "once it is looked at again"


# While nothing is known


def test_a_cluster_that_is_away_for_a_while_is_no_word(world: World, cluster: Connection, nowhere: Path) -> None:
    here = deployed(world, drift="report")
    away = settled(here, cluster=nowhere)
    for _ in range(3):
        assert look(away).state is DriftState.UNKNOWN
        here.clock.move(INTERVAL - 1)
        look(here)
    assert drift_posts(here) == []


@pytest.mark.parametrize("drifted", [True, False], ids=["drifted before", "in sync before"])
def test_one_that_stays_away_is_said_once_with_since_when_and_what_is_known_again_as_well(
    world: World, cluster: Connection, nowhere: Path, *, drifted: bool
) -> None:
    here = deployed(world, drift="report")
    if drifted:
        edit(here, cluster, "mine")
        look(here)
    before = drift_posts(here)
    away = settled(here, cluster=nowhere)
    for _ in range(6):
        look(away)
        here.clock.move(INTERVAL)
    (told,) = drift_posts(here)[len(before) :]
    assert told[0] == "error"
    assert told[1].startswith("unknown since 2026-11-23 12:00 UTC: ")
    assert len(audited(here, "drift unknown")) == 1
    look(here)
    state, words = drift_posts(here)[-1]
    assert (state, words[:18]) == (("failure", "observed, not held") if drifted else ("success", "in sync"))


def test_it_is_told_by_a_later_look_if_the_forge_is_away_too(world: World, nowhere: Path) -> None:
    here = deployed(world, drift="report")
    away = settled(here, cluster=nowhere)
    look(away)
    here.clock.move(3 * INTERVAL)
    good, here.forge.answer = here.forge.answer, Answer(502)
    assert look(away).step is Step.NOTHING
    here.forge.answer = good
    count = len(drift_posts(here))
    for _ in range(2):
        assert look(away).step is Step.BLIND
    assert len(drift_posts(here)) == count + 1


def test_of_what_is_ignored_nothing_is_said_either(world: World, nowhere: Path) -> None:
    here = deployed(world, drift="ignore")
    away = settled(here, cluster=nowhere)
    for _ in range(6):
        look(away)
        here.clock.move(INTERVAL)
    assert drift_posts(here) == []


def test_a_forge_that_wants_a_pause_gets_it(world: World, cluster: Connection) -> None:
    here = deployed(world, drift="report")
    edit(here, cluster, "mine")
    here.forge.answer = Answer(429, headers={"Retry-After": "60"})
    look(here)
    count = len(drift_posts(here))
    look(here)
    assert len(drift_posts(here)) == count
    assert here.given.store.posted.hushed("github") > 0
