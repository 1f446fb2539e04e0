"""What follows from a look for drift, over a made-up hour."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from deployer.forges import drift_words
from deployer.holding import (
    CALM,
    MOST_TOGETHER,
    Checked,
    Decision,
    DriftState,
    Step,
    decide,
    held,
    lasting,
    resting,
    retold,
    stopped,
)
from deployer.model import (
    Action,
    Author,
    Drift,
    DriftKind,
    FieldDrift,
    ObjectDrift,
    ObjectRef,
    ObjectResult,
    State,
    StatusState,
    Trigger,
)
from deployer.reverts import COOL_DOWN, Memory, attempted, fighters, outdated, settled
from tests.examples import COMMIT, NEWER, NOON, after, deployment, environment

WEB = ObjectRef("apps/v1", "Deployment", "shop", "web")
FRESH = Memory("d1")
PAUSE = COOL_DOWN.total_seconds()


def scaled(path: str = "spec.replicas") -> ObjectDrift:
    field = FieldDrift(path, "3", "5", Author("keda", after(120)))
    return ObjectDrift(WEB, DriftKind.CHANGED, (field,))


def looked(
    *found: ObjectDrift, memory: Memory = FRESH, policy: Drift = Drift.REVERT, since: str = "d1", at: float = 0
) -> Decision:
    return decide(found, policy=policy, memory=memory, since=since, now=after(at))


def reverted(*found: ObjectDrift, memory: Memory, at: float) -> Memory:
    """A look that finds something which is put back at once, and what is remembered afterwards."""
    decision = looked(*found, memory=memory, at=at)
    assert decision.step is Step.REVERT
    tried = attempted(found, decision.memory, deployment="a1")
    ended = deployment(trigger=Trigger.DRIFT, state=State.SUCCEEDED, finished_at=after(at))
    return settled(tried, ended, [ObjectResult(drift.ref, Action.UPDATED) for drift in found])


def fought(*, times: int = 3) -> Memory:
    memory = Memory("d1")
    for number in range(times):
        memory = reverted(scaled(), memory=memory, at=number * PAUSE)
    return memory


def looked_at(decision: Decision, *found: ObjectDrift) -> Checked:
    state = DriftState.DRIFTED if found else DriftState.IN_SYNC
    return Checked(state, COMMIT, NOON, found, step=decision.step, again=decision.again, memory=decision.memory)


def said(decision: Decision, *found: ObjectDrift) -> str:
    return drift_words.said(looked_at(decision, *found))


def test_nothing_follows_from_nothing() -> None:
    assert looked().step is Step.NOTHING


def test_what_is_only_reported_is_never_put_back() -> None:
    for policy in (Drift.REPORT, Drift.IGNORE):
        assert looked(scaled(), policy=policy).step is Step.REPORT
    words = "observed, not held: Deployment shop/web spec.replicas 3 → 5 by keda at 12:02"
    assert said(looked(scaled(), policy=Drift.REPORT), scaled()) == words


def test_a_time_of_another_day_than_that_on_which_it_was_found_has_its_date() -> None:
    decision = looked(scaled(), policy=Drift.REPORT)
    for days, words in ((0, "by keda at 12:02"), (1, "by keda at 2026-11-23 12:02")):
        seen = replace(looked_at(decision, scaled()), since=NOON + timedelta(days=days))
        assert drift_words.said(seen).endswith(words)
        later = replace(seen, checked_at=NOON + timedelta(days=9))
        assert drift_words.said(later) == drift_words.said(seen), "no other words for the same at midnight"


def written(at: float, *, by: str = "keda", live: str = "5") -> ObjectDrift:
    fields = (
        FieldDrift("spec.replicas", "3", live, Author(by, after(at))),
        FieldDrift("spec.paused", "(none)", "true"),
    )
    return ObjectDrift(WEB, DriftKind.CHANGED, fields)


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (written(500), written(120)),
        (written(500, by="hpa"), written(500, by="hpa")),
        (written(500, live="6"), written(500, live="6")),
        (ObjectDrift(WEB, DriftKind.EXTRA, author=Author("keda", NOON)), None),
    ],
)
def test_what_differs_as_before_keeps_its_time_although_its_manager_writes_something_else(
    now: ObjectDrift, told: ObjectDrift | None
) -> None:
    decision = looked(written(120), policy=Drift.REPORT)
    assert retold([now], looked_at(decision, written(120))) == (told or now,)
    assert retold([], looked_at(decision, written(120))) == ()


def test_of_something_extra_the_same_holds() -> None:
    first, later = (ObjectDrift(WEB, DriftKind.EXTRA, author=Author("kubectl", after(at))) for at in (0, 90))
    before = looked_at(looked(first, policy=Drift.REPORT), first)
    assert retold([later], before) == (first,)


def test_what_was_to_be_put_back_and_differs_again_was_written_again() -> None:
    before = looked_at(looked(written(120), at=120), written(120))
    assert before.step is Step.REVERT
    assert retold([written(500)], before) == (written(500),)


def test_two_reverts_have_a_cool_down_between_them() -> None:
    memory = fought(times=1)
    early = looked(scaled(), memory=memory, at=PAUSE - 1)
    assert (early.step, early.again) == (Step.COOL, after(PAUSE))
    assert early.memory.reverts == memory.reverts
    assert looked(scaled(), memory=memory, at=PAUSE).step is Step.REVERT


def test_after_three_reverts_of_one_field_it_is_only_reported_with_who_fights() -> None:
    decision = looked(scaled(), memory=fought(), at=3 * PAUSE)
    assert decision.step is Step.STOP
    assert fighters(stopped(looked_at(decision, scaled()))) == ("keda",)
    assert said(decision, scaled()).startswith("not put back any more, keda changes it again each time")


def test_three_reverts_of_three_fields_stop_nothing() -> None:
    memory = Memory("d1")
    for number in range(5):
        memory = reverted(scaled(f"spec.field{number}"), memory=memory, at=number * PAUSE)


def test_whoever_makes_something_new_each_time_is_stopped_too() -> None:
    memory = FRESH
    for number in range(MOST_TOGETHER):
        memory = reverted(scaled(f"data.key-{number}"), memory=memory, at=number * PAUSE)
    last = looked(scaled("data.another"), memory=memory, at=MOST_TOGETHER * PAUSE)
    assert last.step is Step.STOP
    assert fighters(stopped(looked_at(last, scaled("data.another")))) == ("keda",)


def test_another_field_is_still_put_back() -> None:
    stopped = looked(scaled(), memory=fought(), at=3 * PAUSE).memory
    memory = reverted(scaled(), scaled("spec.paused"), memory=stopped, at=4 * PAUSE)
    assert [len(times) for times in memory.reverts.values()] == [3, 1]


def test_beside_what_is_put_back_the_fight_is_told_and_its_object_is_left_alone_if_nothing_else_is_to_be_written() -> (
    None
):
    memory = looked(scaled(), memory=fought(), at=3 * PAUSE).memory
    gone = ObjectDrift(replace(WEB, name="other"), DriftKind.MISSING)
    beside = looked_at(looked(scaled(), gone, memory=memory, at=4 * PAUSE), scaled(), gone)
    assert beside.step is Step.REVERT
    assert (stopped(beside), held(beside), resting(beside)) == ((scaled(),), (gone,), {WEB})
    words = drift_words.said(beside)
    assert words.startswith("not put back any more, keda changes it again each time: Deployment shop/web spec.replicas")
    assert words.endswith("; being put back: Deployment shop/other missing")
    paused = ObjectDrift(WEB, DriftKind.CHANGED, (*scaled().fields, *scaled("spec.paused").fields))
    both = looked_at(looked(paused, memory=memory, at=4 * PAUSE), paused)
    assert (stopped(both), held(both)) == ((scaled(),), (scaled("spec.paused"),))
    assert resting(both) == frozenset()


def test_reverts_of_more_than_an_hour_ago_do_not_count() -> None:
    assert looked(scaled(), memory=fought(), at=3600 + PAUSE).step is Step.REVERT


def test_a_stopped_field_is_held_again_once_it_was_calm() -> None:
    stopped = looked(scaled(), memory=fought(), at=3 * PAUSE).memory
    calm = CALM.total_seconds()
    assert looked(scaled(), memory=looked(memory=stopped, at=4 * PAUSE).memory, at=5 * PAUSE).step is Step.STOP
    later = looked(memory=stopped, at=3 * PAUSE + calm).memory
    assert looked(scaled(), memory=later, at=4 * PAUSE + calm).step is Step.REVERT


def test_a_fight_that_goes_on_is_not_calm() -> None:
    memory = looked(scaled(), memory=fought(), at=3 * PAUSE).memory
    for minutes in range(10, 60 * 5, 10):
        decision = looked(scaled(), memory=memory, at=minutes * 60)
        assert decision.step is Step.STOP
        memory = decision.memory


def test_whoever_deploys_begins_anew() -> None:
    stopped = looked(scaled(), memory=fought(), at=3 * PAUSE).memory
    assert looked(scaled(), memory=stopped, since="d2", at=4 * PAUSE).step is Step.REVERT


def test_a_look_says_nothing_of_what_was_deployed_since() -> None:
    checked = Checked(DriftState.DRIFTED, COMMIT, NOON, (scaled(),))
    assert checked.of(COMMIT) is checked
    assert checked.of(NEWER).state is DriftState.UNCHECKED
    assert checked.of(None).objects == ()


def test_what_drifted_is_put_back_only_to_what_is_deployed() -> None:
    reverting = deployment(trigger=Trigger.DRIFT)
    assert outdated(reverting, deployed=COMMIT) is None
    assert outdated(reverting, deployed=NEWER) == f"the environment runs {NEWER[:12]} by now"
    assert outdated(replace(reverting, trigger=Trigger.MERGE), deployed=NEWER) is None


def test_the_status_has_one_state_per_step_and_no_value_of_a_secret() -> None:
    ref = ObjectRef("v1", "Secret", "shop", "key")
    hidden = ObjectDrift(ref, DriftKind.CHANGED, (FieldDrift("data.key", hidden=True),))
    states = {
        Step.NOTHING: StatusState.SUCCESS,
        Step.REPORT: StatusState.FAILURE,
        Step.REVERT: StatusState.PENDING,
        Step.FAIL: StatusState.FAILURE,
        Step.STOP: StatusState.FAILURE,
    }
    for step, state in states.items():
        checked = Checked(DriftState.DRIFTED, COMMIT, NOON, (hidden, scaled()), step=step)
        status = drift_words.commit_status(environment(), COMMIT, checked, page="https://x.example/1")
        assert (status.context, status.state, status.branch) == ("drift/staging", state, "main")
        assert status.description.endswith(": Secret shop/key data.key changed (hidden), and 1 more")


def test_the_audit_is_told_names_and_no_values() -> None:
    told = drift_words.without_values([scaled(), ObjectDrift(WEB, DriftKind.MISSING)])
    assert told == ("Deployment shop/web spec.replicas by keda at 12:02", "Deployment shop/web missing")


@pytest.mark.parametrize(("seconds", "expected"), [(0, False), (899, False), (900, True)])
def test_what_is_not_known_for_three_intervals_lasts(seconds: float, expected: bool) -> None:
    blind = Checked(DriftState.UNKNOWN, COMMIT, after(seconds), reason="away", since=NOON)
    assert lasting(blind, interval=300) is expected


def test_what_is_known_does_not_last_as_unknown() -> None:
    assert not lasting(Checked(DriftState.DRIFTED, COMMIT, after(9000), since=NOON), interval=300)


def test_what_is_not_known_is_said_with_since_when_and_is_neither_good_nor_bad() -> None:
    blind = Checked(DriftState.UNKNOWN, COMMIT, after(900), reason="connection\nrefused", since=NOON, step=Step.BLIND)
    status = drift_words.commit_status(environment(), COMMIT, blind, page="https://x.example/1")
    assert (status.state, status.description) == (
        StatusState.ERROR,
        "unknown since 2026-11-23 12:00 UTC: connection refused",
    )


def test_a_state_goes_on_until_another_is_seen() -> None:
    seen = Checked(DriftState.DRIFTED, COMMIT, after(60), since=NOON)
    assert seen.begun(DriftState.DRIFTED, now=after(120)) == NOON
    assert seen.begun(DriftState.UNKNOWN, now=after(120)) == after(120)
    assert Checked().begun(DriftState.UNCHECKED, now=after(120)) == after(120)
