"""GitHub Apps: proving who one is, being installed, and tokens that may do what was asked for and no more."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from deployer.model import CommitStatus, Permanent, Reaction, StatusState
from deployer.sandbox.forge import App, Invalid, SandboxForge
from tests.sandbox.forge.clients import app_token, as_app, ask, proof
from tests.sandbox.forge.conftest import SHOP


def status(forge: SandboxForge) -> CommitStatus:
    return CommitStatus(
        SHOP, forge.tip(SHOP), "deploy/staging", StatusState.SUCCESS, "12 objects", "https://deployer.example.com/1"
    )


def test_an_app_says_who_it_is(quiet_forge: SandboxForge, quiet_app: App) -> None:
    assert as_app(quiet_forge, quiet_app).check() == "GitHub App deployer"
    answer = ask(quiet_forge, "GET", "/api/v3/app", token=proof(quiet_app)).json()
    assert (answer["id"], answer["slug"]) == (quiet_app.id, "deployer")


def test_the_key_is_in_nothing_that_is_shown(app: App) -> None:
    assert "PRIVATE KEY" in app.private_key
    assert "PRIVATE KEY" not in repr(app)


def test_two_apps_are_two(forge: SandboxForge, app: App) -> None:
    other = forge.create_app("other")
    assert other.id != app.id
    with pytest.raises(Invalid, match="slug is taken"):
        forge.create_app("other", private_key=app.private_key)


def test_a_key_is_an_rsa_key(forge: SandboxForge) -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    wrong = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    for key in ("x", wrong):
        with pytest.raises(Invalid, match="private_key is not"):
            forge.create_app(private_key=key)


def test_what_an_app_writes_is_its_own(forge: SandboxForge, app: App) -> None:
    as_app(forge, app).post(status(forge))
    (posted,) = forge.statuses(SHOP, forge.tip(SHOP))
    assert posted.creator == "deployer[bot]"


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"exp": 1}, "could not be decoded"),
        ({"exp": 4_000_000_000}, "too far in the future"),
        ({"iat": 4_000_000_000}, "could not be decoded"),
        ({"iss": "4711"}, "could not be decoded"),
        ({"iss": "deployer"}, "could not be decoded"),
        ({"iss": None}, "could not be decoded"),
        ({"exp": None}, "could not be decoded"),
    ],
)
def test_a_proof_that_is_none_is_refused(
    quiet_forge: SandboxForge, quiet_app: App, claims: dict[str, Any], said: str
) -> None:
    answer = ask(quiet_forge, "GET", "/api/v3/app", token=proof(quiet_app, **claims))
    assert answer.status_code == 401
    assert said in answer.json()["message"]


@pytest.mark.parametrize("token", ["x", "a.b.c", "ghs_x"])
def test_what_no_app_signed_is_refused(quiet_forge: SandboxForge, quiet_app: App, token: str) -> None:
    assert ask(quiet_forge, "GET", "/api/v3/app", token=token).status_code == 401
    assert ask(quiet_forge, "GET", "/api/v3/app").status_code == 401
    assert requests.get(f"{quiet_forge.url}/api/v3/app", timeout=5).status_code == 401


def test_another_apps_key_is_the_wrong_one(forge: SandboxForge, app: App) -> None:
    other = forge.create_app("other")
    assert ask(forge, "GET", "/api/v3/app", token=proof(app, key=other.private_key)).status_code == 401


def test_a_proof_is_no_token(quiet_forge: SandboxForge, quiet_app: App) -> None:
    answer = ask(quiet_forge, "GET", f"/api/v3/repos/{SHOP}", token=proof(quiet_app))
    assert (answer.status_code, answer.json()["message"]) == (401, "Bad credentials")


def test_a_token_that_is_over_is_replaced_by_the_client(forge: SandboxForge, app: App) -> None:
    github = as_app(forge, app)
    github.post(status(forge))
    forge.expire_app_tokens()
    github.post(status(forge))
    assert len(forge.statuses(SHOP, forge.tip(SHOP))) == 2


def test_a_token_ends_within_the_hour(forge: SandboxForge, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    token = app_token(forge, app)
    assert ask(forge, "GET", f"/api/v3/repos/{SHOP}", token=token).status_code == 200
    monkeypatch.setattr("deployer.sandbox.forge.apps.LIFETIME", timedelta(seconds=-1))
    assert ask(forge, "GET", f"/api/v3/repos/{SHOP}", token=app_token(forge, app)).status_code == 401


@pytest.mark.parametrize(
    ("permissions", "asked", "status"),
    [
        ({"statuses": "write"}, "POST /check-runs", 403),
        ({"checks": "write"}, "POST /statuses/main", 403),
        ({"checks": "read"}, "POST /check-runs", 403),
        ({"checks": "write"}, "GET /commits/main/check-runs", 200),
        ({"checks": "read"}, "GET /commits/main/check-runs", 200),
        ({"checks": "read"}, "GET ", 200),
        ({"pull_requests": "read"}, "GET /pulls", 200),
        ({"checks": "write"}, "GET /pulls", 403),
        ({"pull_requests": "read"}, "POST /issues/1/comments", 403),
        ({"pull_requests": "write"}, "POST /issues/1/comments", 404),
        ({"issues": "write"}, "POST /issues/1/comments", 404),
        ({"pull_requests": "write"}, "POST /issues/comments/1/reactions", 403),
        ({"deployments": "read"}, "POST /deployments", 403),
        ({}, "PUT /pulls/1/merge", 403),
    ],
)
def test_a_token_may_do_what_it_was_asked_for(
    quiet_forge: SandboxForge, quiet_app: App, permissions: dict[str, str], asked: str, status: int
) -> None:
    method, _, path = asked.partition(" ")
    url, token = f"/api/v3/repos/{SHOP}{path}", app_token(quiet_forge, quiet_app, **permissions)
    sent = {"body": "x", "content": "eyes"} if method == "POST" else None
    answer = ask(quiet_forge, method, url, token=token, json=sent)
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["message"] == "Resource not accessible by integration"


@pytest.mark.parametrize("permissions", [{"contents": "write"}, {"secrets": "read"}, {"checks": "admin"}])
def test_an_app_gets_no_more_than_it_was_granted(
    quiet_forge: SandboxForge, quiet_app: App, permissions: dict[str, str]
) -> None:
    number = ask(quiet_forge, "GET", "/api/v3/orgs/acme/installation", token=proof(quiet_app)).json()["id"]
    path = f"/api/v3/app/installations/{number}/access_tokens"
    answer = ask(quiet_forge, "POST", path, token=proof(quiet_app), json={"permissions": permissions})
    assert (answer.status_code, "not granted" in answer.json()["message"]) == (422, True)


def test_a_token_is_for_one_account(forge: SandboxForge, app: App) -> None:
    forge.create_repository("other/shop", {"a": "a"})
    token = app_token(forge, app)
    assert ask(forge, "GET", "/api/v3/repos/other/shop", token=token).status_code == 404
    github = as_app(forge, app)
    assert github.credential("other/shop") != github.credential(SHOP)


def test_where_there_is_no_repository_there_is_no_installation(quiet_forge: SandboxForge, quiet_app: App) -> None:
    for path in ("/repos/acme/none/installation", "/orgs/nobody/installation"):
        assert ask(quiet_forge, "GET", f"/api/v3{path}", token=proof(quiet_app)).status_code == 404
    path = "/api/v3/app/installations/4711/access_tokens"
    assert ask(quiet_forge, "POST", path, token=proof(quiet_app)).status_code == 404
    with pytest.raises(Permanent, match="install the GitHub App"):
        as_app(quiet_forge, quiet_app).react("acme/none", 1, comment_id="1", reaction=Reaction.EYES)


def test_an_app_is_no_user(quiet_forge: SandboxForge, quiet_app: App) -> None:
    assert ask(quiet_forge, "GET", "/api/v3/user", token=app_token(quiet_forge, quiet_app)).status_code == 403
