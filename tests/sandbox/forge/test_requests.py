"""The life of a pull request: opened, pushed to, closed, opened again, as the webhooks are told of it."""

from __future__ import annotations

import subprocess

import pytest

from deployer.model import Merge, PullRequestAction, PullRequestEvent
from deployer.sandbox.forge import Invalid, NotFound, NotMergeable, Refused, SandboxForge
from tests.sandbox.forge.clients import body, recorded, told
from tests.sandbox.forge.conftest import SHOP, TOOLS
from tests.sandbox.forge.receiver import Receiver

BOTH = pytest.mark.parametrize("name", [SHOP, TOOLS])


def requests_among(events: list[object]) -> list[PullRequestEvent]:
    return [one for one in events if isinstance(one, PullRequestEvent)]


@BOTH
def test_a_push_updates_the_request(listening: SandboxForge, receiver: Receiver, name: str) -> None:
    before = listening.tip(name, "raise")
    after = listening.push_to(name, 1, {"replicas": "4\n"}, message="Raise more", author="bob")
    pushed, updated = told(listening, receiver)
    assert isinstance(pushed, Merge)
    assert (pushed.branch, pushed.commit) == ("raise", after)
    assert updated == PullRequestEvent(
        name, 1, "main", after, PullRequestAction.UPDATED, from_fork=False, draft=False, title="Raise", actor="bob"
    )
    assert listening.tip(name, "raise") == after != before
    assert listening.pull_requests(name)[0].head == after


@BOTH
def test_a_forced_push_leaves_one_commit_on_top_of_the_base(
    listening: SandboxForge, receiver: Receiver, name: str
) -> None:
    listening.push(name, {"x": "x"}, message="Meanwhile")
    told(listening, receiver)
    after = listening.rewrite(name, 1, {"replicas": "4\n"}, message="Raise more", author="bob")
    updated = requests_among([*told(listening, receiver)])[-1]
    assert (updated.head, updated.action, updated.actor) == (after, PullRequestAction.UPDATED, "bob")
    assert listening.tip(name, "raise") == listening.pull_requests(name)[0].head == after
    parent = ["git", "--git-dir", listening.clone_url(name).removeprefix("file://"), "rev-parse", f"{after}^"]
    found = subprocess.run(parent, capture_output=True, check=True).stdout.decode().strip()
    assert found == listening.tip(name)


@BOTH
def test_a_push_to_its_branch_does_the_same(listening: SandboxForge, receiver: Receiver, name: str) -> None:
    after = listening.push(name, {"replicas": "4\n"}, message="Raise more", branch="raise")
    (updated,) = requests_among([*told(listening, receiver)])
    assert (updated.head, updated.action) == (after, PullRequestAction.UPDATED)


def test_the_old_head_is_told(listening: SandboxForge, receiver: Receiver) -> None:
    before = {name: listening.tip(name, "raise") for name in (SHOP, TOOLS)}
    after = {name: listening.push_to(name, 1, {"x": "x"}, message="More") for name in (SHOP, TOOLS)}
    assert listening.settle()
    github = body(receiver.named("pull_request")[0])
    assert (github["before"], github["after"]) == (before[SHOP], after[SHOP])
    gitlab = body(receiver.named("Merge Request Hook")[0])["object_attributes"]
    assert (gitlab["oldrev"], gitlab["last_commit"]["id"]) == (before[TOOLS], after[TOOLS])


@BOTH
def test_a_push_elsewhere_updates_no_request(listening: SandboxForge, receiver: Receiver, name: str) -> None:
    listening.push(name, {"x": "x"}, message="Meanwhile")
    assert requests_among([*told(listening, receiver)]) == []


@BOTH
def test_git_finds_the_head_under_its_number(proposed: SandboxForge, name: str) -> None:
    after = proposed.push_to(name, 1, {"x": "x"}, message="More")
    reference = f"refs/{'pull' if name == SHOP else 'merge-requests'}/1/head"
    listed = subprocess.run(["git", "ls-remote", proposed.clone_url(name), reference], capture_output=True, check=True)
    assert listed.stdout.decode() == f"{after}\t{reference}\n"


