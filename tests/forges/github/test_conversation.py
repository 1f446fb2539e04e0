from __future__ import annotations

from typing import Any

import pytest

from deployer.forges.connect import Forge
from deployer.model import Permanent, PullRequest, Reaction, Temporary
from tests.forges.github.hub import COMMIT, Hub, github
from tests.forges.recording import Answer, RecordingForge, Request

LIST = "/repos/acme/shop/issues/12/comments"
MARKER = "deployer preview acme/shop"
MARKED = f"<!-- {MARKER} -->\nnothing to change"


def said(number: int, author: str | None, body: str) -> dict[str, object]:
    return {"id": number, "user": author and {"login": author}, "body": body}


class Thread:
    """The comments of pull request 12; the token is deploy-bot's."""

    def __init__(self, *comments: dict[str, object]) -> None:
        self.comments = list(comments)

    def __call__(self, request: Request) -> Answer:
        if request.route == "/user":
            return Answer(200, {"login": "deploy-bot"})
        if (request.method, request.route) == ("GET", LIST):
            size, page = int(request.query["per_page"]), int(request.query["page"])
            return Answer(200, self.comments[(page - 1) * size : page * size])
        if (request.method, request.route) == ("POST", LIST):
            self.comments.append(said(1000 + len(self.comments), "deploy-bot", request.json["body"]))
            return Answer(201, self.comments[-1])
        return self._edit(request)

    def _edit(self, request: Request) -> Answer:
        for each in self.comments:
            if (request.method, request.route) == ("PATCH", f"/repos/acme/shop/issues/comments/{each['id']}"):
                each["body"] = request.json["body"]
                return Answer(200, each)
        return Answer(404, {"message": "Not Found"})


@pytest.fixture
def thread(forge: RecordingForge) -> Thread:
    forge.answer = made = Thread()
    return made


def comment(forge: RecordingForge, body: str = "nothing to change", known: str | None = None) -> str:
    return github(forge.url).comment("acme/shop", 12, marker=MARKER, body=body, known=known)


def test_the_first_comment_is_written_below_its_marker(forge: RecordingForge, thread: Thread, token: str) -> None:
    thread.comments.append(said(7, "alice", "LGTM"))
    assert comment(forge) == "1001"
    assert thread.comments[1]["body"] == MARKED


def test_the_known_comment_is_rewritten_with_one_request(forge: RecordingForge, thread: Thread, token: str) -> None:
    thread.comments.append(said(7, "deploy-bot", MARKED))
    assert comment(forge, "3 changes", known="7") == "7"
    assert forge.asked == [("PATCH", "/repos/acme/shop/issues/comments/7")]
    assert thread.comments[0]["body"] == f"<!-- {MARKER} -->\n3 changes"


@pytest.mark.parametrize("known", [None, "6"])
def test_our_comment_is_found_again(forge: RecordingForge, thread: Thread, token: str, known: str | None) -> None:
    thread.comments += [said(7, "deploy-bot", MARKED.replace("\n", "\r\n")), said(8, "deploy-bot", MARKED)]
    assert comment(forge, "3 changes", known=known) == "7"
    assert len(thread.comments) == 2


@pytest.mark.parametrize(
    "other",
    [
        said(7, "alice", MARKED),
        said(7, None, MARKED),
        said(7, "deploy-bot", "<!-- deployer preview acme/other -->\nx"),
        said(7, "deploy-bot", f"> quoted\n{MARKED}"),
        said(7, "deploy-bot", ""),
    ],
)
def test_what_is_not_ours_is_never_touched(
    forge: RecordingForge, thread: Thread, token: str, other: dict[str, object]
) -> None:
    thread.comments.append(other)
    before = dict(other)
    assert comment(forge) == "1001"
    assert thread.comments[0] == before


def test_a_long_thread_is_read_to_its_end(forge: RecordingForge, thread: Thread, token: str) -> None:
    thread.comments += [said(number, "alice", "and again") for number in range(1, 201)]
    thread.comments.append(said(300, "deploy-bot", MARKED))
    assert comment(forge) == "300"
    assert [request.query["page"] for request in forge.requests if request.route == LIST] == ["1", "2", "3"]


def test_who_we_are_is_asked_once(forge: RecordingForge, thread: Thread, token: str) -> None:
    client = github(forge.url)
    for _ in range(3):
        client.comment("acme/shop", 12, marker=MARKER, body="x", known=None)
    assert [request.route for request in forge.requests].count("/user") == 1
    assert len(thread.comments) == 1


def test_an_apps_comments_are_its_bots(hub: Hub, client: Forge) -> None:
    comments = [said(7, "shop-deployer", MARKED), said(8, "shop-deployer[bot]", MARKED)]
    hub.changes["GET", LIST] = Answer(200, comments)
    hub.changes["PATCH", "/repos/acme/shop/issues/comments/8"] = Answer(200, comments[1])
    assert client.comment("acme/shop", 12, marker=MARKER, body="x", known=None) == "8"


