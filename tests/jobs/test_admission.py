"""A forge that hangs, or people who write many comments, leave workers to others."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis
from rq.serializers import JSONSerializer

from deployer.model import BranchKey, EnvironmentKey
from jobs import delivery, merge
from jobs.admission import admission
from jobs.delivery import DEATHS, FULL
from jobs.plan import lease_name
from jobs.queue import BEAT_SECONDS, DEPLOYMENTS, MERGES, Queues
from jobs.resources import Resources
from jobs.worker import PoolWorker
from tests.examples import PRODUCTION, STAGING
from tests.jobs.asking import comment, send
from tests.jobs.dying import Killed, die
from tests.jobs.world import World, plan_all

BRANCH = BranchKey("github", "acme/shop", "main")


@pytest.fixture(autouse=True)
def two_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Queues, "workers", lambda _: 2)


def test_all_but_one_worker_may_plan_what_one_forge_has(world: World) -> None:
    world.deliver(world.first)
    with admission(world.given, "github") as there:
        assert there
        with admission(world.given, "github") as another, admission(world.given, "gitlab") as elsewhere:
            assert (another, elsewhere) == (False, True)
        assert plan_all(world.given) == []
    world.clock.move(FULL.total_seconds())
    assert plan_all(world.given) == [PRODUCTION, STAGING]


def test_a_branch_that_is_to_be_planned_waits_its_turn_at_its_forge_too(world: World) -> None:
    world.given.store.tips.owe(BRANCH, due=world.clock())
    with admission(world.given, "github"):
        assert plan_all(world.given) == []
    world.clock.move(60)
    assert plan_all(world.given) == [PRODUCTION, STAGING]


def test_somebody_else_is_told_of_what_is_left_before_one_waits_for_its_forge(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    depths: list[int] = []

    def plan(given: Resources, *_: str) -> list[EnvironmentKey]:
        depths.append(given.queues.depths()[MERGES])
        return []

    monkeypatch.setattr(merge, "plan_delivery", plan)
    for _ in range(3):
        world.deliver(world.first)
    plan_all(world.given)
    assert depths == [1, 1, 1], "one job is enough, and there is one as long as something is left"


def test_comments_wait_for_each_other_and_merges_for_none_of_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = send(world, comment("/help"))
    world.clock.move(0.1)
    world.deliver(world.first)
    monkeypatch.setattr(Queues, "workers", lambda _: 3)
    with admission(world.given, "github", wish=True):
        assert plan_all(world.given) == [PRODUCTION, STAGING]
        assert world.given.store.deliveries.owed() == (("github", told),)


def test_no_merge_waits_while_a_forge_is_asked_about_a_comment(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[bool] = []

    def obey(*_: object) -> list[object]:
        held.append(world.given.store.leases.held(lease_name(BRANCH)))
        return []

    monkeypatch.setattr(delivery.commands, "obey", obey)
    send(world, comment("/help"))
    plan_all(world.given)
    assert held == [False]


def test_a_comment_that_somebody_is_at_is_left_to_them(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(delivery.commands, "obey", lambda *given: asked.append(given) or [])
    told = send(world, comment("/help"))
    with world.given.store.leases.hold(f"wish:github:{told}"):
        assert plan_all(world.given) == []
    assert asked == []
    assert world.given.store.deliveries.owed() == (("github", told),)


def test_a_comment_that_keeps_killing_its_worker_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery.commands, "obey", die)
    send(world, comment("/help"))
    for _ in range(DEATHS):
        with pytest.raises(Killed):
            plan_all(world.given)
        world.clock.move(60)
    assert plan_all(world.given) == []
    assert world.given.store.deliveries.owed() == ()
    assert [row.what for row in world.given.store.audit.rows()][-1] == "failed"


def test_a_worker_that_was_killed_is_none_soon(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    workers = [PoolWorker([DEPLOYMENTS], connection=redis, serializer=JSONSerializer) for _ in range(3)]
    for worker in workers:
        worker.register_birth()
    assert Queues(redis).workers() == 3
    assert {worker.dequeue_timeout for worker in workers} == {BEAT_SECONDS}
    silent: Mapping[str, str] = {"last_heartbeat": _written(datetime.now(UTC) - timedelta(seconds=5 * BEAT_SECONDS))}
    redis.hset(workers[0].key, mapping=silent)  # type: ignore[arg-type]
    assert Queues(redis).workers() == 2


def _written(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
