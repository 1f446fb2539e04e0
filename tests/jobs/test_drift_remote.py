"""What is held is what was deployed, also where an overlay fetches some of it from places that change as they like."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deployer.cluster.connection import Connection
from deployer.holding import DriftState, Step
from deployer.intake import Intake, Request
from deployer.model import State, Trigger
from deployer.source.render_cache import RenderCache
from jobs import drift
from jobs.resources import Resources
from tests import repositories
from tests.examples import STAGING
from tests.forges.recording import Answer, RecordingForge
from tests.jobs.drifting import bring, edit, live, look, newest, settled
from tests.jobs.world import World, config_map

pytestmark = pytest.mark.thorough


@dataclass
class Remote:
    """Staging gets its ConfigMap from a server elsewhere."""

    world: World
    server: RecordingForge
    rendered: Path
    """What this machine alone has rendered."""

    @property
    def fetched(self) -> int:
        return len(self.server.requests)

    def says(self, text: str) -> None:
        self.server.answer = Answer(200, config_map(text).encode())

    def forget(self) -> None:
        """What was rendered on this machine is gone."""
        shutil.rmtree(self.rendered)


@pytest.fixture
def remote(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Remote]:
    monkeypatch.setattr(Resources, "renders", RenderCache(tmp_path / "renders"))
    with RecordingForge() as server:
        here = settled(world, drift="revert", allow_remote=[f"{server.url}/bases"])
        namespace = here.given.settings.environment(STAGING).namespace
        overlay = f"namespace: {namespace}\nresources: [{server.url}/bases/a.yaml]\n"
        found = Remote(here, server, tmp_path / "renders")
        found.says("hello")
        here.plan(repositories.commit(here.repository, {"staging/kustomization.yaml": overlay}))
        bring(here, STAGING)
        yield found


def test_what_is_elsewhere_by_now_is_neither_drift_nor_brought_by_a_revert(remote: Remote, cluster: Connection) -> None:
    here, fetched = remote.world, remote.fetched
    remote.says("something else")
    assert look(here).state is DriftState.IN_SYNC
    edit(here, cluster, "mine")
    assert look(here).step is Step.REVERT
    here.deploy(STAGING)
    assert (newest(here).state, live(here, cluster)) == (State.SUCCEEDED, "hello")
    assert remote.fetched == fetched, "what was deployed is known here"


def test_a_machine_that_does_not_know_it_fetches_it_and_holds_it_if_it_is_the_same(
    remote: Remote, cluster: Connection
) -> None:
    here = remote.world
    edit(here, cluster, "mine")
    remote.forget()
    assert look(here).step is Step.REVERT
    here.deploy(STAGING)
    assert live(here, cluster) == "hello"


def test_where_only_something_else_is_to_be_had_nothing_is_known_and_nothing_put_back(
    remote: Remote, cluster: Connection
) -> None:
    here = remote.world
    edit(here, cluster, "mine")
    remote.says("something else")
    remote.forget()
    found = look(here)
    assert (found.state, found.step) == (DriftState.UNKNOWN, Step.NOTHING)
    assert "is not what was deployed" in found.reason
    ask(here, Trigger.DRIFT)
    assert (newest(here).state, live(here, cluster)) == (State.FAILED, "mine")
    assert "is not what was deployed" in newest(here).summary
    ask(here, Trigger.MANUAL)
    assert (newest(here).state, live(here, cluster)) == (State.SUCCEEDED, "something else")
    assert look(here).state is DriftState.IN_SYNC


def ask(here: World, trigger: Trigger) -> None:
    here.clock.move(1)
    commit = here.given.store.environments.get(STAGING).deployed or ""
    Intake(here.given.store, here.given.queues, here.clock).accept(Request(STAGING, commit, trigger))
    here.deploy(STAGING)


def test_a_silent_server_elsewhere_delays_no_other_cluster(
    remote: Remote, cluster_kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drift, "ANSWER_SECONDS", 1.0)
    here = settled(remote.world, clusters={"other": cluster_kubeconfig})
    (other,) = (each for each in here.given.settings.environments if each.cluster == "other")
    record = {"deployed": here.first, "desired": here.first, "chosen": "a1"}
    here.given.redis.hset(f"deployer:environment:{other.key}", mapping=record)
    remote.forget()
    remote.server.answer = Answer(delay=30)
    begun = time.monotonic()
    drift.check_now(here.given, [here.given.settings.environment(STAGING), other])
    assert time.monotonic() - begun < 3
    looks = [here.given.store.drift.get(key) for key in (STAGING, other.key)]
    assert "no answer from a place" in looks[0].reason
    assert looks[1].state is not DriftState.UNKNOWN
