"""The audit on a real Valkey: written by many at once, tampered with in every way, trimmed."""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from deployer.model import Delivery, State
from deployer.store import Store, chain, open_store
from deployer.store.audit import Whole
from deployer.store.chain import Broken
from deployer.store.rows import HEAD, STREAM
from tests.examples import NEWER, NOON, STAGING, after, deployment

START = "deployer:audit:start"
LONG_AGO = datetime.now(UTC) - timedelta(days=1)
OLD = (LONG_AGO - timedelta(days=1)).replace(microsecond=0)
SOON = datetime.now(UTC) + timedelta(days=1)

Entry = tuple[bytes, bytes]
"""A row and the head after it, as they stand in Redis."""


def fill(store: Store, count: int, *, since: int = 0) -> None:
    for number in range(since, since + count):
        store.audit.add("received", at=OLD + timedelta(seconds=number), delivery=str(number), actor=None)


def entries(redis: Redis) -> list[Entry]:
    return [(fields[b"row"], fields[b"head"]) for _, fields in redis.xrange(STREAM)]


def overwrite(redis: Redis, rows: Sequence[Entry]) -> None:
    """What somebody with access to Redis can leave behind: these rows and no others, with any ids."""
    with redis.pipeline() as pipe:
        pipe.delete(STREAM)
        for number, (row, head) in enumerate(rows, 1):
            pipe.xadd(STREAM, {"row": row, "head": head}, id=f"{number}-1")
        pipe.execute()


def broken(store: Store, *, noted: str | None = None) -> Broken:
    with pytest.raises(Broken) as caught:
        store.audit.verify(noted=noted)
    return caught.value


# Writing


def test_rows_read_in_order_over_many_pages(store: Store) -> None:
    fill(store, 1203)
    rows = list(store.audit.rows())
    assert [(row.number, row.fields["delivery"]) for row in rows] == [(n + 1, str(n)) for n in range(1203)]
    assert rows[0].at == OLD
    assert "actor" not in rows[0].fields
    assert store.audit.verify().head == store.audit.head == f"1203:{rows[-1].chain}"


def test_an_audit_without_rows_is_whole(store: Store) -> None:
    assert store.audit.verify() == Whole(first=1, head="")
    assert (store.audit.head, store.audit.oldest) == ("", None)


def test_what_everybody_writes_at_once_is_one_chain(store: Store, redis_url: str) -> None:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as processes:
        done = [processes.submit(write_with_threads, redis_url, name) for name in ("a", "b")]
        assert [each.result() for each in done] == [None, None]
    rows = list(store.audit.rows())
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    assert {row.what for row in rows} >= {"accepted", "queued", "joined", "running", "succeeded", "note"}
    assert store.audit.verify().head == store.audit.head


def write_with_threads(url: str, name: str) -> None:
    """All the ways in which a row is written, from four threads."""
    with Redis.from_url(url) as redis, ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda number: write_each_way(open_store(redis), f"{name}{number}"), range(12)))


def write_each_way(store: Store, name: str) -> None:
    store.arrivals.take(Delivery("github", name, (), b"{}", NOON), owed=True, what="accepted")
    asked = deployment(name)
    accepted = store.deployments.queue(asked)
    if accepted.id == asked.id:
        store.deployments.advance(asked, State.RUNNING, "on its way", at=NOON)
        store.audit.add("note", at=NOON, objects=["ConfigMap shop/greeting"])
        store.deployments.queue(deployment(f"{name}again"))
        store.deployments.finish(asked, State.SUCCEEDED, "done", at=NOON)


def test_each_state_is_a_row_and_the_end_has_the_digest_of_the_manifests(store: Store) -> None:
    first = deployment("a1")
    store.deployments.queue(first)
    store.deployments.advance(first, State.RUNNING, "on its way", at=after(1))
    store.deployments.advance(first, State.QUEUED, "retry 2 of 5 in 8 s: no route", at=after(2))
    store.deployments.rendered(first, "abc")
    store.deployments.finish(first, State.FAILED, "no such kind", at=after(3))
    told = [(row.what, row.at, row.fields.get("reason"), row.fields.get("digest")) for row in store.audit.rows()]
    assert told == [
        ("queued", NOON, None, None),
        ("running", after(1), "on its way", None),
        ("queued", after(2), "retry 2 of 5 in 8 s: no route", None),
        ("failed", after(3), "no such kind", "abc"),
    ]


