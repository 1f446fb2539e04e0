"""Turns that are under way."""

from __future__ import annotations

from datetime import timedelta

from deployer.store import Store
from tests.examples import NOON, PRODUCTION, STAGING, after, deployment

PATIENCE = timedelta(seconds=30)


def test_only_one_takes_the_turn_of_an_environment(store: Store) -> None:
    store.deployments.queue(deployment("d1"))
    seen = store.turns.running(at=NOON)
    assert store.turns.take(STAGING, at=after(1), patience=PATIENCE, seen=seen)
    again = store.turns.running(at=after(1))
    assert again.keys == (STAGING,)
    assert not store.turns.take(STAGING, at=after(1), patience=PATIENCE, seen=again)
    assert store.deployments.waiting(before=after(2)) == ()


def test_whoever_chose_before_another_turn_was_taken_chooses_again(store: Store) -> None:
    store.deployments.queue(deployment("d1"))
    store.deployments.queue(deployment("d2", key=PRODUCTION))
    seen = store.turns.running(at=NOON)
    assert store.turns.take(STAGING, at=after(1), patience=PATIENCE, seen=seen)
    assert not store.turns.take(PRODUCTION, at=after(1), patience=PATIENCE, seen=seen)
    assert not store.turns.enter(PRODUCTION, at=after(1), seen=seen)
    assert store.turns.enter(PRODUCTION, at=after(1), seen=store.turns.running(at=after(1)))


def test_nobody_takes_what_does_not_wait_or_is_not_due_or_is_being_worked_on(store: Store) -> None:
    seen = store.turns.running(at=NOON)
    assert not store.turns.take(STAGING, at=after(1), patience=PATIENCE, seen=seen)
    store.deployments.queue(deployment("d1"))
    store.deployments.postpone(STAGING, due=after(10))
    assert not store.turns.take(STAGING, at=after(9), patience=PATIENCE, seen=seen)
    with store.leases.hold(str(STAGING)):
        assert not store.turns.take(STAGING, at=after(11), patience=PATIENCE, seen=seen)
    assert store.turns.take(STAGING, at=after(11), patience=PATIENCE, seen=seen)


def test_a_turn_whose_worker_died_is_over_and_its_environment_waits_again(store: Store) -> None:
    store.deployments.queue(deployment("d1"))
    store.turns.take(STAGING, at=after(1), patience=PATIENCE, seen=store.turns.running(at=NOON))
    assert store.turns.running(at=after(3)).keys == (STAGING,), "it may be about to take the lease"
    with store.leases.hold(str(STAGING)):
        assert store.turns.running(at=after(60)).keys == (STAGING,)
    assert store.turns.running(at=after(60)).keys == ()
    assert store.deployments.waiting(before=after(32)) == (STAGING,)


def test_a_turn_that_has_ended_leaves_its_place(store: Store) -> None:
    store.turns.enter(STAGING, at=NOON, seen=store.turns.running(at=NOON))
    store.turns.end(STAGING)
    assert store.turns.running(at=NOON).keys == ()
