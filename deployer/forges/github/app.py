"""Being a GitHub App: signing in with its key, and a token for each installation and purpose, kept while it is good.

The tokens live in the memory of one process and nowhere else.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from urllib.parse import quote

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from github import Auth

from deployer.forges.answer import Errand, Missing
from deployer.forges.github.access import Admission, Matter, Request, requester, send
from deployer.forges.github.rights import METADATA, Right
from deployer.forges.reading import Fields, fields, integer, text
from deployer.model import JSON, Permanent, Stage

SPARE = 300.0
"""Seconds before its end from which a token is not used any more: what begins with it should also end with it."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """A token of an installation."""

    admission: Admission
    until: float
    """Seconds since 1970."""


class AppAccess:
    """A GitHub App. It gets a token per installation and purpose, with no more permissions than that purpose needs."""

    def __init__(self, app_id: int, private_key: str, *, api_url: str, timeout: int) -> None:
        """Raises Permanent when `private_key` is not one in PEM form."""
        self.app_id: int | None = app_id
        self._auth = _signing(app_id, private_key)
        self._requester = requester(self._auth, api_url=api_url, timeout=timeout)
        self._installations: dict[str, int] = {}
        self._tokens: dict[tuple[int, Right], _Kept] = {}
        self._slug: str | None = None

    def admission(self, matter: Matter) -> Admission:
        errand = _getting_a_token(matter)
        try:
            key = (self._installation(matter.place, errand), matter.right)
            kept = self._tokens.get(key)
            if kept is None or time.time() >= kept.until:
                kept = self._tokens[key] = self._token(key, errand)
        except Missing as missing:
            # The App is not installed, or was, under another number: nothing is known of what the matter names.
            self._installations.pop(matter.place, None)
            raise Permanent(missing.message, stage=missing.stage) from missing
        return kept.admission

    def forget(self, matter: Matter) -> bool:
        installation = self._installations.pop(matter.place, None)
        if installation is None:
            return False
        return self._tokens.pop((installation, matter.right), None) is not None

    def whoami(self, errand: Errand) -> str:
        return f"App {self._name(errand)}"

    def login(self, errand: Errand) -> str:
        return f"{self._name(errand)}[bot]"

    def _name(self, errand: Errand) -> str:
        if self._slug is None:
            errand = replace(errand, hints=METADATA.app_hints)
            self._slug = text(self._as_app("GET", "/app", errand), "slug", errand)
        return self._slug

    def _installation(self, place: str, errand: Errand) -> int:
        """https://docs.github.com/en/rest/apps/apps#get-a-repository-installation-for-the-authenticated-app"""
        if place not in self._installations:
            answer = self._as_app("GET", f"/{quote(place)}/installation", errand)
            self._installations[place] = integer(answer, "id", errand)
        return self._installations[place]

    def _token(self, key: tuple[int, Right], errand: Errand) -> _Kept:
        """https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app"""
        installation, right = key
        body: JSON = {"permissions": {right.name: right.level}}
        answer = self._as_app("POST", f"/app/installations/{installation}/access_tokens", errand, body=body)
        token, expires = text(answer, "token", errand), _moment(text(answer, "expires_at", errand), errand)
        return _Kept(Admission(token, self._requester.withAuth(Auth.Token(token))), expires - SPARE)

    def _as_app(self, verb: str, path: str, errand: Errand, *, body: JSON = None) -> Fields:
        """Ask as the App itself, which may do little more than ask for tokens."""
        signed = Admission(self._auth.token, self._requester)
        return fields(send(signed, Request(verb, path, body=body), errand=errand), errand)


@lru_cache(maxsize=16)
def app_access(app_id: int, private_key: str, *, api_url: str, timeout: int) -> AppAccess:
    """The access of an App, one for the whole process: its tokens outlive a single job.

    Raises:
        Permanent: `private_key` is not one in PEM form.
    """
    return AppAccess(app_id, private_key, api_url=api_url, timeout=timeout)


# A child must not write into the connections that it shares with its parent.
os.register_at_fork(after_in_child=app_access.cache_clear)


def _getting_a_token(matter: Matter) -> Errand:
    doing = f"{matter.doing}: getting a token for the GitHub App"
    return replace(matter.errand, doing=doing, hints=matter.right.app_hints)


def _moment(value: str, errand: Errand) -> float:
    """Seconds since 1970 of a time in the form `2026-11-23T10:00:00Z`."""
    try:
        return datetime.fromisoformat(value).timestamp()
    except ValueError as error:
        raise errand.garbled() from error


def _signing(app_id: int, private_key: str) -> Auth.AppAuth:
    # Read once: PyGithub by itself would read and check the key anew for every signature, 40 ms each.
    key = _rsa(private_key)
    if key is None:
        what = "its private key is not an RSA key in PEM form without a password"
        hint = "generate one in the App's settings on GitHub"
        raise Permanent(f"signing in as the GitHub App {app_id}: {what}; {hint}", stage=Stage.REPORT)
    return Auth.AppAuth(app_id, sign_func=lambda claims: jwt.encode(claims, key, algorithm="RS256"))


@lru_cache(maxsize=16)  # unlike an App's connections, a fork may keep it
def _rsa(private_key: str) -> RSAPrivateKey | None:
    try:
        key = load_pem_private_key(private_key.encode(), password=None)
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, RSAPrivateKey) else None