def test_what_is_not_written_is_no_row(store: Store) -> None:
    with store.leases.hold("x") as lease, store.leases.hold("y") as other:
        assert lease is not None
        assert other is not None
        store.deployments.queue(deployment("a1"))
        lost = lease
    store.deployments.advance(deployment("a1"), State.RUNNING, "on its way", lease=lost, at=NOON)
    store.deployments.finish(deployment("a1"), State.FAILED, "no", at=NOON, lease=lost)
    assert [row.what for row in store.audit.rows()] == ["queued"]


def test_what_joins_names_what_it_joins_and_who_asked(store: Store) -> None:
    store.deployments.queue(deployment("a1"))
    assert store.deployments.queue(deployment("a2", created_at=after(9)), note="asked twice").id == "a1"
    store.deployments.queue(deployment("a3", commit=NEWER))
    _, joined, _ = store.audit.rows()
    found = (joined.what, joined.at, joined.fields["deployment"], joined.fields["actor"], joined.fields["reason"])
    assert found == ("joined", after(9), "a1", "ada", "asked twice")


def test_settings_are_a_row_for_each_sort_of_process_and_each_change(store: Store) -> None:
    loads = [("web", "one"), ("web", "one"), ("worker", "one"), ("web", "two"), ("worker", "one"), ("web", "one")]
    written = [store.audit.loaded(digest, by=process, at=NOON) for process, digest in loads]
    assert written == [True, False, True, True, False, True]
    rows = [(row.what, row.fields["process"], row.fields["digest"]) for row in store.audit.rows()]
    assert rows == [
        ("settings", "web", "one"),
        ("settings", "worker", "one"),
        ("settings", "web", "two"),
        ("settings", "web", "one"),
    ]


# Tampering

COUNT = 12

Tampering = Callable[[list[Entry], int, int], list[Entry]]


def alter(rows: list[Entry], one: int, _: int) -> list[Entry]:
    row, head = rows[one]
    return [*rows[:one], (row.replace(b"received", b"accepted"), head), *rows[one + 1 :]]


def alter_and_seal(rows: list[Entry], one: int, _: int) -> list[Entry]:
    row = rows[one][0].replace(b"received", b"accepted")
    before = rows[one - 1][1].decode(errors="replace") if one else ""
    return [*rows[:one], (row, chain.seal(before, row).encode()), *rows[one + 1 :]]


def delete(rows: list[Entry], one: int, _: int) -> list[Entry]:
    return rows[:one] + rows[one + 1 :]


def swap(rows: list[Entry], one: int, other: int) -> list[Entry]:
    swapped = list(rows)
    swapped[one], swapped[other] = rows[other], rows[one]
    return swapped


def insert(rows: list[Entry], one: int, other: int) -> list[Entry]:
    return [*rows[:one], rows[other], *rows[one:]]


def insert_and_seal(rows: list[Entry], one: int, other: int) -> list[Entry]:
    before, row = rows[one][1].decode(errors="replace"), rows[other][0]
    return [*rows[: one + 1], (row, chain.seal(before, row).encode()), *rows[one + 1 :]]


def cut_head(rows: list[Entry], one: int, _: int) -> list[Entry]:
    return rows[one:]


def cut_tail(rows: list[Entry], one: int, _: int) -> list[Entry]:
    return rows[:one]


def garble(rows: list[Entry], one: int, other: int) -> list[Entry]:
    nonsense = (b"", b"\xff", b"7", b"99999999999999999999:ab", rows[other][1], b"{}")[other % 6]
    return [*rows[:one], (rows[one][0], nonsense) if other % 2 else (nonsense, rows[one][1]), *rows[one + 1 :]]


SEALED = (alter_and_seal, insert_and_seal)
OPEN = (alter, delete, swap, insert, cut_head, cut_tail, garble)


@pytest.fixture(params=["all", "trimmed"])
def whole(request: pytest.FixtureRequest, store: Store, redis: Redis) -> list[Entry]:
    """The rows of an audit that nobody has touched; of one of the two, the first have been trimmed."""
    fill(store, 5)
    if request.param == "trimmed":
        assert store.audit.trim(before=SOON, at=NOON) == 5
    fill(store, COUNT, since=5)
    store.audit.verify()
    return entries(redis)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(step=st.tuples(st.sampled_from(OPEN + SEALED), st.integers(0, COUNT - 1), st.integers(0, COUNT - 1)))
