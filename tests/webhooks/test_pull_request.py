"""Pull and merge requests that are not merged: which changes of them matter, and which commit wants to go where."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from deployer.model import Ignored, PullRequestAction, PullRequestEvent
from deployer.webhooks.receive import Malformed
from tests.webhooks.deliveries import Recorded, edit, recorded, without
from tests.webhooks.wrong import NEITHER, NO_COMMITS, NO_FLAGS, NO_NAMES, NO_NUMBERS, NO_SECTIONS, NO_TEXTS

HEAD = "78ed7d43913cddaa473218323e320be728e2cfd9"
GITHUB = PullRequestEvent(
    repository="acme/shop",
    number=15,
    branch="main",
    head=HEAD,
    action=PullRequestAction.UPDATED,
    from_fork=False,
    draft=False,
    title="Raise the replicas to four",
    actor="ada",
)
GITLAB = replace(GITHUB, repository="acme/web/shop")
PUSHED = recorded("github_pull_request_synchronize")
MERGED = recorded("github_pull_request_merged")
UPDATED = recorded("gitlab_merge_request_new_commits")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("github_pull_request_synchronize", GITHUB),
        ("github_pull_request_ready_for_review", GITHUB),
        ("github_pull_request_base_changed", replace(GITHUB, left="release")),
        ("github_pull_request_reopened", replace(GITHUB, action=PullRequestAction.OPENED)),
        (
            "github_pull_request_opened",
            PullRequestEvent(
                repository="acme/shop",
                number=14,
                branch="main",
                head="eaa11d33308ac0ecff058ebb28ced52b57a6757a",
                action=PullRequestAction.OPENED,
                from_fork=True,
                draft=False,
                title="Name the port",
                actor="grace",
            ),
        ),
        (
            "github_pull_request_closed",
            PullRequestEvent(
                repository="acme/shop",
                number=13,
                branch="main",
                head="02034c8864aae35c41c2cfb4a86f50e1279a1e47",
                action=PullRequestAction.CLOSED,
                from_fork=True,
                draft=False,
                title="Lower the replicas",
                actor="ada",
            ),
        ),
        ("gitlab_merge_request_new_commits", GITLAB),
        ("gitlab_merge_request_target_changed", replace(GITLAB, left="release")),
        ("gitlab_merge_request_ready", GITLAB),
        ("gitlab_merge_request_reopen", replace(GITLAB, action=PullRequestAction.OPENED)),
        (
            "gitlab_merge_request_open",
            replace(GITLAB, action=PullRequestAction.OPENED, draft=True, title="Draft: Raise the replicas to four"),
        ),
        (
            "gitlab_merge_request_open_from_fork",
            replace(GITLAB, action=PullRequestAction.OPENED, from_fork=True, actor="grace"),
        ),
        (
            "gitlab_merge_request_closed",
            PullRequestEvent(
                repository="acme/web/shop",
                number=11,
                branch="main",
                head="80b7ab5ce9acee75463743682d5f688bd08a7c56",
                action=PullRequestAction.CLOSED,
                from_fork=True,
                draft=False,
                title="Raise the replicas",
                actor="ada",
            ),
        ),
    ],
)
def test_what_happened_to_which_commit(name: str, expected: PullRequestEvent) -> None:
    assert recorded(name).event() == expected


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("github_pull_request_title_changed", "pull request #15 edited: that changes nothing that would be deployed"),
        ("gitlab_merge_request_new_label", "merge request !15, update: that changes nothing that would be deployed"),
    ],
)
def test_what_changes_neither_commits_nor_base_is_ignored(name: str, reason: str) -> None:
    assert recorded(name).event() == Ignored(reason)


@pytest.mark.parametrize("action", ["labeled", "converted_to_draft", "enqueued", "an action of next year"])
def test_every_other_action_on_github_is_ignored(action: str) -> None:
    expected = Ignored(f"pull request #15 {action}: that changes nothing that would be deployed")
    assert edit(PUSHED, "action", action).event() == expected


@pytest.mark.parametrize("action", ["approved", "unapproval", "", "an action of next year", None])
def test_every_other_action_on_gitlab_is_ignored(action: str | None) -> None:
    expected = Ignored(f"merge request !15, {action or 'changed'}: that changes nothing that would be deployed")
    assert edit(UPDATED, "object_attributes.action", action).event() == expected


@pytest.mark.parametrize("action", ["opened", "reopened", "synchronize", "ready_for_review"])
def test_a_pull_request_that_is_not_open_has_nothing_to_look_at(action: str) -> None:
    assert edit(MERGED, "action", action).event() == Ignored(f"pull request #12 {action}, but it is not open")


@pytest.mark.parametrize("action", ["open", "reopen", "update"])
@pytest.mark.parametrize("state", ["merged", "closed", "locked"])
def test_a_merge_request_that_is_not_open_has_nothing_to_look_at(action: str, state: str) -> None:
    delivery = edit(edit(UPDATED, "object_attributes.action", action), "object_attributes.state", state)
    assert delivery.event() == Ignored(f"merge request !15, {action}: it is not open")


def test_becoming_a_draft_again_changes_nothing() -> None:
    delivery = edit(recorded("gitlab_merge_request_ready"), "changes.draft", {"previous": False, "current": True})
    assert isinstance(delivery.event(), Ignored)


@pytest.mark.parametrize("last_commit", [None, {}, {"id": None}, {"id": ""}])
@pytest.mark.parametrize("name", ["open", "closed"])
def test_a_merge_request_without_a_commit_has_nothing_to_look_at(name: str, last_commit: object) -> None:
    event = edit(recorded(f"gitlab_merge_request_{name}"), "object_attributes.last_commit", last_commit).event()
    assert isinstance(event, Ignored)
    assert event.reason.endswith("it has no commit")


def from_fork(delivery: Recorded) -> bool:
    event = delivery.event()
    assert isinstance(event, PullRequestEvent)
    return event.from_fork


def test_a_source_that_is_gone_was_a_fork() -> None:
    for gone in (edit(PUSHED, "pull_request.head.repo", None), without(PUSHED, "pull_request.head.repo")):
        assert from_fork(gone)
    assert from_fork(edit(PUSHED, "pull_request.head.repo", {}))
    assert from_fork(edit(UPDATED, "object_attributes.source_project_id", None))
    assert from_fork(without(UPDATED, "object_attributes.source_project_id"))


def test_a_fork_is_one_whatever_it_is_called() -> None:
    named_alike = edit(recorded("github_pull_request_opened"), "pull_request.head.repo.full_name", "acme/shop")
    assert from_fork(named_alike)


def test_older_versions_say_draft_in_other_words_or_not_at_all() -> None:
    opened = recorded("gitlab_merge_request_open")
    for delivery, draft in (
        (without(opened, "object_attributes.draft"), True),
        (without(opened, "object_attributes.work_in_progress"), True),
        (without(without(opened, "object_attributes.draft"), "object_attributes.work_in_progress"), False),
        (edit(PUSHED, "pull_request.draft", True), True),
        (without(PUSHED, "pull_request.draft"), False),
    ):
        event = delivery.event()
        assert isinstance(event, PullRequestEvent)
        assert event.draft is draft


@pytest.mark.parametrize("key", ["title", "actor"])
def test_who_and_what_may_be_missing(key: str) -> None:
    paths = {"title": ("pull_request.title", "object_attributes.title"), "actor": ("sender", "user")}
    for delivery, path in zip((PUSHED, UPDATED), paths[key], strict=True):
        for lacking in (without(delivery, path), edit(delivery, path, None)):
            event = lacking.event()
            assert isinstance(event, PullRequestEvent)
            assert getattr(event, key) is None


EDITED = recorded("github_pull_request_base_changed")
MOVED = recorded("gitlab_merge_request_target_changed")


@pytest.mark.parametrize(
    ("delivery", "path", "values"),
    [
        (PUSHED, "repository.full_name", NO_NAMES),
        (PUSHED, "repository.id", NO_NUMBERS),
        (PUSHED, "pull_request.number", NO_NUMBERS),
        (PUSHED, "pull_request.state", NO_TEXTS),
        (PUSHED, "pull_request.base", [*NO_SECTIONS, None, {}]),
        (PUSHED, "pull_request.base.ref", NO_NAMES),
        (PUSHED, "pull_request.head", [*NO_SECTIONS, None, {}]),
        (PUSHED, "pull_request.head.sha", [*NO_COMMITS, None, ""]),
        (PUSHED, "pull_request.head.repo", NO_SECTIONS),
        (PUSHED, "pull_request.draft", NO_FLAGS),
        (PUSHED, "pull_request.title", NO_TEXTS),
        (PUSHED, "sender", NO_SECTIONS),
        (EDITED, "changes", NO_SECTIONS),
        (EDITED, "changes.base", NO_SECTIONS),
        (EDITED, "changes.base.ref", NO_SECTIONS),
        (EDITED, "changes.base.ref.from", NO_TEXTS),
        (UPDATED, "project.path_with_namespace", NO_NAMES),
        (MOVED, "changes", NO_SECTIONS),
        (MOVED, "changes.target_branch", NO_SECTIONS),
        (MOVED, "changes.target_branch.previous", NO_TEXTS),
        (MOVED, "changes.draft", NO_SECTIONS),
        (UPDATED, "object_attributes.oldrev", NO_COMMITS),
        (UPDATED, "object_attributes.iid", NO_NUMBERS),
        (UPDATED, "object_attributes.state", NO_TEXTS),
        (UPDATED, "object_attributes.target_branch", NO_NAMES),
        (UPDATED, "object_attributes.last_commit", NO_SECTIONS),
        (UPDATED, "object_attributes.last_commit.id", NO_COMMITS),
        (UPDATED, "object_attributes.source_project_id", [*NEITHER, {}, "7"]),
        (UPDATED, "object_attributes.target_project_id", NO_NUMBERS),
        (UPDATED, "object_attributes.draft", NO_FLAGS),
        (UPDATED, "object_attributes.title", NO_TEXTS),
        (UPDATED, "user", NO_SECTIONS),
    ],
)
def test_a_wrong_value_is_malformed_and_says_where(delivery: Recorded, path: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(Malformed) as refused:
            edit(delivery, path, value).event()
        assert path in str(refused.value)
