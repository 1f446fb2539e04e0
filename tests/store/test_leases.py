from __future__ import annotations

import time

import pytest
from redis import Redis

from deployer.store.leases import HandedOn, LeaseLost, Leases


def test_one_holder_at_a_time(redis: Redis) -> None:
    leases = Leases(redis)
    with leases.hold("x") as first, leases.hold("x") as second, leases.hold("y") as other:
        assert first is not None
        assert second is None
        assert other is not None
    assert not leases.held("x")


def test_tokens_only_grow(redis: Redis) -> None:
    leases = Leases(redis)
    tokens = []
    for _ in range(3):
        with leases.hold("x") as lease:
            assert lease is not None
            tokens.append(lease.token)
    assert tokens == sorted(set(tokens))


def test_it_is_renewed_while_it_is_held(redis: Redis) -> None:
    leases = Leases(redis, seconds=0.3)
    with leases.hold("x") as lease:
        assert lease is not None
        time.sleep(0.8)
        lease.check()


def test_a_holder_that_slept_past_the_end_cannot_go_on_and_does_not_end_its_successors(redis: Redis) -> None:
    leases = Leases(redis, seconds=0.3)
    with leases.hold("x") as asleep:
        assert asleep is not None
        redis.delete("deployer:lease:x")  # as if nothing had been renewed
        with Leases(redis).hold("x") as successor:
            assert successor is not None
            with pytest.raises(LeaseLost):
                asleep.check()
            successor.check()
    with Leases(redis).hold("x") as third:
        assert third is not None


def test_letting_go_leaves_a_successors_lease_alone(redis: Redis) -> None:
    leases = Leases(redis)
    with leases.hold("x"):
        redis.delete("deployer:lease:x")
        redis.set("deployer:lease:x", "999")
    assert redis.get("deployer:lease:x") == b"999"


def test_a_holder_that_was_stopped_for_too_long_knows_it_by_its_own_clock(redis: Redis) -> None:
    leases = Leases(redis, seconds=30)
    with leases.hold("x") as lease:
        assert lease is not None
        lease.check()
        lease.ends = time.monotonic() - 1  # as if the process had been stopped meanwhile
        with pytest.raises(LeaseLost):
            lease.check()


def test_a_holder_that_is_asked_to_stop_begins_nothing_more_but_still_holds_it(redis: Redis) -> None:
    leases = Leases(redis)
    with leases.hold("x") as lease:
        assert lease is not None
        lease.check()
        leases.stopping = True
        for ask in (lease.check, lease.confirm):
            with pytest.raises(HandedOn):
                ask()
        assert lease.held
    assert not leases.held("x")
