"""Environments are held to git also where git is not at hand: on a new machine, or while its server is silent."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from deployer.cluster.connection import Connection
from deployer.holding import DriftState, Step
from deployer.model import Environment, EnvironmentKey
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


@dataclass(frozen=True, slots=True)
class Ready:
    """Staging and production run the first commit, and so does an environment on a cluster of its own."""

    world: World
    other: Environment

    def environment(self, key: EnvironmentKey) -> Environment:
        return self.world.given.settings.environment(key)

    def asks(self, key: EnvironmentKey, away: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
        """What an environment runs is not here, but elsewhere."""
        mirror = Resources.mirror

        def of(given: Resources, environment: Environment) -> Mirror:
            return away if environment.key == key else mirror(given, environment)

        monkeypatch.setattr(Resources, "mirror", of)


@pytest.fixture
def ready(world: World, cluster_kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> Ready:
    monkeypatch.setattr(drift, "ANSWER_SECONDS", 1.0)
    here = deployed(world)
    bring(here, PRODUCTION)
    here = settled(here, clusters={"other": cluster_kubeconfig})
    (other,) = (each for each in here.given.settings.environments if each.cluster == "other")
    record = {"deployed": here.first, "desired": here.first, "chosen": "a1"}
    here.given.redis.hset(f"deployer:environment:{other.key}", mapping=record)
    here.clock.move(60)
    return Ready(here, other)


def away(folder: Path, port: int) -> Mirror:
    """A mirror that is to be filled from a port of this machine, and may wait for that longer than any test."""
    return Mirror(folder / "away.git", f"http://127.0.0.1:{port}/acme/shop.git", seconds=60)


def lanes() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("drift ")]


def test_a_silent_git_server_delays_neither_another_cluster_nor_others_on_its_own(
    ready: Ready, silent: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready.asks(PRODUCTION, away(tmp_path, silent), monkeypatch)
    here = ready.world
    begun = time.monotonic()
    asked = [ready.environment(PRODUCTION), ready.environment(STAGING), ready.other]
    drift.check_now(here.given, asked)
    assert time.monotonic() - begun < 3.5
    looks = {each.key: here.given.store.drift.get(each.key) for each in asked}
    assert looks[PRODUCTION].state is DriftState.UNKNOWN
    assert "no answer from its repository" in looks[PRODUCTION].reason
    assert DriftState.UNKNOWN not in (looks[STAGING].state, looks[ready.other.key].state)
    assert all(checked.checked_at == here.clock() for checked in looks.values())


def test_no_git_goes_on_without_us_when_nobody_waits_for_it_any_more(
    ready: Ready, silent: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready.asks(PRODUCTION, away(tmp_path, silent), monkeypatch)
    drift.check_now(ready.world.given, [ready.environment(PRODUCTION)])
    for left in lanes():
        left.join(5)
    assert not lanes(), "each waits for the git that it runs"


def test_a_silent_git_server_is_waited_for_once_however_many_environments_come_from_it(
    ready: Ready, silent: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, gone = ready.world, away(tmp_path, silent)
    monkeypatch.setattr(Resources, "mirror", lambda *_: gone)
    asked = [ready.environment(PRODUCTION), ready.environment(STAGING)]
    begun = time.monotonic()
    drift.check_now(here.given, asked)
    assert time.monotonic() - begun < 1.9
    looks = [here.given.store.drift.get(each.key) for each in asked]
    assert [look.state for look in looks] == [DriftState.UNKNOWN] * 2
    assert ["a moment ago" in look.reason for look in looks] == [False, True]


def test_what_takes_longer_to_fetch_is_there_for_the_next_look(
    ready: Ready, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = ready.world
    ensure = Mirror.ensure

    def slowly(mirror: Mirror, commit: str, *, branch: str) -> None:
        time.sleep(2.5)
        ensure(mirror, commit, branch=branch)

    monkeypatch.setattr(Mirror, "ensure", slowly)
    ready.asks(PRODUCTION, Mirror(tmp_path / "large.git", f"file://{here.repository}"), monkeypatch)
    for expected in (DriftState.UNKNOWN, DriftState.IN_SYNC):
        here.given.store.drift.look_at(PRODUCTION, due=here.clock())
        drift.check_due(here.given)
        assert here.given.store.drift.get(PRODUCTION).state is expected
