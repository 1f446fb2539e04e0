"""GitHub's API, asked by PyGithub as the deployer does, and by hand where PyGithub is too polite."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from github import Auth, BadCredentialsException, Github, GithubException, UnknownObjectException
from github.Repository import Repository

from deployer.model import ForgeKind
from deployer.sandbox.forge import PullRequest, SandboxForge
from tests.sandbox.forge.conftest import SHOP, TOOLS


def client(forge: SandboxForge, token: str) -> Github:
    return Github(
        auth=Auth.Token(token), base_url=forge.api_url(ForgeKind.GITHUB), retry=None, seconds_between_writes=None,
        seconds_between_requests=None, timeout=5,
    )  # fmt: skip


@pytest.fixture
def github(forge: SandboxForge) -> Iterator[Github]:
    with client(forge, forge.token) as github:
        yield github


@pytest.fixture
def shop(github: Github) -> Repository:
    return github.get_repo(SHOP)


@pytest.fixture
def pull(forge: SandboxForge) -> PullRequest:
    return forge.open_pull_request(SHOP, "Raise", branch="raise", changes={"replicas": "3\n"}, author="ada")


def ask(forge: SandboxForge, method: str, path: str, **more: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {forge.token}"} | more.pop("headers", {})
    return requests.request(method, forge.api_url(ForgeKind.GITHUB) + path, headers=headers, timeout=5, **more)


def test_a_repository_is_described(forge: SandboxForge, shop: Repository) -> None:
    assert (shop.full_name, shop.default_branch, shop.clone_url) == (SHOP, "main", forge.clone_url(SHOP))
    assert shop.html_url == f"{forge.url}/{SHOP}"
    assert shop.owner.login == "acme"


def test_a_client_learns_who_it_is_and_its_rate_limit(github: Github) -> None:
    assert github.get_user().login == "sandbox"
    assert github.get_rate_limit().resources.core.remaining > 0
    assert github.rate_limiting == (5000, 5000)


def test_statuses_are_posted_listed_and_combined(forge: SandboxForge, shop: Repository) -> None:
    commit = shop.get_commit(forge.tip(SHOP))
    commit.create_status("pending", "https://deployer.example.com/1", "planned", "deploy/staging")
    posted = commit.create_status("success", "https://deployer.example.com/1", "6 objects", "deploy/staging")
    commit.create_status("pending", context="deploy/production")
    assert (posted.state, posted.context, posted.target_url) == (
        "success", "deploy/staging", "https://deployer.example.com/1",
    )  # fmt: skip
    assert [one.state for one in commit.get_statuses()] == ["pending", "success", "pending"]
    together = commit.get_combined_status()
    assert (together.state, together.total_count) == ("pending", 2)
    assert [one.context for one in together.statuses] == ["deploy/production", "deploy/staging"]
    assert [one.state for one in forge.statuses(SHOP, commit.sha)] == ["pending", "success", "pending"]


def test_a_commit_is_found_by_branch(forge: SandboxForge, shop: Repository) -> None:
    commit = shop.get_commit("main")
    assert (commit.sha, commit.commit.message, commit.parents) == (forge.tip(SHOP), "Initial commit", [])


def test_a_branch_with_a_slash_has_statuses_too(forge: SandboxForge, shop: Repository) -> None:
    forge.open_pull_request(SHOP, "x", branch="feature/x", changes={"x": "x"}, author="ada")
    head = forge.tip(SHOP, "feature/x")
    shop.get_commit(head).create_status("error", context="preview")
    assert ask(forge, "GET", f"/repos/{SHOP}/commits/feature/x/status").json()["state"] == "failure"


def test_long_lists_come_in_pages(forge: SandboxForge, shop: Repository) -> None:
    commit = shop.get_commit("main")
    for number in range(35):
        commit.create_status("pending", context=f"context-{number}")
    assert len(list(commit.get_statuses())) == 35
    first = ask(forge, "GET", f"/repos/{SHOP}/commits/main/statuses", params={"per_page": 10, "page": 2})
    assert len(first.json()) == 10
    assert set(first.links) == {"prev", "next", "first", "last"}


def test_pull_requests_are_listed_and_merged(forge: SandboxForge, shop: Repository, pull: PullRequest) -> None:
    (listed,) = shop.get_pulls()
    assert (listed.number, listed.title, listed.user.login, listed.head.ref) == (1, "Raise", "ada", "raise")
    done = listed.merge()
    assert (done.merged, done.sha) == (True, forge.tip(SHOP))
    again = shop.get_pull(1)
    assert (again.merged, again.state, again.merge_commit_sha, again.merged_by.login) == (
        True, "closed", done.sha, "sandbox",
    )  # fmt: skip
    assert list(shop.get_pulls()) == []
    assert [one.number for one in shop.get_pulls(state="closed")] == [1]


def test_a_squash_merge_carries_the_title_it_is_given(shop: Repository, pull: PullRequest) -> None:
    done = shop.get_pull(1).merge(commit_title="As one", merge_method="squash")
    commit = shop.get_commit(done.sha)
    assert (commit.commit.message, len(commit.parents)) == ("As one", 1)


def test_a_pull_request_that_was_merged_is_not_mergeable(shop: Repository, pull: PullRequest) -> None:
    shop.get_pull(1).merge()
    with pytest.raises(GithubException) as refused:
        shop.get_pull(1).merge()
    assert (refused.value.status, refused.value.data["message"]) == (405, "Pull Request is not mergeable")


def test_a_conflict_is_not_mergeable(forge: SandboxForge, shop: Repository, pull: PullRequest) -> None:
    forge.push(SHOP, {"replicas": "9\n"}, message="Meanwhile")
    with pytest.raises(GithubException) as refused:
        shop.get_pull(1).merge()
    assert refused.value.status == 405


def test_a_head_that_moved_is_not_merged(shop: Repository, pull: PullRequest) -> None:
    with pytest.raises(GithubException) as refused:
        shop.get_pull(1).merge(sha="0" * 40)
    assert refused.value.status == 409


def test_a_rebase_is_not_allowed(forge: SandboxForge, pull: PullRequest) -> None:
    answer = ask(forge, "PUT", f"/repos/{SHOP}/pulls/1/merge", json={"merge_method": "rebase"})
    assert (answer.status_code, answer.json()["message"]) == (
        405, "This merge method is not allowed on this repository.",
    )  # fmt: skip


def test_a_wrong_token_is_refused(quiet_forge: SandboxForge) -> None:
    with client(quiet_forge, secrets.token_hex(20)) as github, pytest.raises(BadCredentialsException) as refused:
        github.get_repo(SHOP)
    assert refused.value.data["message"] == "Bad credentials"


@pytest.mark.parametrize("authorization", ["", "Basic {token}", "Bearer", "Bearer {token}x", "{token}", "token é"])
def test_only_the_token_opens_the_door(quiet_forge: SandboxForge, authorization: str) -> None:
    shown = authorization.format(token=quiet_forge.token).encode("latin-1")
    assert ask(quiet_forge, "GET", "/user", headers={"Authorization": shown}).status_code == 401


def test_both_schemes_are_taken(quiet_forge: SandboxForge) -> None:
    for scheme in ("token", "Bearer", "bearer"):
        answer = ask(quiet_forge, "GET", "/user", headers={"Authorization": f"{scheme} {quiet_forge.token}"})
        assert answer.status_code == 200
        assert answer.headers["X-RateLimit-Limit"] == "5000"


@pytest.mark.parametrize("name", ["acme/none", "other/shop"])
def test_an_unknown_repository_is_not_found(github: Github, name: str) -> None:
    with pytest.raises(UnknownObjectException) as refused:
        github.get_repo(name)
    assert refused.value.data["message"] == "Not Found"


def test_a_gitlab_project_is_not_on_github(forge: SandboxForge) -> None:
    forge.create_repository("acme/lab", {"a": "a"}, kind=ForgeKind.GITLAB)
    assert ask(forge, "GET", "/repos/acme/lab").status_code == 404
    assert ask(forge, "GET", f"/repos/{TOOLS}").status_code == 404


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({"state": "done"}, "state", "state is not included in the list"),
        ({}, "state", "state is not included in the list"),
        (
            {"state": "success", "description": "x" * 141},
            "description",
            "description is too long (maximum is 140 characters)",
        ),
        ({"state": ["success"]}, "state", "state is not a string"),
        ({"state": "success", "target_url": "javascript:alert(1)"}, "target_url", "target_url must use http(s) scheme"),
    ],
)
def test_a_bad_status_is_refused_as_github_does(
    quiet_forge: SandboxForge, body: dict[str, Any], field: str, message: str
) -> None:
    answer = ask(quiet_forge, "POST", f"/repos/{SHOP}/statuses/{quiet_forge.tip(SHOP)}", json=body)
    assert answer.status_code == 422
    assert answer.json()["message"] == "Validation Failed"
    assert answer.json()["errors"] == [{"resource": "Status", "code": "custom", "field": field, "message": message}]
    assert quiet_forge.statuses(SHOP, quiet_forge.tip(SHOP)) == ()


@pytest.mark.parametrize("sha", ["0" * 40, "main", "--all", "abc"])
def test_a_status_on_no_commit_is_refused(quiet_forge: SandboxForge, sha: str) -> None:
    answer = ask(quiet_forge, "POST", f"/repos/{SHOP}/statuses/{sha}", json={"state": "success"})
    assert (answer.status_code, answer.json()["message"]) == (422, f"No commit found for SHA: {sha}")
    assert answer.json()["documentation_url"].startswith("https://docs.github.com/")


@pytest.mark.parametrize("body", [b"{", b"[]", b"1", b"null", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_object_is_refused(quiet_forge: SandboxForge, body: bytes) -> None:
    answer = ask(quiet_forge, "POST", f"/repos/{SHOP}/statuses/{quiet_forge.tip(SHOP)}", data=body)
    assert (answer.status_code, answer.json()["message"]) == (400, "Problems parsing JSON")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/nothing"), ("DELETE", f"/repos/{SHOP}"), ("GET", "/repos/a/b/c/d")]
)
def test_what_is_not_there_is_said_in_json(quiet_forge: SandboxForge, method: str, path: str) -> None:
    answer = ask(quiet_forge, method, path)
    assert (answer.status_code, answer.json()["message"]) == (404, "Not Found")


def test_a_large_body_is_refused(quiet_forge: SandboxForge) -> None:
    body = b'{"state": "' + b"x" * 9_000_000 + b'"}'
    assert ask(quiet_forge, "POST", f"/repos/{SHOP}/statuses/{quiet_forge.tip(SHOP)}", data=body).status_code == 413
