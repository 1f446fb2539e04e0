from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from redis import Redis

from deployer.model import Action, ObjectRef, ObjectResult, Stage, StageRecord, State, Trigger
from deployer.store import Store
from tests.examples import COMMIT, NEWER, PRODUCTION, STAGING, after, deployment

FIRST = deployment("a1")


def test_a_deployment_reads_back_as_it_was_written(store: Store) -> None:
    assert store.deployments.queue(FIRST) == FIRST
    assert store.deployments.get("a1") == FIRST
    assert store.deployments.get("other") is None


def test_beginning_and_end_are_in_the_audit_once(store: Store) -> None:
    store.deployments.queue(FIRST, note="a forced push")
    store.deployments.queue(deployment("a2"))
    for _ in range(2):
        store.deployments.finish(FIRST, State.FAILED, "no such overlay", at=after(5))
    store.deployments.queue(deployment("a3", state=State.SUPERSEDED, finished_at=after(6)), note="older")
    rows = [(row.what, row.fields["deployment"], row.fields.get("reason")) for row in store.audit.rows()]
    assert rows == [
        ("queued", "a1", "a forced push"),
        ("joined", "a1", None),
        ("failed", "a1", "no such overlay"),
        ("superseded", "a3", "older"),
    ]


def test_the_same_commit_joins_until_it_has_ended(store: Store) -> None:
    store.deployments.queue(FIRST)
    assert store.deployments.queue(deployment("a2")).id == "a1"
    store.deployments.finish(FIRST, State.FAILED, "no such overlay", at=after(5))
    assert store.deployments.queue(deployment("a3")).id == "a3"


def test_what_was_applied_and_is_only_waited_for_is_joined_unless_it_is_wanted_anew(store: Store) -> None:
    store.deployments.queue(FIRST)
    assert store.deployments.queue(deployment("a2"), anew=True).id == "a1"
    store.deployments.advance(FIRST, State.ROLLING_OUT, "0/1 ready")
    assert store.deployments.queue(deployment("a3")).id == "a1"
    assert store.deployments.queue(deployment("a4"), anew=True).id == "a4"
    store.deployments.finish(FIRST, State.SUPERSEDED, "superseded", at=after(5))
    assert store.deployments.queue(deployment("a5")).id == "a4"


def test_a_rollback_joins_only_one_that_leaves_the_same_behind(store: Store) -> None:
    store.deployments.queue(FIRST)
    back = replace(FIRST, id="b1", trigger=Trigger.ROLLBACK, back_from=NEWER)
    assert store.deployments.queue(back) == back
    assert store.deployments.queue(replace(back, id="b2")) == back
    further = replace(back, id="b3", back_from="3" * 40)
    assert store.deployments.queue(further) == further
    assert store.deployments.queue(replace(FIRST, id="a2")) == further


def test_one_that_ended_before_it_began_is_on_record_and_owes_a_report_but_is_never_queued(
    store: Store, redis: Redis
) -> None:
    ended = replace(FIRST, state=State.SUPERSEDED, summary="older", finished_at=after(1))
    assert store.deployments.queue(ended).id == "a1"
    assert store.deployments.get("a1") == ended
    assert store.deployments.latest(STAGING, COMMIT) == ended
    assert store.deployments.queued(STAGING) == ()
    assert store.deployments.waiting(before=after(100)) == ()
    assert store.reports.owed(before=after(2)) == ((STAGING, COMMIT),)
    assert redis.ttl("deployer:deployment:a1") > 0
    assert store.deployments.queue(deployment("a2")).id == "a2"


def test_one_that_ended_before_it_began_hides_none_that_has_not_ended(store: Store) -> None:
    store.deployments.queue(FIRST)
    ended = replace(deployment("a2"), state=State.FAILED, summary="no", finished_at=after(1))
    assert store.deployments.queue(ended).id == "a1"
    assert store.deployments.get("a2") is None


