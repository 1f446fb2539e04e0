"""What each of GitLab's deliveries means, and which commit is the tip after each way of merging."""

from __future__ import annotations

from typing import Any

import pytest

from deployer.model import ForgeKind, Ignored, Merge
from deployer.webhooks.receive import Malformed, UnsupportedMediaType, interpret
from tests.webhooks.deliveries import Recorded, recorded

MERGE_COMMIT = "81d973398311d4c31cc7fc1ce8ad4a41d4e7cdf3"
SQUASH_COMMIT = "cb96ae65e9dfc3729a239fc976cdb21b6c4917f8"
SOURCE_COMMIT = "80b7ab5ce9acee75463743682d5f688bd08a7c56"

MERGED = recorded("gitlab_merge_request_merge_commit")
PUSH = recorded("gitlab_push")


def with_attributes(delivery: Recorded, **attributes: Any) -> Recorded:
    return delivery.changed(lambda payload: payload["object_attributes"].update(attributes))


def without_attributes(delivery: Recorded, *names: str) -> Recorded:
    def change(payload: dict[str, Any]) -> None:
        for name in names:
            payload["object_attributes"].pop(name, None)

    return delivery.changed(change)


def tip(delivery: Recorded) -> str:
    event = delivery.event()
    assert isinstance(event, Merge)
    return event.commit


def test_a_push_moves_its_branch_to_its_last_commit() -> None:
    assert PUSH.event() == Merge(
        repository="acme/web/shop",
        branch="main",
        commit=MERGE_COMMIT,
        actor="ada",
        title="Merge branch 'replicas' into 'main'",
    )


def test_a_merge_moves_the_target_branch_of_the_target_project() -> None:
    source = MERGED.payload["object_attributes"]["source"]
    assert source["path_with_namespace"] == "grace/shop"
    assert MERGED.event() == Merge(
        repository="acme/web/shop",
        branch="main",
        commit=MERGE_COMMIT,
        actor="ada",
        title="!7 Raise the replicas",
        number=7,
    )


@pytest.mark.parametrize(
    ("name", "commit"),
    [
        ("merge_commit", MERGE_COMMIT),
        ("squash_merge_commit", MERGE_COMMIT),
        ("squash_fast_forward", SQUASH_COMMIT),
        ("fast_forward", SOURCE_COMMIT),
    ],
)
def test_each_way_of_merging_gives_the_new_tip(name: str, commit: str) -> None:
    assert tip(recorded(f"gitlab_merge_request_{name}")) == commit


def test_older_payloads_that_miss_keys_give_the_tip_too() -> None:
    assert tip(without_attributes(MERGED, "squash_commit_sha", "iid", "title")) == MERGE_COMMIT
    fast_forward = recorded("gitlab_merge_request_fast_forward")
    assert tip(without_attributes(fast_forward, "squash_commit_sha", "merge_commit_sha")) == SOURCE_COMMIT


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gitlab_tag_push", "push of tag v1.4.0: only branches deploy"),
        ("gitlab_push_branch_deleted", "branch replicas was deleted"),
    ],
)
def test_what_deploys_nothing_is_ignored_with_the_reason(name: str, reason: str) -> None:
    assert recorded(name).event() == Ignored(reason)


@pytest.mark.parametrize("event", ["Pipeline Hook", "Confidential Note Hook", "A Hook of Next Year"])
def test_an_event_of_another_kind_is_ignored_by_its_name(event: str) -> None:
    delivery = PUSH.with_headers(X_Gitlab_Event=event)
    assert delivery.event() == Ignored(f"{event}: not one that anything is done about")


def test_a_system_hook_means_what_its_payload_says() -> None:
    for delivery in (PUSH, MERGED, recorded("gitlab_tag_push")):
        assert delivery.with_headers(X_Gitlab_Event="System Hook").event() == delivery.event()
    of_no_kind = PUSH.with_headers(X_Gitlab_Event="System Hook").changed(lambda payload: payload.pop("object_kind"))
    assert of_no_kind.event() == Ignored("System Hook: not one that anything is done about")


