"""What is remembered of putting back what drifted: only what was done counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from deployer.forges import drift_words
from deployer.holding import Checked, Decision, DriftState, Step, decide, refusal
from deployer.model import (
    Action,
    Author,
    Deployment,
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
from deployer.reverts import COOL_DOWN, Memory, attempted, settled
from tests.examples import COMMIT, NOON, after, deployment, environment

WEB = ObjectRef("apps/v1", "Deployment", "shop", "web")
ODD = ObjectRef("rbac.authorization.k8s.io/v1", "ClusterRole", None, "a role of words")
SCALED = ObjectDrift(WEB, DriftKind.CHANGED, (FieldDrift("spec.replicas", "3", "5", Author("keda", NOON)),))
GONE = ObjectDrift(ODD, DriftKind.MISSING)
SCALE, GO = "Deployment.apps shop/web spec.replicas", "ClusterRole.rbac.authorization.k8s.io a role of words missing"
FORBIDDEN = "forbidden: may not update"


def ended(state: State = State.FAILED, name: str = "a1", *, at: float = 0, summary: str = "apply: no") -> Deployment:
    made = deployment(name, trigger=Trigger.DRIFT, state=state, finished_at=after(at))
    return replace(made, summary=summary)


FRESH = Memory("d1")


def tried(*found: ObjectDrift, memory: Memory = FRESH) -> Memory:
    return attempted(found, memory, deployment="a1")


def became(action: Action, message: str = "", *, ref: ObjectRef = WEB) -> Sequence[ObjectResult]:
    return [ObjectResult(ref, action, message)]


def looked(*found: ObjectDrift, memory: Memory, at: float) -> Decision:
    return decide(found, policy=Drift.REVERT, memory=memory, since="d1", now=after(at))


def checked(decision: Decision, *found: ObjectDrift) -> Checked:
    return Checked(DriftState.DRIFTED, COMMIT, NOON, found, step=decision.step, memory=decision.memory)


def refused(times: int, *found: ObjectDrift) -> Memory:
    """So many tries that failed, each at the time when the next one was due."""
    memory, at = Memory("d1"), NOON
    for number in range(times):
        made = ended(at=(at - NOON).total_seconds(), name=f"a{number}")
        memory = settled(tried(*found, memory=memory), made, became(Action.FAILED, FORBIDDEN))
        at = memory.refused[SCALE].again
    return memory


@pytest.mark.parametrize("action", [Action.CREATED, Action.UPDATED, Action.RECREATED, Action.DELETED])
def test_what_was_put_back_counts_when_it_was(action: Action) -> None:
    memory = settled(tried(SCALED), ended(State.SUCCEEDED, at=7), became(action))
    assert memory.reverts == {SCALE: (after(7),)}
    assert (memory.refused, memory.attempt) == ({}, None)


def test_what_was_put_back_counts_also_if_something_else_failed_then() -> None:
    results = [*became(Action.UPDATED), *became(Action.FAILED, FORBIDDEN, ref=ODD)]
    memory = settled(tried(SCALED, GONE), ended(), results)
    assert list(memory.reverts) == [SCALE]
    assert {mark: why.reason for mark, why in memory.refused.items()} == {GO: FORBIDDEN}


@pytest.mark.parametrize("state", [State.SUPERSEDED, None], ids=str)
def test_what_was_never_tried_does_not_count(state: State | None) -> None:
    memory = settled(tried(SCALED), ended(state) if state else None, [])
    assert memory == Memory("d1")


def test_what_is_still_on_its_way_is_neither() -> None:
    memory = tried(SCALED)
    assert settled(memory, replace(ended(State.ROLLING_OUT), finished_at=None), []) is memory
    assert settled(Memory("d1"), ended(), []) == Memory("d1")


def test_a_deployment_that_came_to_nothing_is_the_reason_for_all() -> None:
    memory = settled(tried(SCALED, GONE), ended(summary="fetch: not on the branch"), [])
    assert [why.reason for why in memory.refused.values()] == ["fetch: not on the branch"] * 2
    assert memory.reverts == {}


def test_what_a_deployment_that_succeeded_does_not_mention_is_not_tried_for_ever() -> None:
    memory = settled(tried(SCALED), ended(State.SUCCEEDED), [])
    assert memory.refused[SCALE].reason == "the deployment changed nothing of it"


def in_vain(times: int) -> Memory:
    """So many tries that found it as git wants it, each at the time when the next one was due."""
    memory, at = Memory("d1"), 0.0
    for number in range(times):
        made = ended(State.SUCCEEDED, at=at, name=f"a{number}")
        memory = settled(tried(SCALED, memory=memory), made, became(Action.UNCHANGED))
        at = (memory.refused[SCALE].again - NOON).total_seconds()
    return memory


def test_what_was_as_git_wants_it_by_then_is_neither_a_revert_nor_said_to_be_refused() -> None:
    memory = in_vain(1)
    assert (memory.reverts, memory.attempt) == ({}, None)
    decision = looked(SCALED, memory=memory, at=60)
    assert decision.step is Step.REVERT
    assert refusal(checked(decision, SCALED)) is None
    assert looked(memory=memory, at=60).memory.refused == {}


def test_what_differs_again_each_time_is_put_back_ever_more_rarely_and_without_a_reason() -> None:
    memory = in_vain(3)
    again = memory.refused[SCALE].again
    assert again - memory.refused[SCALE].last == 4 * COOL_DOWN
    decision = looked(SCALED, memory=memory, at=(again - NOON - timedelta(seconds=1)).total_seconds())
    assert (decision.step, decision.again) == (Step.COOL, again)
    seen = replace(checked(decision, SCALED), again=decision.again)
    assert drift_words.said(seen).startswith(f"put back again at {again:%H:%M:%S}: Deployment shop/web spec.replicas")


def test_what_could_not_be_taken_away_from_an_object_that_is_as_it_was_is_said() -> None:
    said = "/spec/ports/1 of kubectl-edit could not be removed: no"
    memory = settled(tried(SCALED), ended(State.SUCCEEDED), became(Action.UNCHANGED, said))
    assert memory.refused[SCALE].reason == said


def test_what_a_deployment_that_failed_left_as_it_was_is_refused() -> None:
    memory = settled(tried(SCALED), ended(summary="apply: no"), became(Action.UNCHANGED))
    assert memory.refused[SCALE].reason == "the deployment changed nothing of it"


def test_after_a_failure_the_next_try_waits_longer_each_time_and_about_an_hour_at_most() -> None:
    waits = [refused(times, SCALED).refused[SCALE] for times in (1, 2, 3, 7, 30)]
    assert [why.again - why.last for why in waits] == [
        COOL_DOWN, 2 * COOL_DOWN, 4 * COOL_DOWN, 64 * COOL_DOWN, 64 * COOL_DOWN,
    ]  # fmt: skip


def test_until_then_it_is_said_that_it_fails_and_why_and_not_that_somebody_fights() -> None:
    memory = refused(3, SCALED)
    again = memory.refused[SCALE].again
    decision = looked(SCALED, memory=memory, at=(again - NOON - timedelta(seconds=1)).total_seconds())
    assert (decision.step, decision.again) == (Step.FAIL, again)
    status = drift_words.commit_status(environment(), COMMIT, checked(decision, SCALED), page="")
    assert status.state is StatusState.FAILURE
    assert status.description == f"cannot be put back: Deployment shop/web spec.replicas: {FORBIDDEN}"
    due = looked(SCALED, memory=memory, at=(again - NOON).total_seconds())
    assert due.step is Step.REVERT
    same = drift_words.commit_status(environment(), COMMIT, checked(due, SCALED), page="")
    assert same == status, "the commit does not change its mind at each try"


def test_the_deployment_that_tells_more_is_the_first_that_failed_like_that() -> None:
    memory = refused(3, SCALED)
    assert memory.refused[SCALE].deployment == "a0"
    other = settled(tried(SCALED, memory=memory), ended(name="a9"), became(Action.FAILED, "invalid"))
    assert (other.refused[SCALE].deployment, other.refused[SCALE].times) == ("a9", 4)


def test_what_is_new_is_put_back_beside_what_fails() -> None:
    memory = refused(3, SCALED)
    decision = looked(SCALED, GONE, memory=memory, at=600)
    assert decision.step is Step.REVERT
    assert refusal(checked(decision, SCALED, GONE)) is None
    again = settled(attempted([SCALED, GONE], decision.memory, deployment="a9"), ended(at=600), [
        *became(Action.FAILED, FORBIDDEN), *became(Action.CREATED, ref=ODD),
    ])  # fmt: skip
    later = looked(SCALED, memory=again, at=660)
    assert later.step is Step.FAIL
    assert later.memory.refused[SCALE].times == 4


def test_of_what_fails_and_what_is_fought_for_each_has_its_own_words() -> None:
    memory = replace(refused(1, SCALED), stopped={GO: NOON})
    decision = looked(GONE, SCALED, memory=memory, at=30)
    assert decision.step is Step.FAIL
    assert drift_words.said(checked(decision, GONE, SCALED)) == (
        "not put back any more, it changes again each time: ClusterRole a role of words missing; "
        f"cannot be put back: Deployment shop/web spec.replicas: {FORBIDDEN}"
    )


def test_what_does_not_differ_any_more_failed_no_more() -> None:
    assert looked(memory=refused(3, SCALED), at=600).memory.refused == {}


def test_a_try_that_works_ends_the_row_of_those_that_failed() -> None:
    memory = settled(tried(SCALED, memory=refused(3, SCALED)), ended(State.SUCCEEDED), became(Action.UPDATED))
    assert memory.refused == {}


def test_whoever_deploys_begins_anew_with_what_failed() -> None:
    decision = decide([SCALED], policy=Drift.REVERT, memory=refused(6, SCALED), since="d2", now=after(1))
    assert decision.step is Step.REVERT
    assert decision.memory.refused == {}