@BOTH
def test_a_request_is_closed_and_opened_again(listening: SandboxForge, receiver: Receiver, name: str) -> None:
    listening.close(name, 1, by="bob")
    assert not listening.pull_requests(name)[0].open
    with pytest.raises(NotMergeable, match="closed already"):
        listening.merge(name, 1)
    for act in (lambda: listening.push_to(name, 1, {"x": "x"}, message="x"), lambda: listening.close(name, 1)):
        with pytest.raises(Refused, match="is closed"):
            act()
    listening.reopen(name, 1)
    with pytest.raises(Refused, match="not closed"):
        listening.reopen(name, 1)
    closed, reopened = requests_among([*told(listening, receiver)])
    assert (closed.action, closed.actor) == (PullRequestAction.CLOSED, "bob")
    assert (reopened.action, reopened.actor) == (PullRequestAction.OPENED, "ada")
    listening.merge(name, 1)
    with pytest.raises(Refused, match="not closed"):
        listening.reopen(name, 1)


@BOTH
def test_a_closed_request_follows_its_branch_no_more(listening: SandboxForge, receiver: Receiver, name: str) -> None:
    listening.close(name, 1)
    listening.push(name, {"x": "x"}, message="x", branch="raise")
    assert [one.action for one in requests_among([*told(listening, receiver)])] == [PullRequestAction.CLOSED]


@BOTH
def test_a_request_from_a_fork_is_told_as_one(listening: SandboxForge, receiver: Receiver, name: str) -> None:
    pull = listening.open_pull_request(name, "Mine", branch="raise", changes={"x": "x"}, author="mallory", forked=True)
    listening.push_to(name, pull.number, {"y": "y"}, message="More", author="mallory")
    opened, updated = told(listening, receiver)
    assert isinstance(opened, PullRequestEvent)
    assert isinstance(updated, PullRequestEvent)
    assert (opened.head, opened.from_fork, opened.actor) == (pull.head, True, "mallory")
    assert (updated.head, updated.from_fork) == (listening.pull_requests(name)[1].head, True)
    assert listening.tip(name, "raise") not in (opened.head, updated.head)
    assert listening.pull_requests(name)[0].head == listening.tip(name, "raise")


@BOTH
def test_a_request_from_a_fork_is_merged(proposed: SandboxForge, name: str) -> None:
    proposed.open_pull_request(name, "Mine", branch="mine", changes={"x": "x"}, author="mallory", forked=True)
    assert proposed.merge(name, 2).commit == proposed.tip(name)
    with pytest.raises(NotFound):
        proposed.tip(name, "mine")


def test_a_fork_may_have_a_branch_of_the_same_name(proposed: SandboxForge) -> None:
    with pytest.raises(Invalid, match="there already"):
        proposed.open_pull_request(SHOP, "Mine", branch="raise", changes={"x": "x"}, author="mallory")


def test_what_is_not_there_is_not_found(proposed: SandboxForge) -> None:
    for act in (proposed.close, proposed.reopen):
        with pytest.raises(NotFound, match="no pull request 4"):
            act(SHOP, 4)


@pytest.mark.parametrize(
    ("name", "event", "recording"),
    [
        (SHOP, "pull_request", "github_pull_request_synchronize"),
        (TOOLS, "Merge Request Hook", "gitlab_merge_request_new_commits"),
    ],
)
def test_the_payloads_have_what_recorded_ones_have(
    listening: SandboxForge, receiver: Receiver, name: str, event: str, recording: str
) -> None:
    listening.push_to(name, 1, {"x": "x"}, message="More")
    assert listening.settle()
    sent, expected = body(receiver.named(event)[0]), recorded(recording)
    assert set(expected) - set(sent) <= {"installation", "reviewers"}
    part = "pull_request" if name == SHOP else "object_attributes"
    counts, gitlabs = {"additions", "deletions", "changed_files", "commits"}, {"head_pipeline_id", "last_edited_at"}
    left_out = counts | gitlabs | {"merge_params", "approval_rules", "review_comments_url", "review_comment_url"}
    assert set(expected[part]) - set(sent[part]) <= left_out
