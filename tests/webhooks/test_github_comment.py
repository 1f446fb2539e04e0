"""Comments on GitHub: what is asked for, by whom, and which are left alone."""

from __future__ import annotations

import pytest

from deployer.model import Command, CommandName, Ignored
from deployer.webhooks.receive import Malformed
from tests.webhooks.deliveries import edit, recorded, without
from tests.webhooks.wrong import NO_NAMES, NO_NUMBERS, NO_SECTIONS, NO_TEXTS

CREATED = recorded("github_issue_comment_created")
NOTHING = "a comment that asks for nothing here"
ROBOT = "a comment by a robot: only people are listened to"


def test_a_command_on_a_pull_request_is_one_of_its_author() -> None:
    assert CREATED.event() == Command(
        repository="acme/shop",
        number=15,
        name=CommandName.DEPLOY,
        arguments=("staging",),
        comment_id="3310077",
        actor="grace",
        actor_id=1906,
        open=True,
        merged=False,
    )


@pytest.mark.parametrize(
    ("state", "merged_at", "expected"),
    [
        ("open", None, (True, False)),
        ("closed", None, (False, False)),
        ("closed", "2026-11-23T09:04:00Z", (False, True)),
    ],
)
def test_it_says_how_the_pull_request_stood(state: str, merged_at: str | None, expected: tuple[bool, bool]) -> None:
    event = edit(edit(CREATED, "issue.state", state), "issue.pull_request.merged_at", merged_at).event()
    assert isinstance(event, Command)
    assert (event.open, event.merged) == expected


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("edited", "a comment was edited: only new ones count"),
        ("on_issue", "a comment on an issue: only those on pull requests count"),
        ("by_bot", ROBOT),
        ("talk", NOTHING),
    ],
)
def test_a_comment_that_is_no_command_of_a_person_is_ignored_with_the_reason(name: str, reason: str) -> None:
    assert recorded(f"github_issue_comment_{name}").event() == Ignored(reason)


@pytest.mark.parametrize("action", ["deleted", "pinned", "an action of next year"])
def test_only_a_new_comment_counts(action: str) -> None:
    assert edit(CREATED, "action", action).event() == Ignored(f"a comment was {action}: only new ones count")


@pytest.mark.parametrize("kind", ["Bot", "Organization", "Mannequin"])
def test_who_is_no_user_is_a_robot(kind: str) -> None:
    assert edit(CREATED, "comment.user.type", kind).event() == Ignored(ROBOT)


def test_an_app_that_writes_in_the_name_of_a_person_is_a_robot() -> None:
    app = recorded("github_issue_comment_by_bot").payload["comment"]["performed_via_github_app"]
    assert edit(CREATED, "comment.performed_via_github_app", app).event() == Ignored(ROBOT)
    assert isinstance(without(CREATED, "comment.performed_via_github_app").event(), Command)


@pytest.mark.parametrize("body", [None, "", "/retest", "/approve\n/deploy staging"])
def test_a_command_of_somebody_else_is_ignored(body: str | None) -> None:
    assert edit(CREATED, "comment.body", body).event() == Ignored(NOTHING)


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("action", NO_NAMES),
        ("repository.full_name", NO_NAMES),
        ("issue", [*NO_SECTIONS, None]),
        ("issue.pull_request", NO_SECTIONS),
        ("issue.pull_request.merged_at", NO_TEXTS),
        ("issue.number", NO_NUMBERS),
        ("issue.state", [*NO_NAMES, "locked"]),
        ("comment", [*NO_SECTIONS, None]),
        ("comment.body", NO_TEXTS),
        ("comment.id", NO_NUMBERS),
        ("comment.user", [*NO_SECTIONS, None, {}]),
        ("comment.user.type", NO_NAMES),
        ("comment.user.login", NO_NAMES),
        ("comment.user.id", NO_NUMBERS),
        ("comment.performed_via_github_app", NO_SECTIONS),
    ],
)
def test_a_wrong_value_is_malformed_and_says_where(path: str, values: list[object]) -> None:
    for value in values:
        with pytest.raises(Malformed) as refused:
            edit(CREATED, path, value).event()
        assert path in str(refused.value)
