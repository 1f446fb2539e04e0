"""Who gets a worker: no repository and no cluster takes what others need."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from deployer.model import EnvironmentKey
from deployer.planning import in_turn
from deployer.settings import Settings
from jobs import rollout, turns
from jobs.lanes import next_turn, room
from jobs.turns import work_with
from tests.examples import PRODUCTION, STAGING, deployment
from tests.jobs.world import World

LANES = {"a1": ("a", "x"), "a2": ("a", "x"), "a3": ("a", "y"), "b1": ("b", "x"), "c1": ("c", "z")}


def key(name: str) -> EnvironmentKey:
    return EnvironmentKey("github", "acme/shop", name)


def chosen(waiting: str, running: str, most: int) -> list[str]:
    names = [key(name) for name in waiting.split()], [key(name) for name in running.split()]
    found = in_turn(names[0], running=names[1], lanes=lambda each: LANES[each.environment], most=most)
    return [each.environment for each in found]


@pytest.mark.parametrize(
    ("waiting", "running", "most", "expected"),
    [
        ("a1 b1 c1", "", 3, ["a1", "b1", "c1"]),
        ("a2 b1 c1", "a1", 3, ["c1", "a2", "b1"]),
        ("a2 a3 c1", "a1", 1, ["c1"]),
        ("a3 b1", "a1 a2", 2, []),
        ("a1 a2", "a1", 2, ["a2"]),
        ("b1", "a1 a2", 3, ["b1"]),
    ],
    ids=[
        "the longest first",
        "the least loaded first",
        "full lane",
        "full repository and full cluster",
        "running",
        "room",
    ],
)
def test_who_goes_next(waiting: str, running: str, most: int, expected: list[str]) -> None:
    assert chosen(waiting, running, most) == expected


def two_clusters(world: World) -> World:
    """The same world with production on a cluster of its own, by the settings."""
    settings = world.given.settings
    (repository,) = settings.repositories
    other = repository.environments["production"].model_copy(update={"cluster": "other"})
    more = repository.model_copy(update={"environments": {**repository.environments, "production": other}})
    sections = {name: getattr(settings, name) for name in Settings.model_fields}
    clusters = {**settings.clusters, "other": settings.clusters["test"]}
    changed = Settings(**{**sections, "clusters": clusters, "repositories": (more,)})
    return replace(world, given=replace(world.given, settings=changed))


def test_what_all_environments_share_holds_none_back(world: World) -> None:
    assert world.given.settings.lanes(STAGING) == ()
    assert two_clusters(world).given.settings.lanes(STAGING) == ("cluster test",)
    assert two_clusters(world).given.settings.lanes(PRODUCTION) == ("cluster other",)


def test_without_repositories_nothing_is_shared(world: World) -> None:
    sections = {name: getattr(world.given.settings, name) for name in Settings.model_fields}
    assert Settings(**{**sections, "repositories": ()}).lanes(STAGING) == ()


@contextmanager
def stuck(monkeypatch: pytest.MonkeyPatch, *, keys: tuple[EnvironmentKey, ...]) -> Iterator[threading.Event]:
    """Deployments to these hang until the block ends; gives what is set when one does."""
    deploy, hangs, go_on = turns.deploy_with, threading.Event(), threading.Event()

    def slow(given: object, key: EnvironmentKey) -> None:
        if key in keys:
            hangs.set()
            go_on.wait(20)
        deploy(given, key)  # type: ignore[arg-type]

    monkeypatch.setattr(turns, "deploy_with", slow)
    try:
        yield hangs
    finally:
        go_on.set()


def test_a_stuck_cluster_leaves_a_worker_to_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = two_clusters(world)
    monkeypatch.setattr(type(world.given.queues), "workers", lambda _: 2)
    blocked = replace(STAGING, environment="blocked")
    wide.given.store.deployments.queue(deployment("d1", key=STAGING))
    with stuck(monkeypatch, keys=(STAGING,)) as hangs:
        worker = threading.Thread(target=work_with, args=(wide.given,))
        worker.start()
        assert hangs.wait(10)
        with room(wide.given, STAGING) as there:
            assert not there, "somebody is at it"
        lanes = {STAGING: ("cluster test",), blocked: ("cluster test",), PRODUCTION: ("cluster other",)}
        monkeypatch.setattr(Settings, "lanes", lambda _, each: lanes[each])
        wide.given.store.deployments.queue(deployment("d2", key=blocked))
        assert next_turn(wide.given, workers=2) is None, "one of two workers is all that a cluster may have"
        wide.given.store.deployments.queue(deployment("d3", key=PRODUCTION))
        assert next_turn(wide.given, workers=2) == PRODUCTION
    worker.join(20)
    assert not worker.is_alive()


def test_looks_at_a_stuck_cluster_take_no_worker_either(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = two_clusters(world)
    monkeypatch.setattr(type(world.given.queues), "workers", lambda _: 2)
    monkeypatch.setattr(Settings, "lanes", lambda _, key: (f"cluster {'other' if key == PRODUCTION else 'test'}",))
    looked: list[EnvironmentKey] = []
    monkeypatch.setattr(rollout, "look_with", lambda _, key, __: looked.append(key))
    with room(wide.given, replace(STAGING, environment="stuck")):
        rollout.look_in_turn(wide.given, STAGING, 0)
        rollout.look_in_turn(wide.given, PRODUCTION, 0)
    assert looked == [PRODUCTION]
    rollout.look_in_turn(wide.given, STAGING, 0)
    assert looked == [PRODUCTION, STAGING]


def test_a_look_that_finds_others_waiting_has_them_deployed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollout, "look_with", lambda *_: None)
    rollout.look_in_turn(world.given, STAGING, 0)
    assert world.given.queues.depths()["deployments"] == 0
    world.given.store.deployments.queue(deployment("d1", key=PRODUCTION))
    rollout.look_in_turn(world.given, STAGING, 0)
    assert world.given.queues.depths()["deployments"] == 1


def test_one_job_gives_turns_until_nobody_waits(world: World) -> None:
    world.plan(world.first)
    work_with(world.given)
    assert {world.latest(each, world.first).state.value for each in (STAGING, PRODUCTION)} == {"succeeded"}
    assert world.given.store.turns.running().keys == ()


def test_a_worker_that_others_need_gives_no_further_turn(world: World) -> None:
    world.plan(world.first)
    world.given.queues.plan()
    work_with(world.given)
    states = sorted(world.latest(each, world.first).state.value for each in (STAGING, PRODUCTION))
    assert states == ["queued", "succeeded"]
    assert world.given.queues.depths()["deployments"] > 0, "somebody goes on"


def test_a_turn_ends_also_when_its_deployment_breaks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object) -> None:
        raise RuntimeError

    world.plan(world.first)
    monkeypatch.setattr(turns, "deploy_with", breaks)
    with pytest.raises(RuntimeError):
        work_with(world.given)
    assert world.given.store.turns.running().keys == ()