@pytest.mark.parametrize("length", [65_536 - len(MARKED) + len("nothing to change"), 1])
def test_a_comment_as_long_as_github_takes_is_sent_whole(
    forge: RecordingForge, thread: Thread, token: str, length: int
) -> None:
    comment(forge, "é" * length)
    assert str(thread.comments[0]["body"]).endswith("\n" + "é" * length)


def test_a_longer_one_is_refused_before_it_is_sent(forge: RecordingForge, thread: Thread, token: str) -> None:
    with pytest.raises(Permanent, match=r"commenting on acme/shop#12: it has 65,5\d\d characters, .* takes 65,536"):
        comment(forge, "é" * 65_520)
    with pytest.raises(Permanent, match="it has 65,537 characters"):
        github(forge.url).reply("acme/shop", 12, body="é" * 65_537)
    with pytest.raises(Permanent, match="nothing to say"):
        github(forge.url).reply("acme/shop", 12, body=" \n")
    assert forge.requests == []


@pytest.mark.parametrize("marker", ["", "a -- b", "a-->", "<b>", "a\nb", "a-"])
def test_a_marker_that_would_show_is_refused(forge: RecordingForge, token: str, marker: str) -> None:
    with pytest.raises(ValueError, match="not the name of a marker"):
        github(forge.url).comment("acme/shop", 12, marker=marker, body="x", known=None)
    assert forge.requests == []


def test_a_reply_is_a_new_comment(forge: RecordingForge, thread: Thread, token: str) -> None:
    assert github(forge.url).reply("acme/shop", 12, body="you may not") == "1000"
    assert forge.asked == [("POST", LIST)]
    assert thread.comments[0]["body"] == "you may not"


def test_comments_that_follow_too_closely_are_tried_again_later(forge: RecordingForge, token: str) -> None:
    wrong = {
        "resource": "IssueComment",
        "code": "unprocessable",
        "field": "data",
        "message": "was submitted too quickly",
    }
    forge.answer = Answer(422, {"message": "Validation Failed", "errors": [wrong]})
    with pytest.raises(Temporary, match="too quickly") as caught:
        github(forge.url).reply("acme/shop", 12, body="x")
    assert caught.value.retry_after == 60


@pytest.mark.parametrize("reaction", Reaction)
@pytest.mark.parametrize("status", [200, 201])
def test_a_reaction_is_put_on_a_comment_once_or_again(
    forge: RecordingForge, token: str, reaction: Reaction, status: int
) -> None:
    forge.answer = Answer(status, {"id": 1, "content": reaction.value})
    github(forge.url).react("acme/shop", 12, comment_id="7", reaction=reaction)
    assert forge.asked == [("POST", "/repos/acme/shop/issues/comments/7/reactions")]
    assert forge.requests[0].json == {"content": reaction.value}


def pull(**changes: object) -> dict[str, object]:
    return {
        "number": 12,
        "title": "Raise the replicas",
        "state": "open",
        "merged": False,
        "head": {"sha": COMMIT, "ref": "more", "repo": {"id": 1}},
        "base": {"sha": "5e" * 20, "ref": "main", "repo": {"id": 1}},
    } | changes


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (True, False, False)),
        ({"state": "closed", "merge_commit_sha": COMMIT}, (False, False, False)),
        ({"state": "closed", "merged": True, "merge_commit_sha": COMMIT}, (False, True, False, COMMIT)),
        ({"head": {"sha": COMMIT, "repo": {"id": 2}}}, (True, False, True)),
        ({"head": {"sha": COMMIT, "repo": None}}, (True, False, True)),
    ],
)
def test_a_pull_request_says_how_it_stands(
    forge: RecordingForge, token: str, changes: dict[str, object], expected: tuple[Any, ...]
) -> None:
    forge.answer = Answer(200, pull(**changes))
    found = github(forge.url).pull_request("acme/shop", 12)
    assert found == PullRequest("acme/shop", 12, COMMIT, "main", "Raise the replicas", *expected)
    assert forge.asked == [("GET", "/repos/acme/shop/pulls/12")]


@pytest.mark.parametrize("changes", [{"head": None}, {"base": {"ref": "main"}}, {"title": 7}, {"head": {"sha": None}}])
def test_a_pull_request_without_its_parts_is_not_believed(
    forge: RecordingForge, token: str, changes: dict[str, object]
) -> None:
    forge.answer = Answer(200, pull(**changes))
    with pytest.raises(Temporary, match="not its API's"):
        github(forge.url).pull_request("acme/shop", 12)


def test_each_purpose_has_its_own_permission(hub: Hub, client: Forge) -> None:
    hub.changes["POST", LIST] = hub.changes["POST", "/repos/acme/shop/issues/comments/7/reactions"] = Answer(
        201, {"id": 7}
    )
    hub.changes["GET", "/repos/acme/shop/pulls/12"] = Answer(200, pull())
    client.reply("acme/shop", 12, body="x")
    client.react("acme/shop", 12, comment_id="7", reaction=Reaction.EYES)
    client.pull_request("acme/shop", 12)
    asked = [request.json["permissions"] for request in hub.requests if request.route.endswith("/access_tokens")]
    assert asked == [{"pull_requests": "write"}, {"issues": "write"}, {"pull_requests": "read"}]