def test_a_worker_whose_lease_is_somebody_elses_says_nothing(store: Store, redis: Redis) -> None:
    store.deployments.queue(FIRST)
    with store.leases.hold("x") as lease:
        assert lease is not None
        redis.set(lease.key, "999")
        store.deployments.advance(FIRST, State.RUNNING, "rendering", lease=lease)
        assert store.deployments.get("a1") == FIRST
        redis.set(lease.key, lease.token)
        store.deployments.advance(FIRST, State.RUNNING, "rendering", lease=lease)
    assert [each.state for each in store.deployments.queued(STAGING)] == [State.RUNNING]


def test_fifty_at_once_make_one(store: Store) -> None:
    with ThreadPoolExecutor(16) as threads:
        made = list(threads.map(lambda number: store.deployments.queue(deployment(f"d{number}")).id, range(50)))
    assert len(set(made)) == 1
    assert len(store.deployments.queued(STAGING)) == 1


def test_environments_have_their_own_queues(store: Store) -> None:
    other = deployment("b1", key=PRODUCTION)
    store.deployments.queue(FIRST)
    store.deployments.queue(other)
    assert store.deployments.queued(STAGING) == (FIRST,)
    assert store.deployments.queued(PRODUCTION) == (other,)


def test_it_stays_in_the_queue_until_it_has_ended(store: Store) -> None:
    store.deployments.queue(FIRST)
    store.deployments.advance(FIRST, State.RUNNING, "rendering")
    assert [each.state for each in store.deployments.queued(STAGING)] == [State.RUNNING]
    assert store.deployments.waiting(before=after(1)) == (STAGING,)
    store.deployments.finish(FIRST, State.SUCCEEDED, "2 objects", at=after(5))
    assert store.deployments.queued(STAGING) == ()
    assert store.deployments.waiting(before=after(100)) == ()


def test_an_environment_waits_as_long_as_one_of_its_deployments_has_not_ended(store: Store) -> None:
    second = deployment("a2", commit=NEWER)
    store.deployments.queue(FIRST)
    store.deployments.queue(second)
    store.deployments.finish(FIRST, State.SUPERSEDED, "superseded", at=after(5))
    assert store.deployments.waiting(before=after(1)) == (STAGING,)


def test_what_is_postponed_is_not_due_before(store: Store) -> None:
    store.deployments.queue(FIRST)
    store.deployments.postpone(STAGING, due=after(60))
    assert store.deployments.waiting(before=after(59)) == ()
    assert store.deployments.waiting(before=after(61)) == (STAGING,)
    store.deployments.postpone(PRODUCTION, due=after(0))
    assert store.deployments.waiting(before=after(61)) == (STAGING,)


def test_beginning_and_end_owe_a_report(store: Store) -> None:
    store.deployments.queue(FIRST)
    assert store.reports.owed(before=after(1)) == ((STAGING, COMMIT),)
    store.reports.told(FIRST)
    assert store.reports.owed(before=after(100)) == ()
    store.deployments.finish(FIRST, State.FAILED, "no", at=after(5))
    assert store.reports.owed(before=after(4)) == ()
    assert store.reports.owed(before=after(6)) == ((STAGING, COMMIT),)


def test_the_end_is_written_with_its_time(store: Store) -> None:
    store.deployments.queue(FIRST)
    assert store.deployments.finish(FIRST, State.SUCCEEDED, "2 objects, 1 changed", at=after(5))
    expected = replace(FIRST, state=State.SUCCEEDED, summary="2 objects, 1 changed", finished_at=after(5))
    assert store.deployments.get("a1") == expected


def test_it_ends_once(store: Store) -> None:
    store.deployments.queue(FIRST)
    assert store.deployments.finish(FIRST, State.SUPERSEDED, "superseded", at=after(5))
    assert not store.deployments.finish(FIRST, State.SUCCEEDED, "2 objects", at=after(6))
    found = store.deployments.get("a1")
    assert found is not None
    assert (found.state, found.summary, found.finished_at) == (State.SUPERSEDED, "superseded", after(5))
    assert store.environments.get(STAGING).deployed is None


