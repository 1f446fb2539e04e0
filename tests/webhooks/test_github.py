"""What each of GitHub's deliveries means."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from deployer.model import Event, ForgeKind, Ignored, Merge
from deployer.webhooks.receive import Malformed, UnsupportedMediaType, interpret
from tests.webhooks.deliveries import Recorded, edit, recorded, without

MERGED = recorded("github_pull_request_merged")
PUSH = recorded("github_push")


def test_a_push_moves_its_branch_to_its_last_commit() -> None:
    assert PUSH.event() == Merge(
        repository="acme/shop",
        branch="main",
        commit="061efdc9e92d0d804f623b866ee98b334ed67fbd",
        actor="ada",
        title="Merge pull request #12 from acme/replicas",
    )


def test_a_merged_pull_request_moves_the_base_branch_of_the_base_repository_to_the_merge_commit() -> None:
    assert MERGED.payload["pull_request"]["head"]["repo"]["full_name"] == "grace/shop"
    assert MERGED.event() == Merge(
        repository="acme/shop",
        branch="main",
        commit="061efdc9e92d0d804f623b866ee98b334ed67fbd",
        actor="ada",
        title="#12 Raise the replicas",
        number=12,
    )


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("github_ping", "ping: the webhook works"),
        ("github_push_tag", "push of tag v1.4.0: only branches deploy"),
        ("github_push_branch_deleted", "branch replicas was deleted"),
    ],
)
def test_what_deploys_nothing_is_ignored_with_the_reason(name: str, reason: str) -> None:
    assert recorded(name).event() == Ignored(reason)


def test_closing_without_a_merge_is_no_merge_although_there_is_a_trial_merge() -> None:
    closed = recorded("github_pull_request_closed")
    assert closed.payload["pull_request"]["merge_commit_sha"]
    assert not isinstance(closed.event(), Merge)


def test_an_event_of_another_kind_is_ignored_by_its_name() -> None:
    delivery = PUSH.with_headers(X_GitHub_Event="workflow_run")
    assert delivery.event() == Ignored("workflow_run event: not one that anything is done about")


@pytest.mark.parametrize("ref", ["refs/notes/commits", "refs/pull/1/merge", "refs/heads/", "refs/"])
def test_a_ref_that_is_neither_branch_nor_tag_is_ignored(ref: str) -> None:
    assert edit(PUSH, "ref", ref).event() == Ignored(f"push of {ref}: only branches deploy")


def test_a_branch_may_have_slashes_and_letters_of_any_script() -> None:
    event = edit(PUSH, "ref", "refs/heads/feature/größe-👩‍💻").event()
    assert isinstance(event, Merge)
    assert event.branch == "feature/größe-👩‍💻"


def test_a_sha256_repository_has_longer_commits() -> None:
    event = edit(PUSH, "after", "ab" * 32).event()
    assert isinstance(event, Merge)
    assert event.commit == "ab" * 32
    assert edit(PUSH, "after", "0" * 64).event() == Ignored("branch main was deleted")


@pytest.mark.parametrize("key", ["sender", "head_commit"])
def test_who_and_what_may_be_missing(key: str) -> None:
    for delivery in (without(PUSH, key), edit(PUSH, key, None)):
        assert isinstance(delivery.event(), Merge)


@pytest.mark.parametrize("merged_as", ["Merge", "Squash", "Rebase"])
def test_a_title_is_one_line_that_can_be_printed_and_encoded(merged_as: str) -> None:
    title = f"{merged_as}\x1b[31m red \u202e\ud800" + "x" * 10_000 + "\nsecond line"
    event = edit(MERGED, "pull_request.title", title).event()
    assert isinstance(event, Merge)
    assert event.title is not None
    assert event.title.startswith(f"#12 {merged_as} [31m red xxx")
    assert len(event.title) == 200
    assert event.title.encode().decode().isprintable()


class TestForm:
    def read(self, form: bytes) -> Event:
        headers = {**PUSH.headers, "Content-Type": "application/x-www-form-urlencoded"}
        return interpret(ForgeKind.GITHUB, headers, form)

    def test_carries_the_same_payload(self) -> None:
        assert self.read(urlencode({"payload": PUSH.body}).encode()) == PUSH.event()

    def test_keeps_what_a_form_would_change(self) -> None:
        delivery = edit(PUSH, "head_commit.message", "50% + 1 & é = ✓")
        body = json.dumps(delivery.payload, ensure_ascii=False)
        event = self.read(urlencode({"payload": body}).encode())
        assert isinstance(event, Merge)
        assert event.title == "50% + 1 & é = ✓"

    def test_is_malformed_with_more_than_one_payload(self) -> None:
        form = urlencode({"payload": PUSH.body}).encode()
        with pytest.raises(Malformed, match="exactly one"):
            self.read(form + b"&" + form)

    def test_is_malformed_with_bytes_that_are_not_utf8_anywhere(self) -> None:
        form = urlencode({"payload": edit(PUSH, "head_commit.message", "here").body}).encode()
        for byte in (b"%ff", b"\xff"):
            with pytest.raises(Malformed):
                self.read(form.replace(b"here", byte))

    def test_is_malformed_with_many_fields(self) -> None:
        with pytest.raises(Malformed, match="cannot be read"):
            self.read(urlencode({"payload": PUSH.body}).encode() + b"&field=1" * 10_000)

    @pytest.mark.parametrize("form", [b"", b"payload=", b"other=1", b"payload=[]", PUSH.body])
    def test_is_malformed_without_a_payload_of_json(self, form: bytes) -> None:
        with pytest.raises(Malformed):
            self.read(form)


@pytest.mark.parametrize("content_type", ["text/plain", "", "multipart/form-data", "application/json5", "\ud800"])
def test_a_body_of_another_kind_is_refused(content_type: str) -> None:
    with pytest.raises(UnsupportedMediaType) as refused:
        PUSH.with_headers(Content_Type=content_type).event()
    str(refused.value).encode()


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
def test_json_may_be_named_with_parameters_and_in_capitals(content_type: str) -> None:
    assert PUSH.with_headers(Content_Type=content_type).event() == PUSH.event()


BAD_VALUES: list[object] = [None, [], {}, "", 7, 0.5, True, [{}], "a\nb", "\ud800", "x" * 5000]
BAD_COMMITS: list[object] = [
    *BAD_VALUES,
    "0" * 39,
    "A" * 40,
    "a" * 39,
    "a" * 41,
    "--output=/tmp/x",
    "main",
    "a" * 40 + "\n",
]


@pytest.mark.parametrize(
    ("delivery", "path"),
    [
        (PUSH, "ref"),
        (PUSH, "repository"),
        (PUSH, "repository.full_name"),
        (MERGED, "action"),
        (MERGED, "pull_request"),
        (MERGED, "pull_request.base"),
        (MERGED, "pull_request.base.ref"),
        (MERGED, "repository.full_name"),
    ],
)
@pytest.mark.parametrize("value", BAD_VALUES, ids=lambda value: repr(value)[:20])
def test_a_wrong_value_where_a_name_belongs_is_malformed(delivery: Recorded, path: str, value: object) -> None:
    with pytest.raises(Malformed) as refused:
        edit(delivery, path, value).event()
    assert path.partition(".")[0] in str(refused.value)


@pytest.mark.parametrize(("delivery", "path"), [(PUSH, "after"), (MERGED, "pull_request.merge_commit_sha")])
@pytest.mark.parametrize("value", BAD_COMMITS, ids=lambda value: repr(value)[:20])
def test_a_merge_to_anything_but_a_full_commit_is_malformed(delivery: Recorded, path: str, value: object) -> None:
    with pytest.raises(Malformed):
        edit(delivery, path, value).event()


def test_a_pull_request_is_not_merged_to_the_all_zero_commit() -> None:
    with pytest.raises(Malformed, match="not all zero"):
        edit(MERGED, "pull_request.merge_commit_sha", "0" * 40).event()


@pytest.mark.parametrize("value", [None, "true", 1, [], {}])
def test_merged_is_true_or_false_and_nothing_like_it(value: object) -> None:
    with pytest.raises(Malformed, match=r"pull_request\.merged"):
        edit(MERGED, "pull_request.merged", value).event()


@pytest.mark.parametrize("path", ["sender", "sender.login", "pull_request.title", "pull_request.number"])
def test_a_wrong_value_is_malformed_even_where_nothing_is_needed(path: str) -> None:
    values: list[object] = [[], 0.5, True]
    for value in values:
        with pytest.raises(Malformed):
            edit(MERGED, path, value).event()


@pytest.mark.parametrize("ref", ["main", "heads/main"])
def test_a_push_of_what_is_no_full_ref_is_malformed(ref: str) -> None:
    with pytest.raises(Malformed, match="full ref"):
        edit(PUSH, "ref", ref).event()


def test_a_delivery_without_an_event_name_is_malformed() -> None:
    headers = {name: value for name, value in PUSH.headers.items() if name != "X-GitHub-Event"}
    with pytest.raises(Malformed, match="x-github-event"):
        interpret(ForgeKind.GITHUB, headers, PUSH.body)
