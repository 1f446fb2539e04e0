"""Turns that are under way."""

from __future__ import annotations

from datetime import timedelta

import pytest

from deployer.store import Store, turns
from tests.examples import PRODUCTION, STAGING, after, deployment

PATIENCE = timedelta(seconds=30)


def test_only_one_takes_the_turn_of_an_environment(store: Store) -> None:
    store.deployments.queue(deployment("d1"))
    seen = store.turns.running()
    assert store.turns.take(STAGING, at=after(1), patience=PATIENCE, seen=seen)
    again = store.turns.running()
    assert again.keys == (STAGING,)
    assert not store.turns.take(STAGING, at=after(1), patience=PATIENCE, seen=again)
    assert store.deployments.waiting(before=after(2)) == ()


def test_whoever_chose_before_another_turn_was_taken_chooses_again(store: Store) -> None:
    store.deployments.queue(deployment("d1"))
    store.deployments.queue(deployment("d2", key=PRODUCTION))
    seen = store.turns.running()
    assert store.turns.take(STAGING, at=after(1), patience=PATIENCE, seen=seen)
    assert not store.turns.take(PRODUCTION, at=after(1), patience=PATIENCE, seen=seen)
    assert not store.turns.enter(PRODUCTION, seen=seen)
    assert store.turns.enter(PRODUCTION, seen=store.turns.running())


def test_nobody_takes_what_does_not_wait_or_is_not_due_or_is_being_worked_on(store: Store) -> None:
    seen = store.turns.running()
    assert not store.turns.take(STAGING, at=after(1), patience=PATIENCE, seen=seen)
    store.deployments.queue(deployment("d1"))
    store.deployments.postpone(STAGING, due=after(10))
    assert not store.turns.take(STAGING, at=after(9), patience=PATIENCE, seen=seen)
    with store.leases.hold(str(STAGING)):
        assert not store.turns.take(STAGING, at=after(11), patience=PATIENCE, seen=seen)
    assert store.turns.take(STAGING, at=after(11), patience=PATIENCE, seen=seen)


def test_a_turn_whose_worker_died_is_over_and_its_environment_waits_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.deployments.queue(deployment("d1"))
    store.turns.take(STAGING, at=after(1), patience=PATIENCE, seen=store.turns.running())
    assert store.turns.running().keys == (STAGING,), "it may be about to take the lease"
    monkeypatch.setattr(turns, "STARTING", 0.0)
    with store.leases.hold(str(STAGING)):
        assert store.turns.running().keys == (STAGING,)
    assert store.turns.running().keys == ()
    assert store.deployments.waiting(before=after(32)) == (STAGING,)


def test_whose_clock_is_wrong_takes_nobody_the_turn(store: Store) -> None:
    for clock in (after(-3600), after(3600)):
        store.deployments.queue(deployment("d1", created_at=after(-7200)))
        assert store.turns.take(STAGING, at=clock, patience=PATIENCE, seen=store.turns.running())
        assert store.turns.running().keys == (STAGING,)
        store.deployments.postpone(STAGING, due=after(-7200))
        store.turns.end(STAGING)


def test_a_turn_that_has_ended_leaves_its_place(store: Store) -> None:
    store.turns.enter(STAGING, seen=store.turns.running())
    store.turns.end(STAGING)
    assert store.turns.running().keys == ()
