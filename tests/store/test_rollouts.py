from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis import Redis

from deployer.model import State
from deployer.store import Store
from deployer.store.leases import Lease, LeaseLost
from deployer.store.rollouts import Applied, Sight
from tests.examples import COMMIT, STAGING, after, deployment

FIRST = deployment("a1")
APPLIED = Applied("test", "applyset-x-v1", spent=2.5, timeout=300)
SIGHT = Sight("4/6 ready", 4, 6, pause=5, pace=10)


@pytest.fixture
def lease(store: Store) -> Iterator[Lease]:
    store.deployments.queue(FIRST)
    with store.leases.hold(str(STAGING)) as lease:
        assert lease is not None
        yield lease


def test_it_begins_with_a_look_that_is_due_at_once(store: Store, lease: Lease) -> None:
    assert store.rollouts.get(FIRST) is None
    store.rollouts.begin(FIRST, APPLIED, lease=lease)
    found = store.rollouts.get(FIRST)
    assert found is not None
    assert (found.cluster, found.applyset, found.spent) == ("test", "applyset-x-v1", 2.5)
    assert (found.looks, found.ready, found.total, found.due) == (0, 0, 0, True)
    assert 0 <= found.since < 1
    assert 299 < found.left <= 300
    assert [each.state for each in store.deployments.queued(STAGING)] == [State.ROLLING_OUT]


def test_a_look_is_kept_and_the_next_one_has_its_time(store: Store, lease: Lease) -> None:
    store.rollouts.begin(FIRST, APPLIED, lease=lease)
    store.rollouts.looked(FIRST, SIGHT, at=after(1), lease=lease)
    found = store.rollouts.get(FIRST)
    assert found is not None
    assert (found.looks, found.ready, found.total, found.due) == (1, 4, 6, False)
    assert [each.summary for each in store.deployments.queued(STAGING)] == ["4/6 ready"]


def test_what_kills_its_worker_after_the_apply_does_not_count_as_dying_while_writing(
    store: Store, lease: Lease
) -> None:
    store.deployments.begun(FIRST)
    store.deployments.attempt(FIRST)
    store.rollouts.begin(FIRST, APPLIED, lease=lease)
    assert store.deployments.begun(FIRST) == 1
    assert not store.deployments.tried(FIRST)


def test_the_forge_is_owed_a_word_when_there_is_news_and_it_is_time(store: Store, redis: Redis, lease: Lease) -> None:
    store.reports.told(FIRST)
    store.rollouts.begin(FIRST, APPLIED, lease=lease)
    news = Sight("5/6 ready", 5, 6, pause=5, pace=10)
    assert store.rollouts.looked(FIRST, SIGHT, at=after(1), lease=lease)
    assert store.reports.owed(before=after(2)) == ((STAGING, COMMIT),)
    assert not store.rollouts.looked(FIRST, news, at=after(1), lease=lease)
    redis.hincrbyfloat("deployer:deployment:a1:rollout", "told_at", -10)
    assert not store.rollouts.looked(FIRST, SIGHT, at=after(1), lease=lease)
    assert store.rollouts.looked(FIRST, news, at=after(1), lease=lease)


@pytest.mark.parametrize("how", ["the lease is somebody else's", "it has ended"])
def test_nothing_is_written_when(store: Store, redis: Redis, lease: Lease, how: str) -> None:
    store.rollouts.begin(FIRST, APPLIED, lease=lease)
    if how == "it has ended":
        store.deployments.finish(FIRST, State.SUPERSEDED, "superseded", at=after(1), lease=lease)
    else:
        redis.set(lease.key, "999")
    before = store.deployments.get("a1"), redis.hgetall("deployer:deployment:a1:rollout")
    with pytest.raises(LeaseLost):
        store.rollouts.looked(FIRST, SIGHT, at=after(2), lease=lease)
    with pytest.raises(LeaseLost):
        store.rollouts.begin(FIRST, APPLIED, lease=lease)
    assert (store.deployments.get("a1"), redis.hgetall("deployer:deployment:a1:rollout")) == before


def test_it_is_kept_as_long_as_its_deployment(store: Store, redis: Redis, lease: Lease) -> None:
    store.rollouts.begin(FIRST, APPLIED, lease=lease)
    assert redis.ttl("deployer:deployment:a1:rollout") == -1
    store.deployments.finish(FIRST, State.SUCCEEDED, "done", at=after(1), lease=lease)
    assert redis.ttl("deployer:deployment:a1:rollout") > 0
