from __future__ import annotations

from redis import Redis

from deployer.model import Delivery, Receipt
from deployer.store import Store
from tests.examples import NOON, after

DELIVERY = Delivery("github", "id:with/odd é", (("x-github-event", "push"),), b'{"a": "\xc3\xa9"}', NOON)


def again(seconds: float) -> Delivery:
    return Delivery(DELIVERY.forge, DELIVERY.id, DELIVERY.headers, DELIVERY.body, after(seconds))


def test_a_delivery_reads_back_byte_for_byte(store: Store) -> None:
    store.deliveries.record(DELIVERY, owed=True)
    assert store.deliveries.get("github", DELIVERY.id) == DELIVERY
    assert store.deliveries.get("gitlab", DELIVERY.id) is None


def test_it_is_kept_for_thirty_days(store: Store, redis: Redis) -> None:
    store.deliveries.record(DELIVERY, owed=False)
    assert 29 * 86400 < redis.ttl(f"deployer:delivery:github:{DELIVERY.id}") <= 30 * 86400


def test_somebody_is_told_once_until_it_is_planned(store: Store) -> None:
    assert store.deliveries.record(DELIVERY, owed=True)
    assert not store.deliveries.record(again(1), owed=True)
    store.deliveries.planned("github", DELIVERY.id)
    assert store.deliveries.record(again(2), owed=True)


def test_what_is_ignored_is_not_owed(store: Store) -> None:
    assert not store.deliveries.record(DELIVERY, owed=False)
    assert store.deliveries.owed(before=after(10)) == ()


def test_what_is_owed_is_found_when_it_is_due(store: Store) -> None:
    store.deliveries.record(DELIVERY, owed=True)
    assert store.deliveries.owed(before=after(1)) == (("github", DELIVERY.id),)
    store.deliveries.owe("github", DELIVERY.id, due=after(60))
    assert store.deliveries.owed(before=after(59)) == ()


def test_receipts_tell_first_last_and_how_often(store: Store) -> None:
    assert store.deliveries.receipt("github", DELIVERY.id) is None
    store.deliveries.record(DELIVERY, owed=True)
    store.deliveries.record(again(30), owed=True)
    assert store.deliveries.receipt("github", DELIVERY.id) == Receipt(NOON, after(30), times=2)


def test_attempts_are_counted_until_it_is_planned(store: Store) -> None:
    store.deliveries.record(DELIVERY, owed=True)
    assert [store.deliveries.attempt("github", DELIVERY.id) for _ in range(2)] == [1, 2]
    store.deliveries.planned("github", DELIVERY.id)
    assert store.deliveries.attempt("github", DELIVERY.id) == 1
