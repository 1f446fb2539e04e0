from __future__ import annotations

from typing import Any

import pytest

from deployer.model import Check, CheckState, Permanent, PullRequest, Reaction, Temporary
from tests.forges.gitlab.lab import COMMIT, PROJECT, gitlab
from tests.forges.recording import Answer, RecordingForge, Request

MERGE = f"{PROJECT}/merge_requests/12"
NOTES = f"{MERGE}/notes"
MARKER = "deployer preview group/sub/project"
MARKED = f"<!-- {MARKER} -->\nnothing to change"
NAME = "group/sub/project"


def said(number: int, author: int | None, body: str, **changes: object) -> dict[str, object]:
    return {"id": number, "author": author and {"id": author}, "body": body, "system": False} | changes


class Thread:
    """The notes of merge request 12; the token is user 42's."""

    def __init__(self) -> None:
        self.notes: list[dict[str, object]] = []

    def __call__(self, request: Request) -> Answer:
        if request.route == "/api/v4/user":
            return Answer(200, {"id": 42, "username": "bot"})
        if (request.method, request.route) == ("GET", NOTES):
            size, page = int(request.query["per_page"]), int(request.query["page"])
            return Answer(200, self.notes[(page - 1) * size : page * size])
        if (request.method, request.route) == ("POST", NOTES):
            self.notes.append(said(1000 + len(self.notes), 42, request.json["body"]))
            return Answer(201, self.notes[-1])
        for each in self.notes:
            if (request.method, request.route) == ("PUT", f"{NOTES}/{each['id']}"):
                each["body"] = request.json["body"]
                return Answer(200, each)
        return Answer(404, {"message": "404 Note Not Found"})


@pytest.fixture
def thread(forge: RecordingForge) -> Thread:
    forge.answer = made = Thread()
    return made


def comment(forge: RecordingForge, body: str = "nothing to change", known: str | None = None) -> str:
    return gitlab(forge.url).comment(NAME, 12, marker=MARKER, body=body, known=known)


def test_the_first_note_is_written_below_its_marker(forge: RecordingForge, thread: Thread, token: str) -> None:
    thread.notes.append(said(7, 1, "LGTM"))
    assert comment(forge) == "1001"
    assert thread.notes[1]["body"] == MARKED


def test_the_known_note_is_rewritten_with_one_request(forge: RecordingForge, thread: Thread, token: str) -> None:
    thread.notes.append(said(7, 42, MARKED))
    assert comment(forge, "3 changes", known="7") == "7"
    assert forge.asked == [("PUT", f"{NOTES}/7")]


@pytest.mark.parametrize("known", [None, "6"])
def test_our_note_is_found_again_however_long_the_thread(
    forge: RecordingForge, thread: Thread, token: str, known: str | None
) -> None:
    thread.notes += [*(said(number, 1, "and again") for number in range(100, 250)), said(300, 42, MARKED)]
    assert comment(forge, "3 changes", known=known) == "300"
    listed = [request.query for request in forge.requests if request.method == "GET" and request.route == NOTES]
    assert [query["page"] for query in listed] == ["1", "2"]
    assert (listed[0]["order_by"], listed[0]["sort"]) == ("created_at", "asc")


@pytest.mark.parametrize(
    "other",
    [said(7, 1, MARKED), said(7, None, MARKED), said(7, 42, MARKED, system=True), said(7, 42, f"> quoted\n{MARKED}")],
)
def test_what_is_not_ours_is_never_touched(
    forge: RecordingForge, thread: Thread, token: str, other: dict[str, object]
) -> None:
    thread.notes.append(other)
    before = dict(other)
    assert comment(forge) == "1001"
    assert thread.notes[0] == before


