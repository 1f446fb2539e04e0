"""Notes on GitLab: what is asked for, by whom, and which are left alone."""

from __future__ import annotations

import pytest

from deployer.model import Command, CommandName, Ignored
from deployer.webhooks.receive import Malformed
from tests.webhooks.deliveries import edit, recorded, without
from tests.webhooks.wrong import NO_COMMITS, NO_FLAGS, NO_NAMES, NO_NUMBERS, NO_SECTIONS, NO_TEXTS

CREATED = recorded("gitlab_note_created")
HEAD = "78ed7d43913cddaa473218323e320be728e2cfd9"
NOTHING = "a comment that asks for nothing here"
ROBOT = "a comment by a robot: only people are listened to"
CHANGED = "a comment was changed: only new ones count"


def test_a_command_on_a_merge_request_is_one_of_its_author() -> None:
    assert CREATED.event() == Command(
        repository="acme/web/shop",
        number=15,
        name=CommandName.DEPLOY,
        arguments=("staging",),
        comment_id="3310077",
        actor="grace",
        actor_id=1906,
        open=True,
        merged=False,
        branch="main",
        head=HEAD,
    )


@pytest.mark.parametrize(
    ("state", "expected"),
    [("opened", (True, False)), ("locked", (True, False)), ("closed", (False, False)), ("merged", (False, True))],
)
def test_it_says_how_the_merge_request_stood(state: str, expected: tuple[bool, bool]) -> None:
    event = edit(CREATED, "merge_request.state", state).event()
    assert isinstance(event, Command)
    assert (event.open, event.merged) == expected


@pytest.mark.parametrize("last_commit", [None, {}, {"id": None}, {"id": ""}])
def test_a_merge_request_may_have_no_commit(last_commit: object) -> None:
    event = edit(CREATED, "merge_request.last_commit", last_commit).event()
    assert isinstance(event, Command)
    assert event.head is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("changed", CHANGED),
        ("on_issue", "a comment on Issue: only those on merge requests count"),
        ("by_bot", ROBOT),
        ("talk", NOTHING),
        ("confidential", "Confidential Note Hook: not one that anything is done about"),
    ],
)
def test_a_note_that_is_no_command_of_a_person_is_ignored_with_the_reason(name: str, reason: str) -> None:
    assert recorded(f"gitlab_note_{name}").event() == Ignored(reason)


@pytest.mark.parametrize("on", ["Commit", "Snippet", "WorkItem"])
def test_only_notes_on_merge_requests_count(on: str) -> None:
    expected = Ignored(f"a comment on {on}: only those on merge requests count")
    assert edit(CREATED, "object_attributes.noteable_type", on).event() == expected


def test_a_version_without_actions_shows_by_its_times_that_a_note_was_changed() -> None:
    for old in (without(CREATED, "object_attributes.action"), edit(CREATED, "object_attributes.action", None)):
        assert old.event() == CREATED.event()
        later = edit(old, "object_attributes.updated_at", "2026-11-23 09:12:02 UTC")
        assert later.event() == Ignored(CHANGED)


@pytest.mark.parametrize("action", ["update", "delete", "", "an action of next year"])
def test_only_a_new_note_counts(action: str) -> None:
    assert edit(CREATED, "object_attributes.action", action).event() == Ignored(CHANGED)


def test_a_note_of_gitlab_itself_is_a_robots() -> None:
    assert edit(CREATED, "object_attributes.system", True).event() == Ignored(ROBOT)


@pytest.mark.parametrize(
    ("login", "robot"),
    [
        ("project_4711_bot", True),
        ("project_4711_bot2", True),
        ("project_4711_bot_6f3c09e1d2", True),
        ("group_12_bot_6f3c09e1d2", True),
        ("service_account_6f3c09e1d2", True),
        ("service_account_group_345_6f3c09e1d2", True),
        ("service_account_project_345_6f3c09e1d2", True),
        ("service_accountant", False),
        ("project_x_bot", False),
        ("projectbot", False),
        ("talbot", False),
    ],
)
def test_the_users_of_access_tokens_are_robots(login: str, robot: bool) -> None:
    event = edit(CREATED, "user.username", login).event()
    assert event == Ignored(ROBOT) if robot else isinstance(event, Command)


def test_the_test_of_a_webhook_does_not_lend_the_rights_of_who_presses_it_to_the_author_of_the_last_note() -> None:
    pressed = edit(CREATED, "user", {**CREATED.payload["user"], "id": 1815, "username": "ada"})
    event = pressed.event()
    assert event == Ignored("a comment of somebody else than who sent it, as in the test of a webhook")


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("project.path_with_namespace", NO_NAMES),
        ("user", [*NO_SECTIONS, None, {}]),
        ("user.username", NO_NAMES),
        ("user.id", NO_NUMBERS),
        ("object_attributes", [*NO_SECTIONS, None, {}]),
        ("object_attributes.noteable_type", NO_NAMES),
        ("object_attributes.action", NO_TEXTS),
        ("object_attributes.note", NO_TEXTS),
        ("object_attributes.system", NO_FLAGS),
        ("object_attributes.author_id", NO_NUMBERS),
        ("object_attributes.id", NO_NUMBERS),
        ("merge_request", [*NO_SECTIONS, None, {}]),
        ("merge_request.iid", NO_NUMBERS),
        ("merge_request.state", [*NO_NAMES, "open"]),
        ("merge_request.target_branch", NO_NAMES),
        ("merge_request.last_commit", NO_SECTIONS),
        ("merge_request.last_commit.id", NO_COMMITS),
    ],
)
def test_a_wrong_value_is_malformed_and_says_where(path: str, values: list[object]) -> None:
    for value in values:
        with pytest.raises(Malformed) as refused:
            edit(CREATED, path, value).event()
        assert path in str(refused.value)