def test_tampering_is_found_and_the_first_wrong_row_named(
    whole: list[Entry], store: Store, redis: Redis, step: tuple[Tampering, int, int]
) -> None:
    tampering, one, other = step
    left = tampering(whole, one, other)
    overwrite(redis, left)
    if left == whole:
        store.audit.verify()
        return
    same = next((n for n, pair in enumerate(zip(whole, left, strict=False)) if pair[0] != pair[1]), len(left))
    first = chain.number(whole[min(same, len(whole) - 1)][1].decode()) + (same == len(whole))
    # Who seals what he wrote makes it fit to the row before: then the next one is the first that fits to nothing.
    assert broken(store).number in ((first, first + 1) if tampering in SEALED else (first,))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.sampled_from(OPEN + SEALED), st.integers(0, 4), st.integers(0, 4)), max_size=4))
def test_so_is_any_mixture_of_it(
    whole: list[Entry], store: Store, redis: Redis, steps: list[tuple[Tampering, int, int]]
) -> None:
    left = list(whole)
    for tampering, one, other in steps:
        left = tampering(left, one, other) if len(left) > 5 else left
    overwrite(redis, left)
    if left == whole:
        store.audit.verify()
    else:
        broken(store)


def test_rows_that_are_deleted_in_place_are_missed(store: Store, redis: Redis) -> None:
    fill(store, 5)
    ids = [name for name, _ in redis.xrange(STREAM)]
    redis.xdel(STREAM, ids[2])
    assert broken(store).number == 3
    redis.xdel(STREAM, ids[0])
    assert broken(store).number == 1


def test_nothing_that_comes_later_makes_up_for_a_missing_end(store: Store, redis: Redis) -> None:
    fill(store, 5)
    redis.xdel(STREAM, *[name for name, _ in redis.xrange(STREAM)][3:])
    assert broken(store).number == 4
    fill(store, 3, since=5)
    assert str(broken(store)) == "row 4 is missing: where it should be stands row 6"


@pytest.mark.parametrize("head", [None, "3:" + "0" * 40, "nonsense", "99999999999999999999:ab"])
def test_a_head_that_is_not_the_last_row_is_found_and_stops_nobody(
    store: Store, redis: Redis, head: str | None
) -> None:
    fill(store, 5)
    _ = redis.delete(HEAD) if head is None else redis.set(HEAD, head)
    broken(store)
    fill(store, 3)
    broken(store)
    assert len(list(store.audit.rows())) == 8


def test_everything_gone_is_found_by_the_head(store: Store, redis: Redis) -> None:
    fill(store, 5)
    redis.delete(STREAM)
    assert broken(store).number == 1


def test_everything_written_anew_is_found_by_a_head_that_was_noted(store: Store, redis: Redis) -> None:
    fill(store, 5)
    noted = store.audit.head
    fill(store, 5)
    assert store.audit.verify(noted=noted).head == store.audit.head
    redis.delete(STREAM, HEAD)
    fill(store, 4)
    store.audit.verify()
    assert broken(store, noted=noted).number == 5
    fill(store, 7, since=1)
    store.audit.verify()
    found = broken(store, noted=noted)
    assert (found.number, "noted" in str(found)) == (5, True)


# Trimming


def test_what_is_old_goes_and_a_row_says_so(store: Store) -> None:
    fill(store, 5)
    noted = store.audit.head
    time.sleep(0.002)
    before = datetime.now(UTC)
    time.sleep(0.002)
    fill(store, 2, since=5)
    assert store.audit.trim(before=LONG_AGO, at=NOON) == 0
    assert store.audit.trim(before=before, at=after(60)) == 5
    assert [row.what for row in store.audit.rows()] == ["received", "received", "trimmed"]
    *_, trimmed = store.audit.rows()
    assert (trimmed.at, trimmed.fields) == (after(60), {"rows": 5, "first": 6, "before": noted})
    assert store.audit.verify(noted=noted).first == 6