@pytest.mark.parametrize("commits", [None, [], [{"id": SOURCE_COMMIT, "message": "another"}]])
def test_a_push_need_not_list_its_last_commit(commits: object) -> None:
    event = PUSH.changed(lambda payload: payload.update(commits=commits)).event()
    assert isinstance(event, Merge)
    assert event.title is None


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "text/plain", ""])
def test_only_json_is_read(content_type: str) -> None:
    with pytest.raises(UnsupportedMediaType):
        PUSH.with_headers(Content_Type=content_type).event()


BAD = [[], {}, "", 7, 0.5, True, "a\nb", "\ud800", "x" * 5000]


@pytest.mark.parametrize("value", [None, [], [{}], "", 7, 0.5, True], ids=repr)
@pytest.mark.parametrize("key", ["project", "object_attributes"])
def test_a_wrong_value_where_an_object_belongs_is_malformed(key: str, value: object) -> None:
    with pytest.raises(Malformed):
        MERGED.changed(lambda payload: payload.update({key: value})).event()


@pytest.mark.parametrize("value", [*BAD, None], ids=lambda value: repr(value)[:20])
def test_a_wrong_value_where_a_name_belongs_is_malformed(value: object) -> None:
    for delivery in (
        with_attributes(MERGED, target_branch=value),
        MERGED.changed(lambda payload: payload["project"].update(path_with_namespace=value)),
        PUSH.changed(lambda payload: payload.update(ref=value)),
        PUSH.changed(lambda payload: payload.update(after=value)),
    ):
        with pytest.raises(Malformed):
            delivery.event()


@pytest.mark.parametrize("value", [*BAD, "0" * 40, "A" * 40, "a" * 39, "main"], ids=lambda value: repr(value)[:20])
def test_a_merge_to_anything_but_a_full_commit_is_malformed(value: object) -> None:
    fast_forward = recorded("gitlab_merge_request_fast_forward")
    deliveries = [
        with_attributes(fast_forward, last_commit={"id": value}),
        with_attributes(fast_forward, last_commit=value),
    ]
    if value != "":  # which is how some versions write that there is none
        deliveries.append(with_attributes(MERGED, merge_commit_sha=value))
        deliveries.append(with_attributes(fast_forward, squash_commit_sha=value))
    for delivery in deliveries:
        with pytest.raises(Malformed):
            delivery.event()


def test_an_empty_commit_is_no_commit() -> None:
    name = "gitlab_merge_request_fast_forward"
    event = with_attributes(recorded(name), merge_commit_sha="", squash_commit_sha="").event()
    assert event == recorded(name).event()


@pytest.mark.parametrize("commits", [7, {}, "x", [None], [[]], [7], [{"id": 7}]])
def test_a_list_of_commits_that_is_none_is_malformed(commits: object) -> None:
    with pytest.raises(Malformed, match="commits"):
        PUSH.changed(lambda payload: payload.update(commits=commits)).event()


def test_a_wrong_value_is_malformed_even_where_nothing_is_needed() -> None:
    for delivery in (
        with_attributes(MERGED, iid="7"),
        with_attributes(MERGED, title=[]),
        with_attributes(MERGED, action=1),
        MERGED.changed(lambda payload: payload.update(user=[])),
        PUSH.changed(lambda payload: payload.update(user_username={})),
    ):
        with pytest.raises(Malformed):
            delivery.event()


def test_a_delivery_without_an_event_name_is_malformed() -> None:
    headers = {name: value for name, value in PUSH.headers.items() if name != "X-Gitlab-Event"}
    with pytest.raises(Malformed, match="x-gitlab-event"):
        interpret(ForgeKind.GITLAB, headers, PUSH.body)
