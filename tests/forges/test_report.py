from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployer.forges import report
from deployer.model import (
    Action,
    Deployment,
    EnvironmentKey,
    ObjectRef,
    ObjectResult,
    Permanent,
    Place,
    Stage,
    State,
    StatusState,
    Trigger,
)
from tests.examples import environment

COMMIT = "4f" * 20
PAGE = "https://deployer.example.com/deployments/1"


def deployment(state: State = State.SUCCEEDED, summary: str = "12 objects, nothing to change") -> Deployment:
    key = EnvironmentKey("github", "acme/shop", "staging")
    return Deployment("1", key, COMMIT, Trigger.MERGE, state, summary, datetime(2026, 1, 1, tzinfo=UTC))


def results(**counts: int) -> list[ObjectResult]:
    return [
        ObjectResult(ObjectRef("v1", "ConfigMap", "shop", f"{name}-{number}"), Action(name))
        for name, count in counts.items()
        for number in range(count)
    ]


def test_a_status_names_the_environment_and_leads_to_the_deployment() -> None:
    status = report.commit_status(deployment(), page=PAGE)
    assert (status.repository, status.commit, status.context) == ("acme/shop", COMMIT, "deploy/staging")
    assert (status.description, status.target_url) == ("12 objects, nothing to change", PAGE)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (State.QUEUED, StatusState.PENDING),
        (State.RUNNING, StatusState.PENDING),
        (State.ROLLING_OUT, StatusState.PENDING),
        (State.SUCCEEDED, StatusState.SUCCESS),
        (State.FAILED, StatusState.FAILURE),
        (State.SUPERSEDED, StatusState.CANCELED),
        (State.HELD, StatusState.FAILURE),
    ],
)
def test_each_state_has_its_status(state: State, expected: StatusState) -> None:
    assert report.commit_status(deployment(state), page=PAGE).state is expected


@pytest.mark.parametrize("state", State)
def test_a_commit_is_left_pending_exactly_while_something_may_still_happen(state: State) -> None:
    pending = report.commit_status(deployment(state), page=PAGE).state is StatusState.PENDING
    assert pending is not state.final


@pytest.mark.parametrize(
    ("state", "summary", "description"),
    [
        (State.ROLLING_OUT, "", "rolling out"),
        (State.FAILED, " \n\x00 ", "failed"),
        (State.FAILED, "render: no\n\n\tsuch file\x00\x07", "render: no such file"),
        (State.FAILED, "\x1b[31mError:\x1b[0m broken \x1b]0;title\x07thing", "Error: broken thing"),
        (State.FAILED, "user\u202etxt.exe \u2066name", "usertxt.exe name"),
        (State.FAILED, "one\u2028two\u00a0three", "one two three"),
        (State.FAILED, "half a character: \udcff", "half a character:"),
        (State.SUCCEEDED, "größer 数 🚀", "größer 数 🚀"),
    ],
)
def test_a_description_is_one_readable_line(state: State, summary: str, description: str) -> None:
    assert report.commit_status(deployment(state, summary), page=PAGE).description == description


@pytest.mark.parametrize(
    ("counts", "seconds", "expected"),
    [
        ({"unchanged": 9, "updated": 2, "created": 1}, 1.36, "12 objects, 3 changed, healthy in 1.4 s"),
        ({"unchanged": 12}, 1.4, "12 objects, nothing to change, healthy in 1.4 s"),
        ({"unchanged": 1}, 1.4, "1 object, nothing to change, healthy in 1.4 s"),
        ({"unchanged": 5, "recreated": 1}, 1.4, "6 objects, 1 changed, healthy in 1.4 s"),
        ({"unchanged": 5, "deleted": 2}, 1.4, "5 objects, 2 deleted, healthy in 1.4 s"),
        ({"updated": 1, "deleted": 1, "kept": 3}, 1.4, "1 object, 1 changed, 1 deleted, 3 kept, healthy in 1.4 s"),
        ({"created": 1}, 0.001, "1 object, 1 changed, healthy in 0.1 s"),
        ({"created": 2}, 9.97, "2 objects, 2 changed, healthy in 10 s"),
        ({"created": 2}, 14.2, "2 objects, 2 changed, healthy in 14 s"),
        ({"created": 2}, 119.4, "2 objects, 2 changed, healthy in 119 s"),
        ({"created": 2}, 272.0, "2 objects, 2 changed, healthy in 4 min 32 s"),
    ],
)
def test_the_summary_counts_objects_and_time(counts: dict[str, int], seconds: float, expected: str) -> None:
    assert report.summary(results(**counts), seconds=seconds) == expected


@pytest.mark.parametrize(
    ("stage", "message", "expected"),
    [
        (Stage.RENDER, "accumulating resources:\n  no such file", "render: accumulating resources: no such file"),
        (Stage.APPLY, "2 of 12 objects failed: Deployment.apps shop/web: field is immutable",
         "apply: 2 of 12 objects failed: Deployment.apps shop/web: field is immutable"),
        (Stage.FETCH, "", "fetch: no reason was given"),
    ],
)  # fmt: skip
def test_a_failure_says_where_and_why(stage: Stage, message: str, expected: str) -> None:
    assert report.failure_summary(Permanent(message, stage=stage)) == expected


