from __future__ import annotations

from dataclasses import replace

from redis import Redis

from deployer.model import Delivery, Receipt
from deployer.store import Store
from tests.examples import NOON, after

DELIVERY = Delivery("github", "id:with/odd é", (("x-github-event", "push"),), b'{"a": "\xc3\xa9"}', NOON)


def again(seconds: float) -> Delivery:
    return Delivery(DELIVERY.forge, DELIVERY.id, DELIVERY.headers, DELIVERY.body, after(seconds))


def take(store: Store, delivery: Delivery, *, owed: bool = True) -> bool:
    return store.arrivals.take(delivery, owed=owed, what="accepted", actor="ada")


def test_one_worker_is_told_until_it_begins(store: Store) -> None:
    assert take(store, DELIVERY)
    assert not take(store, again(1))
    store.deliveries.begin()
    assert take(store, again(2))


def test_nobody_is_told_of_what_is_ignored(store: Store) -> None:
    assert not take(store, DELIVERY, owed=False)
    assert take(store, again(1))


def test_what_is_claimed_is_nobody_elses_until_its_time_is_up(store: Store) -> None:
    take(store, DELIVERY)
    assert store.deliveries.claim(at=after(-1), until=after(60)) is None
    assert store.deliveries.claim(at=after(1), until=after(60)) == ("github", DELIVERY.id)
    assert store.deliveries.claim(at=after(2), until=after(60)) is None
    assert store.deliveries.claim(at=after(61), until=after(120)) == ("github", DELIVERY.id)
    store.deliveries.planned("github", DELIVERY.id)
    assert store.deliveries.claim(at=after(200), until=after(300)) is None


def test_an_arrival_is_in_the_audit_and_counted(store: Store) -> None:
    take(store, DELIVERY)
    (row,) = store.audit.rows()
    assert (row.at, row.what, row.fields["delivery"], row.fields["actor"]) == (NOON, "accepted", DELIVERY.id, "ada")
    assert store.counters.all() == (("webhooks", {"forge": "github", "result": "accepted"}, 1),)


def test_a_delivery_reads_back_byte_for_byte(store: Store) -> None:
    take(store, DELIVERY)
    assert store.deliveries.get("github", DELIVERY.id) == DELIVERY
    assert store.deliveries.get("gitlab", DELIVERY.id) is None


def test_it_is_kept_for_thirty_days(store: Store, redis: Redis) -> None:
    take(store, DELIVERY, owed=False)
    assert 29 * 86400 < redis.ttl(f"deployer:delivery:github:{DELIVERY.id}") <= 30 * 86400


def test_what_is_ignored_is_not_owed(store: Store) -> None:
    take(store, DELIVERY, owed=False)
    assert store.deliveries.owed(before=after(10)) == ()


def test_what_is_owed_is_found_when_it_is_due(store: Store) -> None:
    take(store, DELIVERY)
    assert store.deliveries.owed(before=after(1)) == (("github", DELIVERY.id),)
    store.deliveries.owe("github", DELIVERY.id, due=after(60))
    assert store.deliveries.owed(before=after(59)) == ()


def test_receipts_tell_first_last_and_how_often(store: Store) -> None:
    assert store.deliveries.receipt("github", DELIVERY.id) is None
    take(store, DELIVERY)
    take(store, again(30))
    assert store.deliveries.receipt("github", DELIVERY.id) == Receipt(NOON, after(30), times=2)


def test_they_count_for_each_sender_and_know_who_sent_it_through_again_here(store: Store) -> None:
    take(store, DELIVERY)
    other = replace(again(30), sender="2")
    take(store, other)
    assert store.deliveries.receipt("github", DELIVERY.id) == Receipt(NOON, after(30), times=1)
    assert store.deliveries.get("github", DELIVERY.id) == other
    store.arrivals.take(again(60), owed=True, what="replayed", again_by="ada")
    assert store.deliveries.receipt("github", DELIVERY.id) == Receipt(NOON, after(60), times=2, by="ada")
    take(store, again(90))
    assert store.deliveries.receipt("github", DELIVERY.id) == Receipt(NOON, after(90), times=3)


def test_attempts_are_counted_until_it_is_planned(store: Store) -> None:
    take(store, DELIVERY)
    assert [store.deliveries.attempt("github", DELIVERY.id) for _ in range(2)] == [1, 2]
    store.deliveries.planned("github", DELIVERY.id)
    assert store.deliveries.attempt("github", DELIVERY.id) == 1
