"""Environments are held to git: what a look sees, what follows from it, and what it never does to others."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError as NotConnected
from structlog.testing import capture_logs

from deployer.cluster.connection import Connection
from deployer.holding import DriftState, Step
from deployer.store.drift import Drifts
from jobs import drift
from jobs.hold import BUSY, Hold
from jobs.queue import CHECKS
from tests.control_plane import free_port
from tests.examples import PRODUCTION, STAGING
from tests.jobs.branches import audited, jobs
from tests.jobs.drifting import bring, deployed, drift_posts, edit, elsewhere, live, look, settled
from tests.jobs.world import World


@pytest.fixture
def cluster_kubeconfig(kubeconfig: Path) -> Path:
    return kubeconfig


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


def test_what_is_ignored_is_looked_at_on_demand_only(world: World, cluster: Connection) -> None:
    here = deployed(world, drift="ignore")
    edit(here, cluster, "mine")
    here.clock.move(100_000)
    drift.ask_for_due(here.given)
    drift.check_due(here.given)
    assert look(here).state is DriftState.DRIFTED
    assert drift_posts(here) == []
    assert live(here, cluster) == "mine"


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


def test_whoever_is_told_to_stop_looks_at_no_further_environment(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    here = settled(world)
    leases = here.given.store.leases
    for key in (STAGING, PRODUCTION):
        here.given.store.drift.look_at(key, due=here.clock())
    looked = []

    def told_meanwhile(hold: Hold) -> None:
        looked.append(hold.environment.key)
        leases.stopping = True

    monkeypatch.setattr(Hold, "look", told_meanwhile)
    drift.check_due(here.given)
    assert len(looked) == 1
    (left,) = {STAGING, PRODUCTION} - set(looked)
    assert here.given.store.drift.due(at=here.clock()) == (left,), "for the next worker"


def test_a_redis_that_goes_away_meanwhile_is_logged_and_what_was_due_is_looked_at_when_it_is_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = settled(world)
    here.given.store.drift.look_at(STAGING, due=here.clock())

    def away(*_: object, **__: object) -> bool:
        monkeypatch.undo()
        raise NotConnected("connection refused")

    monkeypatch.setattr(Drifts, "claim", away)
    with capture_logs() as logs:
        drift.check_due(here.given)
    assert ("redis", "connection refused") in [(each["event"], each.get("error")) for each in logs]
    assert here.given.store.drift.due(at=here.clock()) == ()


# Clusters that are away


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield server.getsockname()[1]


def test_of_ten_clusters_a_closed_and_a_silent_one_delay_no_other(
    world: World, silent: int, cluster_kubeconfig: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drift, "ANSWER_SECONDS", 1.0)
    dead = {"closed": elsewhere(tmp_path, cluster_kubeconfig, free_port())}
    dead["silent"] = elsewhere(tmp_path, cluster_kubeconfig, silent)
    ready = deployed(world)
    bring(ready, PRODUCTION)
    here = settled(ready, clusters={f"c{number}": cluster_kubeconfig for number in range(8)} | dead)
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