def test_the_summary_of_a_failure_is_not_as_long_as_what_a_tool_printed() -> None:
    summary = report.failure_summary(
        Permanent("reading base: " + "broken " * 9000 + ": no such file", stage=Stage.RENDER)
    )
    assert len(summary) <= report.SUMMARY_LENGTH
    assert summary.startswith("render: reading base: … ")
    assert summary.endswith("no such file")


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("short enough", 12, "short enough"),
        ("twelve objects, three changed", 21, "twelve objects…"),
        ("twelve objects, three changed", 22, "twelve objects, three…"),
        ("x" * 20, 10, "xxxxxxxxx…"),
        ("a " + "x" * 20, 10, "a xxxxxxx…"),
        ("render: " + "word " * 9, 30, "render: word word word word…"),
        ('render: accumulating resources: from "base": in the folder of it: lstat /w/x: no such file "x.yaml"', 70,
         'render: accumulating resources: … lstat /w/x: no such file "x.yaml"'),
        ("apply: 2 of 12 objects failed: Deployment shop/web: spec.selector: Invalid value: map[]: field is immutable",
         90, "apply: 2 of 12 objects failed: … spec.selector: Invalid value: map[]: field is immutable"),
        ("apply: 2 of 12 objects failed: Deployment shop/web: spec.selector of the pods: Invalid value: map[a:b]: "
         "field is immutable", 110,
         "apply: 2 of 12 objects failed: Deployment shop/web: … Invalid value: map[a:b]: field is immutable"),
        ("stage: cause: " + "y" * 90, 40, "stage: cause: … " + "y" * 24),
        ("fetch: why: the end of a long sentence", 30, "fetch: why: … a long sentence"),
        ("twelve characters and no more: two: three and four", 20, "twelve characters…"),
    ],
)  # fmt: skip
def test_what_is_too_long_is_cut_where_it_reads_well(text: str, limit: int, expected: str) -> None:
    assert report.cut(text, limit) == expected


_WORDS = st.lists(st.sampled_from(["a", "word", "stage:", "reason:", "z" * 40, "🚀"]), max_size=60).map(" ".join)


@given(text=_WORDS, limit=st.integers(1, 150))
def test_no_text_comes_out_longer_than_the_limit_or_loses_its_beginning(text: str, limit: int) -> None:
    cut = report.cut(text, limit)
    assert len(cut) <= limit
    assert text.startswith(cut.partition("…")[0].rstrip())
    assert text.endswith(cut.rpartition("…")[2].lstrip())


@given(text=_WORDS, limit=st.integers(1, 150))
def test_what_fits_is_left_as_it_is_and_what_does_not_says_so(text: str, limit: int) -> None:
    assert ("…" in report.cut(text, limit)) is (len(text) > limit)


@given(text=st.text(max_size=200))
def test_a_line_has_no_character_that_a_terminal_or_a_page_obeys(text: str) -> None:
    assert report.line(text) == "" or report.line(text).isprintable()


@dataclass
class Unready:
    ref: ObjectRef
    reason: str


WEB = Unready(ObjectRef("apps/v1", "Deployment", "shop", "web"), "1 of 3 replicas available")
VOLUME = Unready(ObjectRef("v1", "PersistentVolume", None, "data"), "still\nPending")


@pytest.mark.parametrize(
    ("waiting", "expected"),
    [
        ([], "4/6 ready"),
        ([WEB], "4/6 ready: Deployment shop/web: 1 of 3 replicas available"),
        ([WEB, VOLUME], "4/6 ready: Deployment shop/web: 1 of 3 replicas available, and 1 more"),
    ],
)
def test_a_rollout_tells_how_many_are_ready_and_what_is_waited_for(waiting: list[Unready], expected: str) -> None:
    assert report.readiness(4, 6, waiting) == expected


def test_at_the_end_of_its_time_everything_that_is_not_ready_is_named() -> None:
    told = report.unready(4, 6, [WEB, VOLUME], seconds=300.2)
    expected = "Deployment shop/web: 1 of 3 replicas available; PersistentVolume data: still Pending"
    assert told == f"4/6 ready after 300 s: {expected}"


def test_what_stays_where_the_environment_was_is_told_with_the_commands_that_delete_it() -> None:
    place = Place("blue", "shop", "deployer.staging.acme-shop", "applyset-x-v1")
    told = report.summary(results(created=1), seconds=1, left=[place])
    assert told.startswith(
        "1 object, 1 changed, healthy in 1.0 s; what it had in cluster blue, namespace shop is still"
    )
    assert "kubectl --namespace shop get configmap deployer.staging.acme-shop" in told
    assert "--selector applyset.kubernetes.io/part-of=applyset-x-v1" in report.clean_up(place)


def test_the_summary_says_whether_it_is_what_was_previewed() -> None:
    told = report.summary(results(created=1), seconds=1, previewed="as previewed in #12")
    assert told == "1 object, 1 changed, healthy in 1.0 s; as previewed in #12"


def test_a_status_is_on_the_branch_of_its_environment() -> None:
    assert report.commit_status(deployment(), page=PAGE, branch="main").branch == "main"
    assert report.commit_status(deployment(), page=PAGE).branch is None


def test_the_end_is_said_when_there_is_no_room_any_more_for_what_is_on_its_way() -> None:
    pending = report.commit_status(deployment(State.QUEUED), page=PAGE)
    final = report.commit_status(deployment(), page=PAGE)
    worth = [[report.worth_saying(each, said=said) for each in (pending, final)] for said in (0, 500, 950)]
    assert worth == [[True, True], [False, True], [False, False]]


@pytest.mark.parametrize("state", list(State))
def test_the_forges_own_deployment_ends_with_ours(state: State) -> None:
    recorded = report.forge_deployment(deployment(state), environment=environment(), page=PAGE)
    assert recorded.state.final is state.final
    assert (recorded.branch, recorded.environment, recorded.external_id) == ("main", "staging", "1")
