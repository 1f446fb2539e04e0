from __future__ import annotations

from dataclasses import replace

import pytest
from redis import Redis

from deployer.model import CommitStatus, State, StatusState
from deployer.store import Store
from deployer.store.environments import EnvironmentState
from deployer.store.leases import LeaseLost
from tests.examples import COMMIT, NEWER, STAGING, after, deployment

STATUS = CommitStatus("acme/shop", COMMIT, "deploy/staging", StatusState.PENDING, "waiting", "https://d/1")


def test_an_environment_begins_with_nothing_and_remembers_what_it_runs(store: Store) -> None:
    assert store.environments.get(STAGING) == EnvironmentState()
    store.environments.begin(deployment("a1"))
    assert store.environments.get(STAGING) == EnvironmentState(COMMIT, None, "a1", chosen="a1")
    store.deployments.finish(deployment("a1"), State.SUCCEEDED, "done", at=after(1))
    store.environments.begin(deployment("a2", commit=NEWER))
    store.deployments.finish(deployment("a2", commit=NEWER), State.FAILED, "not done", at=after(2))
    state = store.environments.get(STAGING)
    assert state == EnvironmentState(NEWER, COMMIT, "a2", chosen="a2")
    assert state.commits == (COMMIT, NEWER)


def test_a_worker_whose_lease_is_somebody_elses_begins_nothing(store: Store, redis: Redis) -> None:
    with store.leases.hold("x") as lease:
        assert lease is not None
        store.environments.begin(deployment("a2", commit=NEWER), lease=lease)
        redis.set(lease.key, "999")
        with pytest.raises(LeaseLost):
            store.environments.begin(deployment("a1"), lease=lease)
    assert store.environments.get(STAGING) == EnvironmentState(NEWER, None, "a2", chosen="a2")


def test_only_the_very_same_status_counts_as_posted(store: Store) -> None:
    assert not store.posted.is_last("github", STATUS)
    store.posted.remember("github", STATUS)
    assert store.posted.is_last("github", STATUS)
    assert not store.posted.is_last("gitlab", STATUS)
    assert not store.posted.is_last("github", replace(STATUS, state=StatusState.SUCCESS))


def test_counts_keep_their_labels_apart(store: Store) -> None:
    for result in ("accepted", "accepted", "ignored"):
        store.counters.add("webhooks", forge="github", result=result)
    assert store.counters.all() == (
        ("webhooks", {"forge": "github", "result": "accepted"}, 2),
        ("webhooks", {"forge": "github", "result": "ignored"}, 1),
    )