def test_it_is_not_ended_by_a_worker_whose_lease_is_somebody_elses(store: Store, redis: Redis) -> None:
    store.deployments.queue(FIRST)
    with store.leases.hold("x") as lease:
        assert lease is not None
        redis.set(lease.key, "999")
        assert not store.deployments.finish(FIRST, State.SUCCEEDED, "2 objects", at=after(5), lease=lease)
        redis.set(lease.key, lease.token)
        assert store.deployments.finish(FIRST, State.SUCCEEDED, "2 objects", at=after(5), lease=lease)


def test_an_end_that_came_while_the_forge_was_being_told_of_the_beginning_is_still_owed(store: Store) -> None:
    store.deployments.queue(FIRST)
    store.deployments.finish(FIRST, State.SUCCEEDED, "2 objects", at=after(5))
    store.reports.told(FIRST)  # what was told is what it was before
    assert store.reports.owed(before=after(6)) == ((STAGING, COMMIT),)


def test_an_id_that_is_none_names_no_other_record(store: Store) -> None:
    store.deployments.queue(FIRST)
    store.deployments.log("a1", "line", at=after(1))
    assert store.deployments.get("a1:log") is None


def test_newest_first_of_one_environment_and_of_all(store: Store) -> None:
    for number, key in enumerate((STAGING, PRODUCTION, STAGING)):
        store.deployments.queue(deployment(f"n{number}", key=key, commit=f"{number}" * 40, created_at=after(number)))
    assert [each.id for each in store.deployments.newest()] == ["n2", "n1", "n0"]
    assert [each.id for each in store.deployments.newest(STAGING)] == ["n2", "n0"]
    assert [each.id for each in store.deployments.newest(STAGING, most=1)] == ["n2"]


def test_the_latest_of_a_commit_is_what_its_status_is_about(store: Store) -> None:
    store.deployments.queue(FIRST)
    store.deployments.finish(FIRST, State.FAILED, "no", at=after(5))
    store.deployments.queue(deployment("a2", created_at=after(9)))
    latest = store.deployments.latest(STAGING, COMMIT)
    assert latest is not None
    assert latest.id == "a2"
    assert store.deployments.latest(STAGING, NEWER) is None


def test_stages_objects_and_log_read_back(store: Store) -> None:
    render = StageRecord(Stage.RENDER, after(1), after(2), "rendered")
    fetch = StageRecord(Stage.FETCH, after(0), after(1), "fetched")
    result = ObjectResult(ObjectRef("apps/v1", "Deployment", "shop", "web"), Action.CREATED)
    store.deployments.write_stage("a1", render)
    store.deployments.write_stage("a1", fetch)
    store.deployments.write_objects("a1", [result])
    store.deployments.log("a1", "fetched ✓", at=after(1))
    assert store.deployments.stages("a1") == (fetch, render)
    assert store.deployments.objects("a1") == (result,)
    assert store.deployments.log_lines("a1") == ("2026-11-23T12:00:01.000000Z fetched ✓",)


def test_records_of_what_has_ended_are_kept_for_a_time_only(store: Store, redis: Redis) -> None:
    store.deployments.queue(FIRST)
    store.deployments.log("a1", "line", at=after(1))
    assert redis.ttl("deployer:deployment:a1") == -1
    store.deployments.finish(FIRST, State.SUCCEEDED, "done", at=after(5))
    assert redis.ttl("deployer:deployment:a1") > 0
    assert redis.ttl("deployer:deployment:a1:log") > 0


def test_the_log_of_one_that_ended_before_it_began_is_kept_no_longer(store: Store, redis: Redis) -> None:
    store.deployments.queue(FIRST)
    store.deployments.finish(FIRST, State.SUPERSEDED, "older", at=after(5))
    store.deployments.log("a1", "older", at=after(5))
    assert redis.ttl("deployer:deployment:a1:log") > 0
