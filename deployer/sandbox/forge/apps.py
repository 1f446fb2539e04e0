"""GitHub Apps: their keys, where they are installed, and the tokens that they get for an hour.

An App is installed on every account here. It proves who it is with a signed JSON Web Token, and gets tokens that may do
what it asks for and no more.
"""

from __future__ import annotations

import itertools
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from deployer.sandbox.forge.refusal import Invalid, NotFound, Unauthenticated

LIFETIME = timedelta(hours=1)
"""Of a token (https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app)."""

LONGEST_PROOF = timedelta(minutes=10)
"""How far ahead a proof may end."""

PERMISSIONS: Mapping[str, str] = {
    "checks": "write",
    "contents": "read",
    "deployments": "write",
    "issues": "write",
    "members": "read",
    "metadata": "read",
    "pull_requests": "write",
    "statuses": "write",
}
"""What every App here was granted."""

EVENTS = ("check_run", "check_suite", "issue_comment", "pull_request", "push")


@dataclass(frozen=True, slots=True)
class App:
    """A GitHub App that is registered here."""

    id: int
    slug: str
    private_key: str = field(repr=False)
    """PEM. A forge would keep only the other half; this one hands it out, so that a test can be the App."""
    created_at: datetime

    @property
    def login(self) -> str:
        """The user name under which what it writes appears."""
        return f"{self.slug}[bot]"


@dataclass(frozen=True, slots=True)
class Installation:
    """An App on one account."""

    id: int
    app: App
    account: str


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token stands for."""

    installation: Installation
    permissions: Mapping[str, str]
    expires_at: datetime


class Apps:
    """Every App, its installations and its tokens. Safe to use from several threads."""

    def __init__(self) -> None:
        self._apps: dict[int, App] = {}
        self._keys: dict[int, rsa.RSAPublicKey] = {}
        self._installations: dict[tuple[int, str], Installation] = {}
        self._grants: dict[str, Grant] = {}
        self._app_ids, self._installation_ids = itertools.count(1001), itertools.count(501)
        self._lock = threading.Lock()

    def create(self, slug: str, private_key: str | None = None) -> App:
        """Register an App, with a key of its own unless one is given (RSA, PEM). Raises Invalid.

        https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/managing-private-keys-for-github-apps
        """
        private_key = private_key or _new_key()
        public = _public(private_key)
        with self._lock:
            if any(one.slug == slug for one in self._apps.values()):
                raise Invalid("slug", f"is taken: {slug!r}")
            app = App(next(self._app_ids), slug, private_key, datetime.now(UTC))
            self._apps[app.id], self._keys[app.id] = app, public
            return app

    def proved(self, proof: str) -> App:
        """The App that signed a JSON Web Token.

        https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app

        Raises:
            Unauthenticated: it is none, of no App here, over, or good for longer than ten minutes.
        """
        try:
            claimed = int(jwt.decode(proof, options={"verify_signature": False})["iss"])
            claims = jwt.decode(
                proof, self._keys[claimed], algorithms=["RS256"], options={"require": ["exp", "iat"]}, leeway=1
            )
        except (jwt.InvalidTokenError, KeyError, ValueError, TypeError) as error:
            raise Unauthenticated("A JSON web token could not be decoded") from error
        if claims["exp"] - datetime.now(UTC).timestamp() > LONGEST_PROOF.total_seconds():
            raise Unauthenticated("'Expiration time' claim ('exp') is too far in the future")
        return self._apps[claimed]

    def installed(self, app: App, account: str) -> Installation:
        """The App on an account."""
        with self._lock:
            there = self._installations.get((app.id, account))
            if there is None:
                there = Installation(next(self._installation_ids), app, account)
                self._installations[app.id, account] = there
            return there

    def on(self, account: str) -> Installation | None:
        """The first App that was registered, on an account: what webhooks name. None when there is no App."""
        app = next(iter(self._apps.values()), None)
        return self.installed(app, account) if app else None

    def issue(self, app: App, installation: int, permissions: Mapping[str, str]) -> tuple[str, Grant]:
        """A new token, with everything that the App was granted unless it asks for less.

        Raises:
            NotFound: the App has no such installation.
            Invalid: it asks for more than it was granted.
        """
        there = next((one for one in self._installations.values() if (one.id, one.app) == (installation, app)), None)
        if there is None:
            raise NotFound(f"{app.slug} has no installation {installation}")
        if not all(covers(PERMISSIONS, name, level) for name, level in permissions.items()):
            raise Invalid("permissions", "requested are not granted to this installation.")
        token = f"ghs_{secrets.token_hex(18)}"
        grant = Grant(there, permissions or PERMISSIONS, datetime.now(UTC) + LIFETIME)
        self._grants[token] = grant
        return token, grant

    def granted(self, token: str) -> Grant | None:
        """What a token stands for; None when it is none of ours, or over."""
        grant = self._grants.get(token)
        return grant if grant and datetime.now(UTC) < grant.expires_at else None

    def expire(self) -> None:
        """End every token that was issued."""
        self._grants.clear()


def covers(granted: Mapping[str, str], name: str, level: str) -> bool:
    """Whether what was granted has a permission: writing includes reading, and metadata goes with anything."""
    if (name, level) == ("metadata", "read"):
        return True
    return granted.get(name) in {"read": ("read", "write"), "write": ("write",)}.get(level, ())


def _new_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    return key.private_bytes(*pem).decode()


@lru_cache(maxsize=8)
def _public(private_key: str) -> rsa.RSAPublicKey:
    try:
        key = serialization.load_pem_private_key(private_key.encode(), password=None)
    except (ValueError, TypeError) as error:
        raise Invalid("private_key", "is not one in PEM form") from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise Invalid("private_key", "is not an RSA key")
    return key.public_key()
