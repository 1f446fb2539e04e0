from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from deployer.sandbox.forge.refusal import Invalid, TransitionRefused
from deployer.sandbox.forge.statuses import Post, Status, Statuses, combined

COMMIT = "a" * 40
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def post(state: str, context: str = "deploy/staging", **fields: str) -> Post:
    return Post(COMMIT, context, state, **fields)


def added(*posts: Post) -> Statuses:
    statuses = Statuses()
    for one in posts:
        statuses.add(one, creator="sandbox", at=NOW)
    return statuses


def moved(*posts: Post) -> Statuses:
    statuses = Statuses()
    for number, one in enumerate(posts):
        statuses.move(one, creator="sandbox", at=NOW + timedelta(seconds=number))
    return statuses


def states(statuses: tuple[Status, ...]) -> list[tuple[str, str]]:
    return [(one.context, one.state) for one in statuses]


def test_github_keeps_every_post_newest_first() -> None:
    statuses = added(post("pending"), post("pending"), post("success"))
    assert [one.state for one in statuses.of(COMMIT)] == ["success", "pending", "pending"]


def test_the_latest_is_one_for_each_context() -> None:
    statuses = added(post("pending", "b"), post("pending", "a"), post("failure", "b"))
    assert states(statuses.latest(COMMIT)) == [("a", "pending"), ("b", "failure")]


def test_statuses_of_other_commits_are_not_mixed_in() -> None:
    assert added(post("success")).of("b" * 40) == ()


@pytest.mark.parametrize(
    ("posted", "expected"),
    [
        ([], "pending"),
        (["success", "success"], "success"),
        (["success", "pending"], "pending"),
        (["pending", "failure"], "failure"),
        (["success", "error"], "failure"),
    ],
)
def test_github_combines_the_contexts(posted: list[str], expected: str) -> None:
    statuses = added(*(post(state, f"context-{number}") for number, state in enumerate(posted)))
    assert combined(statuses.latest(COMMIT)) == expected


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (post("running"), "state"),
        (post("SUCCESS"), "state"),
        (post(""), "state"),
        (post("success", description="x" * 141), "description"),
        (post("success", description="rocket \U0001f680"), "description"),
        (post("success", target_url="javascript:alert(1)"), "target_url"),
        (post("success", "x" * 256), "context"),
    ],
)
def test_github_refuses_a_post_that_breaks_a_rule(wrong: Post, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        added(wrong)
    assert refused.value.field == field


def test_github_takes_a_description_of_140_characters() -> None:
    assert added(post("success", description="ü" * 140)).of(COMMIT)[0].description == "ü" * 140


def test_gitlab_moves_one_record_to_its_end() -> None:
    statuses = moved(post("pending", description="queued"), post("running"), post("success", description="done"))
    (only,) = statuses.of(COMMIT)
    assert (only.state, only.description, only.created_at, only.updated_at) == (
        "success", "done", NOW, NOW + timedelta(seconds=2),
    )  # fmt: skip


def test_gitlab_begins_anew_after_an_end() -> None:
    statuses = moved(post("pending"), post("success"), post("pending"))
    assert [one.state for one in statuses.of(COMMIT)] == ["pending", "success"]
    assert states(statuses.latest(COMMIT)) == [("deploy/staging", "pending")]


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("pending", "pending", 'via :enqueue from :pending (Reason(s): Status cannot transition via "enqueue")'),
        ("running", "running", 'via :run from :running (Reason(s): Status cannot transition via "run")'),
        ("running", "pending", 'via :enqueue from :running (Reason(s): Status cannot transition via "enqueue")'),
    ],
)
def test_gitlab_refuses_to_stand_still_or_go_back(before: str, after: str, message: str) -> None:
    with pytest.raises(TransitionRefused) as refused:
        moved(post(before), post(after))
    assert str(refused.value) == f"Cannot transition status {message}"


def test_gitlab_keeps_contexts_and_refs_apart() -> None:
    statuses = moved(post("pending", ref="main"), post("pending", ref="other"), post("pending", "deploy/production"))
    assert len(statuses.of(COMMIT)) == 3


@pytest.mark.parametrize(
    "wrong", [post("failure"), post("pending", description="x" * 256), post("pending", target_url="ftp://x")]
)
def test_gitlab_refuses_a_post_that_breaks_a_rule(wrong: Post) -> None:
    with pytest.raises(Invalid):
        moved(wrong)


@pytest.mark.parametrize(
    ("state", "look"),
    [
        ("success", "good"),
        ("failed", "bad"),
        ("failure", "bad"),
        ("error", "bad"),
        ("running", "waiting"),
        ("canceled", "stopped"),
    ],
)
def test_every_state_has_a_look(state: str, look: str) -> None:
    assert Status(1, COMMIT, "c", state, None, None, "sandbox", NOW, NOW).look == look
