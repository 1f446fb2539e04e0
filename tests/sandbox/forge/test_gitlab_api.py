"""GitLab's API, asked by python-gitlab as the deployer does, and by hand where that is too polite."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import gitlab
import pytest
import requests
from gitlab.v4.objects import Project

from deployer.model import ForgeKind
from deployer.sandbox.forge import PullRequest, SandboxForge
from tests.sandbox.forge.conftest import SHOP, TOOLS

ENCODED = quote(TOOLS, safe="")


@pytest.fixture
def client(forge: SandboxForge) -> Iterator[gitlab.Gitlab]:
    with gitlab.Gitlab(forge.api_url(ForgeKind.GITLAB), private_token=forge.token, timeout=5) as client:
        yield client


@pytest.fixture
def tools(client: gitlab.Gitlab) -> Project:
    return client.projects.get(TOOLS)


@pytest.fixture
def request_to_merge(forge: SandboxForge) -> PullRequest:
    return forge.open_pull_request(TOOLS, "More", branch="more", changes={"more": "x\n"}, author="ada")


def ask(forge: SandboxForge, method: str, path: str, **more: Any) -> requests.Response:
    headers = more.pop("headers", {"PRIVATE-TOKEN": forge.token})
    return requests.request(method, f"{forge.url}/api/v4{path}", headers=headers, timeout=5, **more)


def test_a_client_learns_who_it_is(client: gitlab.Gitlab) -> None:
    client.auth()
    assert client.user is not None
    assert client.user.username == "sandbox"


def test_a_project_in_a_subgroup_is_found_by_path_and_by_number(client: gitlab.Gitlab, tools: Project) -> None:
    assert (tools.path_with_namespace, tools.default_branch) == (TOOLS, "main")
    assert client.projects.get(tools.id).path_with_namespace == TOOLS


def test_statuses_are_posted_and_listed(forge: SandboxForge, tools: Project) -> None:
    commit = tools.commits.get(forge.tip(TOOLS))
    for state in ("pending", "running", "success"):
        commit.statuses.create(
            {"state": state, "name": "deploy/staging", "target_url": "https://deployer.example.com/1"}
        )
    commit.statuses.create({"state": "pending", "context": "deploy/production", "description": "planned"})
    listed = {one.name: (one.status, one.description) for one in commit.statuses.list(get_all=True)}
    assert listed == {"deploy/staging": ("success", None), "deploy/production": ("pending", "planned")}
    assert len(forge.statuses(TOOLS, commit.id)) == 2


def test_the_same_state_again_is_refused_in_gitlabs_words(forge: SandboxForge, tools: Project) -> None:
    statuses = tools.commits.get(forge.tip(TOOLS), lazy=True).statuses
    statuses.create({"state": "pending", "name": "deploy/staging"})
    with pytest.raises(gitlab.GitlabCreateError) as refused:
        statuses.create({"state": "pending", "name": "deploy/staging"})
    assert refused.value.response_code == 400
    assert refused.value.error_message == (
        'Cannot transition status via :enqueue from :pending (Reason(s): Status cannot transition via "enqueue")'
    )


def test_a_commit_on_no_branch_gets_a_status_only_for_a_branch_that_is_named(
    forge: SandboxForge, tools: Project
) -> None:
    fork = forge.open_pull_request(TOOLS, "More", branch="more", changes={"x": "y\n"}, author="mallory", forked=True)
    statuses = tools.commits.get(fork.head, lazy=True).statuses
    with pytest.raises(gitlab.GitlabCreateError, match="404 References for commit Not Found"):
        statuses.create({"state": "pending", "name": "preview/staging"})
    statuses.create({"state": "pending", "name": "preview/staging", "ref": "main"})
    statuses.create({"state": "success", "name": "preview/staging"})
    assert forge.statuses(TOOLS, fork.head)[0].ref == "main"


def test_all_statuses_include_earlier_runs(forge: SandboxForge, tools: Project) -> None:
    statuses = tools.commits.get(forge.tip(TOOLS), lazy=True).statuses
    for state in ("pending", "failed", "pending", "success"):
        statuses.create({"state": state, "name": "deploy/staging"})
    assert [one.status for one in statuses.list(get_all=True)] == ["success"]
    assert [one.status for one in statuses.list(get_all=True, all=True)] == ["success", "failed"]
    assert statuses.list(get_all=True, name="other") == []


def test_a_status_can_come_in_the_query(forge: SandboxForge) -> None:
    sha = forge.tip(TOOLS)
    answer = ask(forge, "POST", f"/projects/{ENCODED}/statuses/{sha}", params={"state": "success", "name": "x"})
    assert (answer.status_code, answer.json()["status"]) == (201, "success")
    answer = ask(forge, "POST", f"/projects/{ENCODED}/statuses/{sha}", data={"state": "canceled", "name": "y"})
    assert (answer.status_code, answer.json()["status"]) == (201, "canceled")


def test_merge_requests_are_listed_and_merged(
    forge: SandboxForge, tools: Project, request_to_merge: PullRequest
) -> None:
    (listed,) = tools.mergerequests.list(state="opened", get_all=True)
    assert (listed.iid, listed.title, listed.source_branch) == (1, "More", "more")
    listed.merge()
    again = tools.mergerequests.get(1)
    assert (again.state, again.merge_commit_sha, again.squash_commit_sha) == ("merged", forge.tip(TOOLS), None)
    assert tools.mergerequests.list(state="opened", get_all=True) == []


def test_a_squash_is_told_apart(forge: SandboxForge, tools: Project, request_to_merge: PullRequest) -> None:
    tools.mergerequests.get(1).merge(squash=True)
    again = tools.mergerequests.get(1)
    assert (again.merge_commit_sha, again.squash_commit_sha) == (None, forge.tip(TOOLS))


def test_merging_twice_is_not_allowed(tools: Project, request_to_merge: PullRequest) -> None:
    tools.mergerequests.get(1).merge()
    with pytest.raises(gitlab.GitlabMRClosedError) as refused:
        tools.mergerequests.get(1).merge()
    assert refused.value.response_code == 405


def test_a_conflict_cannot_be_merged(forge: SandboxForge, request_to_merge: PullRequest) -> None:
    forge.push(TOOLS, {"more": "other\n"}, message="Meanwhile")
    answer = ask(forge, "PUT", f"/projects/{ENCODED}/merge_requests/1/merge")
    assert (answer.status_code, answer.json()["message"]) == (422, "Branch cannot be merged")


def test_a_head_that_moved_is_not_merged(forge: SandboxForge, request_to_merge: PullRequest) -> None:
    answer = ask(forge, "PUT", f"/projects/{ENCODED}/merge_requests/1/merge", json={"sha": "0" * 40})
    assert answer.status_code == 409
    assert "SHA does not match HEAD" in answer.json()["message"]


def test_a_wrong_token_is_refused(quiet_forge: SandboxForge) -> None:
    for headers in ({}, {"PRIVATE-TOKEN": secrets.token_hex(8)}, {"Authorization": f"token {quiet_forge.token}"}):
        answer = ask(quiet_forge, "GET", "/user", headers=headers)
        assert (answer.status_code, answer.json()) == (401, {"message": "401 Unauthorized"})


def test_a_bearer_token_is_taken(quiet_forge: SandboxForge) -> None:
    assert ask(quiet_forge, "GET", "/user", headers={"Authorization": f"Bearer {quiet_forge.token}"}).status_code == 200


@pytest.mark.parametrize(
    "project", [TOOLS, "99", "acme%2Fnone", quote(SHOP, safe=""), "%2e%2e", "acme%2Fplatform/tools"]
)
def test_a_project_that_is_not_there_or_not_encoded_is_not_found(quiet_forge: SandboxForge, project: str) -> None:
    answer = ask(quiet_forge, "GET", f"/projects/{project}")
    assert (answer.status_code, answer.json()) == (404, {"message": "404 Project Not Found"})


def test_a_commit_that_is_not_there_is_not_found(quiet_forge: SandboxForge) -> None:
    answer = ask(quiet_forge, "POST", f"/projects/{ENCODED}/statuses/{'0' * 40}", json={"state": "success"})
    assert (answer.status_code, answer.json()) == (404, {"message": "404 Commit Not Found"})


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, {"error": "state is missing"}),
        ({"state": "failure"}, {"error": "state does not have a valid value"}),
        (
            {"state": "success", "description": "x" * 256},
            {"message": {"description": ["is too long (maximum is 255 characters)"]}},
        ),
        ({"state": "success", "target_url": "javascript:x"}, {"message": {"target_url": ["must use http(s) scheme"]}}),
    ],
)
def test_a_bad_status_is_refused_as_gitlab_does(quiet_forge: SandboxForge, body: dict[str, Any], said: object) -> None:
    answer = ask(quiet_forge, "POST", f"/projects/{ENCODED}/statuses/{quiet_forge.tip(TOOLS)}", json=body)
    assert (answer.status_code, answer.json()) == (400, said)


def test_a_body_that_is_no_object_is_refused(quiet_forge: SandboxForge) -> None:
    for body in (b"{", b"[1]", b"\xff"):
        answer = ask(quiet_forge, "POST", f"/projects/{ENCODED}/statuses/{quiet_forge.tip(TOOLS)}", data=body)
        assert answer.status_code == 400


def test_long_lists_come_in_pages(forge: SandboxForge, tools: Project) -> None:
    statuses = tools.commits.get(forge.tip(TOOLS), lazy=True).statuses
    for number in range(25):
        statuses.create({"state": "pending", "name": f"context-{number:02}"})
    assert len(statuses.list(get_all=True)) == 25
    assert len(statuses.list(page=2, per_page=20, get_all=False)) == 5


def test_what_is_not_there_is_said_in_json(quiet_forge: SandboxForge) -> None:
    answer = ask(quiet_forge, "GET", "/nothing")
    assert (answer.status_code, answer.json()) == (404, {"error": "404 Not Found"})
