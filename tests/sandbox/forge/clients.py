"""The deployer's own clients, speaking to the sandbox forge, and what it says to webhooks as the deployer reads it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from deployer.forges.connect import Forge
from deployer.forges.github import GitHub
from deployer.forges.github.access import TokenAccess
from deployer.forges.github.app import AppAccess
from deployer.forges.gitlab import GitLab
from deployer.model import Event, ForgeKind
from deployer.sandbox.forge import App, SandboxForge
from deployer.webhooks.receive import interpret
from tests.sandbox.forge.conftest import SHOP, TOOLS
from tests.sandbox.forge.receiver import Receiver, Request

PAYLOADS = Path(__file__).parents[2] / "payloads"


def as_user(forge: SandboxForge) -> GitHub:
    return GitHub(TokenAccess(forge.token, api_url=forge.api_url(ForgeKind.GITHUB), timeout=5))


def as_app(forge: SandboxForge, app: App) -> GitHub:
    return GitHub(AppAccess(app.id, app.private_key, api_url=forge.api_url(ForgeKind.GITHUB), timeout=5))


def on_gitlab(forge: SandboxForge) -> GitLab:
    return GitLab(forge.token, api_url=forge.api_url(ForgeKind.GITLAB), timeout=5)


def client(forge: SandboxForge, kind: ForgeKind) -> Forge:
    return as_user(forge) if kind is ForgeKind.GITHUB else on_gitlab(forge)


def ask(forge: SandboxForge, method: str, path: str, *, token: str | None = None, **more: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {token or forge.token}"}
    return requests.request(method, forge.url + path, headers=headers, timeout=5, **more)


def proof(app: App, *, key: str | None = None, **claims: Any) -> str:
    """What an App signs to show that it is itself; `claims` are what it says otherwise, or, being None, leaves out."""
    now = int(time.time())
    said = {"iss": str(app.id), "iat": now - 5, "exp": now + 60} | claims
    signed = {name: value for name, value in said.items() if value is not None}
    return jwt.encode(signed, _loaded(key or app.private_key), algorithm="RS256")


@cache
def _loaded(private_key: str) -> RSAPrivateKey:
    """Reading a key anew for each signature would take longer than the test."""
    key = load_pem_private_key(private_key.encode(), password=None)
    assert isinstance(key, RSAPrivateKey)
    return key


def app_token(forge: SandboxForge, app: App, **permissions: str) -> str:
    """A token of the App for the account `acme` that may do this, or everything when nothing is said."""
    signed = proof(app)
    number = ask(forge, "GET", "/api/v3/orgs/acme/installation", token=signed).json()["id"]
    path = f"/api/v3/app/installations/{number}/access_tokens"
    answer = ask(forge, "POST", path, token=signed, json={"permissions": permissions})
    assert answer.status_code == 201
    token: str = answer.json()["token"]
    return token


def understood(request: Request) -> Event:
    kind = ForgeKind.GITHUB if "X-GitHub-Event" in request.headers else ForgeKind.GITLAB
    return interpret(kind, request.headers, request.body)


def told(forge: SandboxForge, receiver: Receiver) -> list[Event]:
    """What the receiver was told since the last time, in the order in which it happened."""
    assert forge.settle()
    happened = [one.id for name in (SHOP, TOOLS) for one in forge.deliveries(name)]
    events = [understood(one) for one in sorted(receiver.requests, key=lambda one: happened.index(_id(one)))]
    receiver.requests.clear()
    return events


def _id(request: Request) -> str:
    return request.headers.get("X-GitHub-Delivery") or request.headers["Idempotency-Key"]


def body(request: Request) -> Mapping[str, Any]:
    payload: Mapping[str, Any] = json.loads(request.body)
    return payload


def recorded(name: str) -> Mapping[str, Any]:
    """The body of a recorded delivery."""
    payload: Mapping[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text())["body"]
    return payload