def test_rows_do_not_become_old_by_what_is_not_sealed(store: Store, redis: Redis) -> None:
    fill(store, 2)
    for number in range(2, 4):
        store.audit.add("received", at=datetime.now(UTC), delivery=str(number))
    overwrite(redis, entries(redis))
    now = datetime.now(UTC)
    assert store.audit.trim(before=LONG_AGO, at=now) == 2
    assert [row.fields.get("delivery") for row in store.audit.rows()] == ["2", "3", None]
    assert store.audit.trim(before=LONG_AGO, at=now) == 0
    assert store.audit.verify().first == 3


def test_a_row_from_a_clock_that_was_wrong_is_not_kept_for_ever(store: Store) -> None:
    fill(store, 2)
    store.audit.add("received", at=SOON + timedelta(days=3650), delivery="2")
    fill(store, 2, since=3)
    time.sleep(0.002)
    now = datetime.now(UTC)
    assert store.audit.trim(before=now, at=now) == 5


def test_what_says_so_may_go_as_well(store: Store) -> None:
    for turn in range(3):
        fill(store, 5)
        assert store.audit.trim(before=SOON, at=NOON) == (6 if turn else 5)
    assert [row.fields["rows"] for row in store.audit.rows()] == [6]
    assert store.audit.verify().first == 18


def test_no_other_truncation_is_taken_for_it(store: Store, redis: Redis) -> None:
    fill(store, 5)
    store.audit.trim(before=SOON, at=NOON)
    fill(store, 5)
    redis.xtrim(STREAM, maxlen=3, approximate=False)
    assert broken(store).number == 6
    gone = chain.number(entries(redis)[0][1].decode()) - 1
    redis.set(START, f"{gone}:{'0' * 40}")
    assert broken(store).number == gone + 1


def test_neither_is_one_whose_start_is_right(store: Store, redis: Redis) -> None:
    fill(store, 5)
    redis.set(START, entries(redis)[2][1])
    redis.xtrim(STREAM, maxlen=2, approximate=False)
    found = broken(store)
    assert (found.number, str(found)) == (1, "row 1 is missing: the first is row 4, and no row says why")


def test_a_head_from_before_what_was_trimmed_says_nothing_any_more(store: Store) -> None:
    fill(store, 3)
    noted = store.audit.head
    fill(store, 3)
    store.audit.trim(before=SOON, at=NOON)
    assert str(broken(store, noted=noted)).startswith("row 3 is not kept any more")


def test_damage_is_not_trimmed_away_silently(store: Store, redis: Redis) -> None:
    fill(store, 5)
    redis.xdel(STREAM, redis.xrange(STREAM)[1][0])
    assert store.audit.trim(before=SOON, at=NOON) == 4
    (row,) = store.audit.rows()
    assert row.fields["damage"] == "row 2 is missing: where it should be stands row 3"
    fill(store, 2)
    found = broken(store)
    assert (found.number, str(found)) == (6, f"row 6 says of those that were removed: {row.fields['damage']}")


def test_those_who_trim_at_once_trim_once(store: Store) -> None:
    fill(store, 50)
    before = datetime.now(UTC) + timedelta(milliseconds=2)
    time.sleep(0.004)
    with ThreadPoolExecutor(4) as threads:
        done = threads.map(lambda _: store.audit.trim(before=before, at=NOON), range(4))
    assert sorted(done) == [0, 0, 0, 50]
    assert store.audit.verify().first == 51


def test_it_can_be_checked_while_rows_are_written_and_trimmed(store: Store) -> None:
    def churn(_: int) -> None:
        for turn in range(15):
            fill(store, 40)
            if turn % 3 == 0:
                store.audit.trim(before=datetime.now(UTC), at=NOON)

    with ThreadPoolExecutor(2) as threads:
        done = [threads.submit(churn, number) for number in range(2)]
        while not all(each.done() for each in done):
            store.audit.verify()
        assert [each.result() for each in done] == [None, None]
    store.audit.verify()


def test_a_row_that_is_none_is_said(store: Store, redis: Redis) -> None:
    fill(store, 1)
    redis.xadd(STREAM, {"row": json.dumps(["not", "ours"])})
    with pytest.raises(Broken, match="a row cannot be read"):
        list(store.audit.rows())
    assert broken(store).number == 2


def test_the_environment_is_in_rows_about_it(store: Store) -> None:
    store.deployments.queue(deployment("a1"))
    (row,) = store.audit.rows()
    assert (row.fields["forge"], row.fields["repository"], row.fields["environment"]) == (
        STAGING.forge,
        STAGING.repository,
        STAGING.environment,
    )
