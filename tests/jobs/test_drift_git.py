"""Environments are held to git also where git is not at hand: on a new machine, or while its server is silent."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deployer.cluster.connection import Connection
from deployer.holding import DriftState, Step
from deployer.model import Environment
from deployer.source.mirror import Mirror
from jobs import drift
from jobs.resources import Resources
from tests.examples import PRODUCTION, STAGING
from tests.jobs.drifting import bring, deployed, edit, live, look, settled
from tests.jobs.world import World

pytestmark = pytest.mark.thorough


@pytest.fixture
def cluster_kubeconfig(kubeconfig: Path) -> Path:
    return kubeconfig


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield server.getsockname()[1]


def test_a_machine_that_has_nothing_yet_fetches_and_holds(world: World, cluster: Connection, tmp_path: Path) -> None:
    here = deployed(world, drift="revert")
    (tmp_path / "elsewhere").mkdir()
    there = replace(here, given=replace(here.given, data=tmp_path / "elsewhere", _mirrors={}))
    edit(there, cluster, "mine")
    assert (look(there).state, look(there).step) == (DriftState.DRIFTED, Step.REVERT)
    there.deploy(STAGING)
    assert live(there, cluster) == "hello"


def test_a_silent_git_server_delays_neither_another_cluster_nor_others_on_its_own(
    world: World, cluster_kubeconfig: Path, silent: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drift, "ANSWER_SECONDS", 1.0)
    ready = deployed(world)
    bring(ready, PRODUCTION)
    here = settled(ready, clusters={"other": cluster_kubeconfig})
    (other,) = (each for each in here.given.settings.environments if each.cluster == "other")
    record = {"deployed": here.first, "desired": here.first, "chosen": "a1"}
    here.given.redis.hset(f"deployer:environment:{other.key}", mapping=record)
    away = Mirror(tmp_path / "away.git", f"http://127.0.0.1:{silent}/acme/shop.git", seconds=4)
    mirror = Resources.mirror

    def of(given: Resources, environment: Environment) -> Mirror:
        return away if environment.key == PRODUCTION else mirror(given, environment)

    monkeypatch.setattr(Resources, "mirror", of)
    here.clock.move(60)
    begun = time.monotonic()
    asked = [here.given.settings.environment(key) for key in (PRODUCTION, STAGING, other.key)]
    drift.check_now(here.given, asked)
    assert time.monotonic() - begun < 3.5
    looks = {each.key: here.given.store.drift.get(each.key) for each in asked}
    assert looks[PRODUCTION].state is DriftState.UNKNOWN
    assert "no answer from its repository" in looks[PRODUCTION].reason
    assert DriftState.UNKNOWN not in (looks[STAGING].state, looks[other.key].state)
    assert all(checked.checked_at == here.clock() for checked in looks.values())
