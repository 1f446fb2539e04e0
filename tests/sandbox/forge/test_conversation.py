"""Comments and the signs on them: written by the deployer's own clients and by people, told to the webhooks."""

from __future__ import annotations

from typing import Any

import pytest

from deployer.model import Command, CommandName, ForgeKind, Ignored, Permanent, Reaction
from deployer.sandbox.forge import App, Invalid, NotFound, SandboxForge
from deployer.sandbox.forge.people import number_of
from tests.sandbox.forge.clients import as_app, ask, body, client, recorded, told
from tests.sandbox.forge.conftest import SHOP, TOOLS
from tests.sandbox.forge.receiver import Receiver

BOTH = pytest.mark.parametrize(("kind", "name"), [(ForgeKind.GITHUB, SHOP), (ForgeKind.GITLAB, TOOLS)])
MARK = "deployer:preview"


@BOTH
def test_one_comment_is_kept_and_rewritten(proposed: SandboxForge, kind: ForgeKind, name: str) -> None:
    forge = client(proposed, kind)
    first = forge.comment(name, 1, marker=MARK, body="3 changes", known=None)
    assert forge.comment(name, 1, marker=MARK, body="4 changes", known=first) == first
    assert forge.comment(name, 1, marker=MARK, body="5 changes", known=None) == first
    (comment,) = proposed.comments(name, 1)
    assert comment.body == f"<!-- {MARK} -->\n5 changes"
    assert (comment.author, comment.edited, str(comment.id)) == ("sandbox", True, first)


@BOTH
def test_a_comment_that_is_gone_is_written_anew(proposed: SandboxForge, kind: ForgeKind, name: str) -> None:
    number = client(proposed, kind).comment(name, 1, marker=MARK, body="3 changes", known="4711")
    assert [str(one.id) for one in proposed.comments(name, 1)] == [number]


@BOTH
def test_what_somebody_else_wrote_is_not_taken_for_ours(proposed: SandboxForge, kind: ForgeKind, name: str) -> None:
    theirs = proposed.comment(name, 1, f"<!-- {MARK} -->\nno changes", by="mallory")
    ours = client(proposed, kind).comment(name, 1, marker=MARK, body="3 changes", known=None)
    assert [str(one.id) for one in proposed.comments(name, 1)] == [str(theirs.id), ours]


@BOTH
def test_a_hundred_comments_do_not_hide_ours(proposed: SandboxForge, kind: ForgeKind, name: str) -> None:
    for _ in range(105):
        proposed.comment(name, 1, "me too")
    forge = client(proposed, kind)
    ours = forge.comment(name, 1, marker=MARK, body="3 changes", known=None)
    assert forge.comment(name, 1, marker=MARK, body="4 changes", known=None) == ours


@BOTH
def test_a_person_is_answered_with_a_sign(proposed: SandboxForge, kind: ForgeKind, name: str) -> None:
    asked = proposed.comment(name, 1, "/deploy staging", by="bob")
    forge = client(proposed, kind)
    for reaction in (*Reaction, Reaction.EYES):
        forge.react(name, 1, comment_id=str(asked.id), reaction=reaction)
    forge.reply(name, 1, body="On its way.")
    comment, reply = proposed.comments(name, 1)
    assert [one.sign for one in comment.reactions] == ["👍", "👎", "👀", "🚀", "😕"]
    assert {one.by for one in comment.reactions} == {"sandbox"}
    assert (reply.author, reply.body) == ("sandbox", "On its way.")


@BOTH
def test_a_comment_that_is_not_there_gets_no_sign(proposed: SandboxForge, kind: ForgeKind, name: str) -> None:
    with pytest.raises(Permanent, match="404"):
        client(proposed, kind).react(name, 1, comment_id="4711", reaction=Reaction.EYES)
    with pytest.raises(Permanent, match="404"):
        client(proposed, kind).reply(name, 4711, body="x")


@BOTH
def test_a_pull_request_is_seen_as_it_is(proposed: SandboxForge, kind: ForgeKind, name: str) -> None:
    forge = client(proposed, kind)
    seen = forge.pull_request(name, 1)
    assert (seen.head, seen.base, seen.title) == (proposed.tip(name, "raise"), "main", "Raise")
    assert (seen.open, seen.merged, seen.from_fork) == (True, False, False)
    proposed.open_pull_request(name, "Mine", branch="mine", changes={"x": "x"}, author="mallory", forked=True)
    assert forge.pull_request(name, 2).from_fork
    proposed.close(name, 2)
    proposed.merge(name, 1)
    assert [(one.open, one.merged) for one in (forge.pull_request(name, 1), forge.pull_request(name, 2))] == [
        (False, True),
        (False, False),
    ]


@BOTH
def test_a_command_is_told_as_what_it_is(
    listening: SandboxForge, receiver: Receiver, kind: ForgeKind, name: str
) -> None:
    said = listening.comment(name, 1, "/deploy staging\n\nplease", by="bob")
    (command,) = told(listening, receiver)
    github = kind is ForgeKind.GITHUB
    assert command == Command(
        name, 1, CommandName.DEPLOY, ("staging",), str(said.id), "bob", number_of("bob"), open=True, merged=False,
        branch=None if github else "main", head=None if github else listening.tip(name, "raise"),
    )  # fmt: skip


