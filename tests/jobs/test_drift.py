"""Environments are held to git: what a look sees, what follows from it, and what it never does to others."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from deployer.cluster.connection import Connection, connect
from deployer.holding import COOL_DOWN, DriftState, Step
from deployer.intake import Intake, Request
from deployer.model import State, Trigger
from jobs import drift
from jobs.hold import BUSY
from jobs.queue import CHECKS
from tests import repositories
from tests.control_plane import free_port
from tests.examples import PRODUCTION, STAGING
from tests.forges.recording import Answer
from tests.jobs.branches import audited, jobs
from tests.jobs.drifting import deployed, drift_posts, edit, live, look, newest, settled
from tests.jobs.world import SHOP, World


@pytest.fixture
def cluster_kubeconfig(kubeconfig: Path) -> Path:
    return kubeconfig


@pytest.fixture
def cluster(world: World) -> Iterator[Connection]:
    with connect(world.given.settings.clusters["test"]) as connection:
        yield connection


# What a look sees and says


def test_no_drift_is_no_word(world: World) -> None:
    here = deployed(world)
    assert look(here).state is DriftState.IN_SYNC
    assert drift_posts(here) == []
    assert audited(here, "drifted") == audited(here, "in_sync") == []


def test_what_is_only_observed_is_said_and_left(world: World, cluster: Connection) -> None:
    here = deployed(world, drift="report")
    edit(here, cluster, "mine")
    checked = look(here)
    look(here)
    assert (checked.state, checked.step) == (DriftState.DRIFTED, Step.REPORT)
    assert live(here, cluster) == "mine"
    ((state, words),) = drift_posts(here)
    assert state == "failure"
    assert words.startswith("observed, not held: ConfigMap ")
    assert "data.text hello → mine by kubectl-edit at " in words
    assert here.given.store.deployments.queued(STAGING) == ()
    (row,) = audited(here, "drifted")
    assert "mine" not in str(row)
    edit(here, cluster, "hello")
    assert look(here).state is DriftState.IN_SYNC
    assert drift_posts(here)[1:] == [("success", "in sync")]
    assert len(audited(here, "in_sync")) == 1


def test_what_is_held_is_put_back_by_a_deployment(world: World, cluster: Connection) -> None:
    here = deployed(world, drift="revert")
    before = here.posted()
    edit(here, cluster, "mine")
    here.clock.move(1)
    look(here)
    reverting = newest(here)
    assert (reverting.trigger, reverting.commit, reverting.actor) == (Trigger.DRIFT, here.first, None)
    here.deploy(STAGING)
    here.report(STAGING, here.first)
    assert live(here, cluster) == "hello"
    assert newest(here).state is State.SUCCEEDED
    assert here.given.store.drift.due(at=here.clock())[-1] == STAGING, "right after a deployment"
    assert look(here).state is DriftState.IN_SYNC
    assert [state for state, _ in drift_posts(here)] == ["pending", "success"]
    assert [each for each in here.posted() if each[0] == "deploy/staging"] == before, "nothing new of the merge"
    assert any("data.text by kubectl-edit" in str(row.fields) for row in here.given.store.audit.rows())
    assert ("drift_reverts", {"repository": SHOP, "environment": "staging"}, 1) in here.given.store.counters.all()


def test_what_is_ignored_is_looked_at_on_demand_only(world: World, cluster: Connection) -> None:
    here = deployed(world, drift="ignore")
    edit(here, cluster, "mine")
    here.clock.move(100_000)
    drift.ask_for_due(here.given)
    drift.check_due(here.given)
    assert look(here).state is DriftState.DRIFTED
    assert drift_posts(here) == []
    assert live(here, cluster) == "mine"


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


# A fight


def test_a_fighting_controller_is_stopped_and_named(world: World, cluster: Connection) -> None:
    here = deployed(world, drift="revert")
    for _ in range(3):
        edit(here, cluster, "theirs", by="rival-controller")
        assert look(here).step is Step.REVERT
        here.deploy(STAGING)
        assert live(here, cluster) == "hello"
        here.clock.move(COOL_DOWN.total_seconds())
    edit(here, cluster, "theirs", by="rival-controller")
    for _ in range(3):
        assert look(here).step is Step.STOP
        here.clock.move(COOL_DOWN.total_seconds())
    assert here.given.store.deployments.queued(STAGING) == ()
    state, words = drift_posts(here)[-1]
    assert state == "failure"
    assert words.startswith("not put back any more, rival-controller changes it again each time")
    (row,) = audited(here, "revert stopped")
    assert "rival-controller" in str(row["reason"])


def test_within_the_cool_down_nothing_is_written_and_the_next_look_is_at_its_end(
    world: World, cluster: Connection
) -> None:
    here = deployed(world, drift="revert")
    edit(here, cluster, "one")
    look(here)
    here.deploy(STAGING)
    edit(here, cluster, "two")
    assert look(here).step is Step.COOL
    assert here.given.store.deployments.queued(STAGING) == ()
    here.clock.move(COOL_DOWN.total_seconds())
    assert STAGING in here.given.store.drift.due(at=here.clock())
    assert look(here).step is Step.REVERT


# When it is looked


def test_the_clock_spreads_what_is_new_and_rings_once(world: World) -> None:
    here = settled(world, drift_interval=100)
    drift.ask_for_due(here.given)
    assert here.given.store.drift.unknown([STAGING, PRODUCTION]) == ()
    here.clock.move(101)
    drift.ask_for_due(here.given)
    drift.ask_for_due(here.given)
    assert jobs(here, CHECKS) == [("jobs.drift.check",)]
    drift.check_due(here.given)
    assert here.given.store.drift.due(at=here.clock()) == ()
    here.clock.move(74)
    assert here.given.store.drift.due(at=here.clock()) == ()
    here.clock.move(52)
    assert len(here.given.store.drift.due(at=here.clock())) == 2


def test_what_was_never_deployed_is_unchecked(world: World) -> None:
    assert look(world).state is DriftState.UNCHECKED


@pytest.mark.parametrize("how", ["queued", "leased"])
def test_what_is_being_deployed_is_looked_at_later(world: World, cluster: Connection, how: str) -> None:
    here = deployed(world, drift="revert")
    edit(here, cluster, "mine")
    if how == "queued":
        here.plan(here.commit("newer"))
        assert look(here).state is DriftState.IN_SYNC, "as it was"
    else:
        with here.given.store.leases.hold(str(STAGING)):
            assert look(here).state is DriftState.IN_SYNC
    here.clock.move(BUSY.total_seconds())
    assert STAGING in here.given.store.drift.due(at=here.clock())
    assert not audited(here, "drifted")


def test_a_revert_gives_way_to_a_merge(world: World, cluster: Connection) -> None:
    here = deployed(world, drift="revert")
    edit(here, cluster, "mine")
    look(here)
    newer = here.commit("newer")
    here.plan(newer)
    here.deploy(STAGING)
    assert live(here, cluster) == "newer"
    ended = {one.trigger: one.state for one in here.given.store.deployments.newest(STAGING)}
    assert ended[Trigger.DRIFT] is State.SUPERSEDED
    assert here.given.store.environments.get(STAGING).deployed == newer


def test_a_commit_that_drifted_has_its_last_word_when_another_is_deployed(world: World, cluster: Connection) -> None:
    here = deployed(world, drift="report")
    edit(here, cluster, "mine")
    look(here)
    newer = here.commit("ahoy")
    here.plan(newer)
    here.clock.move(1)
    here.deploy(STAGING)
    here.forge.requests.clear()
    look(here)
    look(here)
    (last,) = [each for each in here.forge.requests if "/statuses/" in each.path and "drift" in each.json["context"]]
    assert last.path.endswith(here.first)
    assert last.json["description"] == "the environment runs another commit now"


def test_a_newer_commit_that_cannot_be_rendered_does_not_end_the_hold(world: World, cluster: Connection) -> None:
    here = deployed(world, drift="revert")
    broken = repositories.commit(here.repository, {"staging/kustomization.yaml": "resources: [gone.yaml]\n"}, "Break")
    here.plan(broken)
    here.deploy(STAGING)
    assert here.latest(STAGING, broken).state is State.FAILED
    edit(here, cluster, "mine")
    here.clock.move(1)
    assert look(here).step is Step.REVERT
    here.deploy(STAGING)
    assert (newest(here).trigger, newest(here).state) == (Trigger.DRIFT, State.SUCCEEDED)
    assert live(here, cluster) == "hello"


@pytest.mark.parametrize("trigger", [Trigger.MANUAL, Trigger.ROLLBACK, Trigger.RERUN])
def test_what_a_person_asks_for_does_not_join_a_revert(world: World, cluster: Connection, trigger: Trigger) -> None:
    here = deployed(world, drift="revert")
    edit(here, cluster, "mine")
    look(here)
    intake = Intake(here.given.store, here.given.queues, here.clock)
    asked = intake.accept(Request(STAGING, here.first, trigger, actor="ada"))
    assert asked.trigger is trigger
    here.deploy(STAGING)
    ended = here.latest(STAGING, here.first)
    assert (ended.id, ended.state) == (asked.id, State.SUCCEEDED)
    assert here.given.store.deployments.queued(STAGING) == ()
    assert live(here, cluster) == "hello"


def test_after_a_revert_a_late_delivery_of_the_same_merge_changes_nothing(world: World, cluster: Connection) -> None:
    here = deployed(world, drift="revert")
    edit(here, cluster, "mine")
    look(here)
    here.deploy(STAGING)
    here.plan(here.first)
    assert here.given.store.deployments.queued(STAGING) == ()


# Clusters that are away


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield server.getsockname()[1]


def elsewhere(folder: Path, kubeconfig: Path, port: int) -> Path:
    content = yaml.safe_load(kubeconfig.read_text())
    for each in content["clusters"]:
        each["cluster"]["server"] = f"https://127.0.0.1:{port}"
    path = folder / f"kubeconfig-{port}"
    path.write_text(yaml.safe_dump(content))
    return path


def test_of_ten_clusters_a_closed_and_a_silent_one_delay_no_other(
    world: World, silent: int, cluster_kubeconfig: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drift, "ANSWER_SECONDS", 1.0)
    dead = {"closed": elsewhere(tmp_path, cluster_kubeconfig, free_port())}
    dead["silent"] = elsewhere(tmp_path, cluster_kubeconfig, silent)
    here = settled(deployed(world), clusters={f"c{number}": cluster_kubeconfig for number in range(8)} | dead)
    records = here.given.redis
    for each in here.given.settings.environments:
        name = f"deployer:environment:{each.key}"
        if each.key not in (STAGING, PRODUCTION):
            records.hset(name, mapping={"deployed": here.first, "desired": here.first, "chosen": "a1"})
        here.given.store.drift.look_at(each.key, due=here.clock())
    begun = time.monotonic()
    drift.check_due(here.given)
    assert time.monotonic() - begun < 5
    looks = {each.key.environment: here.given.store.drift.get(each.key) for each in here.given.settings.environments}
    unknown = {name: checked.reason for name, checked in looks.items() if checked.state is DriftState.UNKNOWN}
    assert set(unknown) == {"closed", "silent"}
    assert "no answer from the cluster" in unknown["silent"]
    assert all(checked.checked_at == here.clock() for checked in looks.values())
    assert here.given.store.deployments.queued(STAGING) == ()