def test_a_note_as_long_as_gitlab_takes_is_sent_whole_and_a_longer_one_refused(
    forge: RecordingForge, thread: Thread, token: str
) -> None:
    client = gitlab(forge.url)
    client.reply(NAME, 12, body="é" * 1_000_000)
    assert thread.notes[0]["body"] == "é" * 1_000_000
    with pytest.raises(Permanent, match=r"commenting on group/sub/project!12: it has 1,000,001 characters"):
        client.reply(NAME, 12, body="é" * 1_000_001)
    with pytest.raises(Permanent, match="it has 1,000,0"):
        comment(forge, "é" * 1_000_000)
    assert len(forge.requests) == 1


@pytest.mark.parametrize(
    ("reaction", "name"),
    [
        (Reaction.THUMBS_UP, "thumbsup"),
        (Reaction.THUMBS_DOWN, "thumbsdown"),
        (Reaction.EYES, "eyes"),
        (Reaction.ROCKET, "rocket"),
        (Reaction.CONFUSED, "confused"),
    ],
)
def test_a_reaction_is_an_emoji_on_the_note(forge: RecordingForge, token: str, reaction: Reaction, name: str) -> None:
    gitlab(forge.url).react(NAME, 12, comment_id="7", reaction=reaction)
    assert forge.asked == [("POST", f"{NOTES}/7/award_emoji")]
    assert forge.requests[0].json == {"name": name}


def test_a_reaction_that_is_there_already_is_fine(forge: RecordingForge, token: str) -> None:
    forge.answer = Answer(404, {"message": "404 Award Emoji Name has already been taken Not Found"})
    gitlab(forge.url).react(NAME, 12, comment_id="7", reaction=Reaction.EYES)
    assert len(forge.requests) == 1


def test_a_reaction_on_a_note_that_is_gone_is_a_failure(forge: RecordingForge, token: str) -> None:
    forge.answer = Answer(404, {"message": "404 Not found"})
    with pytest.raises(Permanent, match=r"^reacting on group/sub/project!12: "):
        gitlab(forge.url).react(NAME, 12, comment_id="7", reaction=Reaction.EYES)


def merge(**changes: object) -> dict[str, object]:
    return {
        "iid": 12,
        "title": "Raise the replicas",
        "state": "opened",
        "sha": COMMIT,
        "source_branch": "more",
        "target_branch": "main",
        "source_project_id": 1,
        "target_project_id": 1,
    } | changes


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (True, False, False)),
        ({"state": "closed"}, (False, False, False)),
        ({"state": "locked"}, (False, False, False)),
        ({"state": "merged"}, (False, True, False, COMMIT)),
        ({"state": "merged", "squash_commit_sha": "b" * 40}, (False, True, False, "b" * 40)),
        (
            {"state": "merged", "merge_commit_sha": "a" * 40, "squash_commit_sha": "b" * 40},
            (False, True, False, "a" * 40),
        ),
        ({"source_project_id": 2}, (True, False, True)),
        ({"source_project_id": None}, (True, False, True)),
    ],
)
def test_a_merge_request_says_how_it_stands(
    forge: RecordingForge, token: str, changes: dict[str, object], expected: tuple[Any, ...]
) -> None:
    forge.answer = Answer(200, merge(**changes))
    found = gitlab(forge.url).pull_request(NAME, 12)
    assert found == PullRequest(NAME, 12, COMMIT, "main", "Raise the replicas", *expected)
    assert forge.asked == [("GET", MERGE)]


@pytest.mark.parametrize("changes", [{"sha": None}, {"target_project_id": "1"}, {"state": 7}])
def test_a_merge_request_without_its_parts_is_not_believed(
    forge: RecordingForge, token: str, changes: dict[str, object]
) -> None:
    forge.answer = Answer(200, merge(**changes))
    with pytest.raises(Temporary, match="not its API's"):
        gitlab(forge.url).pull_request(NAME, 12)


def test_gitlab_has_no_checks(forge: RecordingForge, token: str) -> None:
    client = gitlab(forge.url)
    check = Check(NAME, COMMIT, "deploy/staging", CheckState.QUEUED, "", "", "https://x.example", "d1")
    assert not client.shows_checks
    with pytest.raises(Permanent, match="GitLab has no check runs"):
        client.post_check(check, known=None)
    assert forge.requests == []