@BOTH
def test_a_command_on_a_request_that_is_over_says_so(
    listening: SandboxForge, receiver: Receiver, kind: ForgeKind, name: str
) -> None:
    listening.close(name, 1)
    listening.comment(name, 1, "/help")
    listening.reopen(name, 1)
    listening.merge(name, 1)
    listening.comment(name, 1, "/help")
    commands = [one for one in told(listening, receiver) if isinstance(one, Command)]
    assert [(one.open, one.merged) for one in commands] == [(False, False), (False, True)]


@BOTH
def test_an_edited_comment_is_told_and_asks_for_nothing(
    listening: SandboxForge, receiver: Receiver, kind: ForgeKind, name: str
) -> None:
    said = listening.comment(name, 1, "hello", by="ada")
    listening.edit_comment(name, said.id, "/deploy staging")
    events = told(listening, receiver)
    assert len(events) == 2
    assert all(isinstance(one, Ignored) for one in events)


def test_what_an_app_says_is_told_as_a_robots(listening: SandboxForge, receiver: Receiver, app: App) -> None:
    as_app(listening, app).reply(SHOP, 1, body="/deploy staging")
    (comment,) = listening.comments(SHOP, 1)
    assert (comment.author, comment.app) == ("deployer[bot]", app)
    assert listening.settle()
    assert body(receiver.requests[-1])["sender"]["type"] == "Bot"
    (event,) = told(listening, receiver)
    assert isinstance(event, Ignored)
    assert "robot" in event.reason


def test_an_app_finds_its_own_comment_again(proposed: SandboxForge, app: App) -> None:
    github = as_app(proposed, app)
    first = github.comment(SHOP, 1, marker=MARK, body="3 changes", known=None)
    assert as_app(proposed, app).comment(SHOP, 1, marker=MARK, body="4 changes", known=None) == first


@pytest.mark.parametrize(
    ("sent", "field"), [({"body": ""}, "body"), ({"body": " \n"}, "body"), ({"body": "x" * 65_537}, "body")]
)
def test_github_refuses_what_is_no_comment(proposed: SandboxForge, sent: dict[str, Any], field: str) -> None:
    answer = ask(proposed, "POST", f"/api/v3/repos/{SHOP}/issues/1/comments", json=sent)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    assert proposed.comments(SHOP, 1) == ()


def test_gitlab_takes_a_million_characters(proposed: SandboxForge) -> None:
    path = "/api/v4/projects/acme%2Fplatform%2Ftools/merge_requests/1/notes"
    assert ask(proposed, "POST", path, json={"body": "ü" * 1_000_000}).status_code == 201
    assert ask(proposed, "POST", path, json={"body": "ü" * 1_000_001}).status_code == 400


def test_a_sign_that_is_none_is_refused(proposed: SandboxForge) -> None:
    for name in (SHOP, TOOLS):
        proposed.comment(name, 1, "hello")
    path = f"/api/v3/repos/{SHOP}/issues/comments/1/reactions"
    assert ask(proposed, "POST", path, json={"content": "thumbsup"}).status_code == 422
    path = "/api/v4/projects/acme%2Fplatform%2Ftools/merge_requests/1/notes/1/award_emoji"
    assert ask(proposed, "POST", path, json={"name": "+1"}).status_code == 404


def test_github_says_whether_a_sign_is_new(proposed: SandboxForge) -> None:
    proposed.comment(SHOP, 1, "hello")
    path = f"/api/v3/repos/{SHOP}/issues/comments/1/reactions"
    assert [ask(proposed, "POST", path, json={"content": "eyes"}).status_code for _ in range(2)] == [201, 200]
    assert [one["content"] for one in ask(proposed, "GET", path).json()] == ["eyes"]
    reactions = ask(proposed, "GET", f"/api/v3/repos/{SHOP}/issues/comments/1").json()["reactions"]
    assert (reactions["eyes"], reactions["+1"], reactions["total_count"]) == (1, 0, 1)


def test_a_note_of_another_request_is_not_found(proposed: SandboxForge) -> None:
    proposed.open_pull_request(TOOLS, "Other", branch="other", changes={"o": "o"}, author="ada")
    said = proposed.comment(TOOLS, 1, "hello")
    path = f"/api/v4/projects/acme%2Fplatform%2Ftools/merge_requests/2/notes/{said.id}"
    assert ask(proposed, "PUT", path, json={"body": "x"}).status_code == 404


def test_people_say_something_on_what_is_there(proposed: SandboxForge) -> None:
    with pytest.raises(NotFound, match="no pull request 2"):
        proposed.comment(SHOP, 2, "hello")
    with pytest.raises(Invalid, match="blank"):
        proposed.comment(SHOP, 1, "\n")
    with pytest.raises(NotFound, match="no comment 1"):
        proposed.edit_comment(SHOP, 1, "hello")


def test_the_payloads_have_what_recorded_ones_have(listening: SandboxForge, receiver: Receiver) -> None:
    for name in (SHOP, TOOLS):
        listening.comment(name, 1, "/help")
    assert listening.settle()
    github, gitlab = (body(receiver.named(event)[0]) for event in ("issue_comment", "Note Hook"))
    expected = recorded("github_issue_comment_created")
    assert set(expected) - set(github) <= {"installation"}
    for part in ("issue", "comment"):
        assert set(expected[part]) <= set(github[part])
    assert set(expected["issue"]["pull_request"]) <= set(github["issue"]["pull_request"])
    expected = recorded("gitlab_note_created")
    assert set(expected) <= set(gitlab)
    assert set(expected["object_attributes"]) <= set(gitlab["object_attributes"])
