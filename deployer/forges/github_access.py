"""Who we are to GitHub, by a token or as an App, and the one way in which a request is made.

The only module that imports PyGithub. No client here waits or tries again by itself: that would hold a worker for as
long as GitHub likes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol
from urllib.parse import quote

import jwt
import requests
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from github import Auth, BadAttributeException, Github, GithubException, set_log_level
from github.Requester import Requester

from deployer.forges.answer import Answer, Errand, decoded, said
from deployer.model import JSON, Permanent, Stage

Permissions = Mapping[str, str]
"""https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app"""

_APP_HINTS = {
    401: "check app.id, the private key, and this machine's clock",
    404: "install the GitHub App on the repository",
    422: "the App needs 'Commit statuses: read and write' and 'Contents: read-only', accepted by the owner",
}

# PyGithub has a log handler of its own, and at DEBUG it logs whole answers: one of them is an installation's token.
set_log_level(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Admission:
    """A token that works now, and what sends requests with it."""

    token: str = field(repr=False)
    requester: Requester


class Access(Protocol):
    """Something that GitHub lets in."""

    def admission(self, repository: str, permissions: Permissions, errand: Errand) -> Admission:
        """A way into `repository` that has `permissions` there. Raises Permanent, Temporary."""

    def whoami(self, errand: Errand) -> str:
        """Who GitHub says that we are. Raises Permanent, Temporary."""


class TokenAccess:
    """A token that someone made for us; what it may do is up to them."""

    def __init__(self, token: str, *, api_url: str, timeout: int) -> None:
        self._admission = Admission(token, _requester(Auth.Token(token), api_url=api_url, timeout=timeout))

    def admission(self, repository: str, permissions: Permissions, errand: Errand) -> Admission:  # noqa: ARG002
        return self._admission

    def whoami(self, errand: Errand) -> str:
        user = ask(self._admission, "GET", "/user", errand=errand)
        return f"user {_text(user, 'login', errand)}"


class AppAccess:
    """A GitHub App. It gets a token per repository and purpose, with no more permissions than that purpose needs."""

    def __init__(self, app_id: int, private_key: str, *, api_url: str, timeout: int) -> None:
        """Raises Permanent when `private_key` is not one in PEM form."""
        self._auth = _signing(app_id, private_key)
        self._requester = _requester(self._auth, api_url=api_url, timeout=timeout)
        self._installed: dict[tuple[str, frozenset[tuple[str, str]]], tuple[Auth.AppInstallationAuth, Requester]] = {}

    def admission(self, repository: str, permissions: Permissions, errand: Errand) -> Admission:
        key = (repository, frozenset(permissions.items()))
        getting = replace(errand, doing=f"{errand.doing}: getting a token for the GitHub App", hints=_APP_HINTS)
        if key not in self._installed:
            auth = Auth.AppInstallationAuth(self._auth, self._installation(repository, getting), dict(permissions))
            self._installed[key] = auth, self._requester.withAuth(auth)
        auth, requester = self._installed[key]
        return Admission(_installation_token(auth, getting), requester)

    def whoami(self, errand: Errand) -> str:
        app = ask(self._signed(), "GET", "/app", errand=replace(errand, hints=_APP_HINTS))
        return f"App {_text(app, 'slug', errand)}"

    def _installation(self, repository: str, errand: Errand) -> int:
        answer = ask(self._signed(), "GET", f"/repos/{quote(repository)}/installation", errand=errand)
        number = answer.get("id")
        if not isinstance(number, int):
            raise errand.garbled()
        return number

    def _signed(self) -> Admission:
        """As the App itself, which may do little more than ask for tokens."""
        return Admission(self._auth.token, self._requester)


def ask(admission: Admission, verb: str, path: str, *, errand: Errand, body: JSON = None) -> Mapping[str, JSON]:
    """Send one request and give the JSON object of a 2xx answer.

    Not through PyGithub's objects: they take a 307 (a repository that was renamed) for a success and look up what
    they are about to change.

    Raises:
        Permanent: GitHub refuses it.
        Temporary: GitHub is away, or wants us to wait.
    """
    errand = replace(errand, secrets=(admission.token,))
    with _on(errand):
        status, headers, content = admission.requester.requestJson(verb, path, input=body)
    answer = decoded(content)
    if not 200 <= status < 300:
        raise errand.refused(Answer(status, headers, said(answer), time.time()))
    if not isinstance(answer, dict):
        raise errand.garbled()
    return answer


@contextmanager
def _on(errand: Errand) -> Iterator[None]:
    """Turn whatever PyGithub raises into the failure that it means."""
    try:
        yield
    except GithubException as error:
        raise errand.refused(Answer(error.status, error.headers or {}, said(error.data), time.time())) from error
    except requests.RequestException as error:
        raise errand.unreachable(error) from error
    except RuntimeError as error:  # a redirect that it does not follow
        raise errand.refused(Answer(301, {}, str(error), time.time())) from error
    except (BadAttributeException, ArithmeticError, AttributeError, TypeError, ValueError) as error:
        raise errand.garbled() from error


def _text(answer: Mapping[str, JSON], key: str, errand: Errand) -> str:
    """A text in an answer. Raises Temporary when it is not there."""
    value = answer.get(key)
    if not isinstance(value, str):
        raise errand.garbled()
    return value


def _requester(auth: Auth.Auth, *, api_url: str, timeout: int) -> Requester:
    return Github(
        auth=auth,
        base_url=api_url,
        timeout=timeout,
        user_agent="deployer",
        retry=None,
        seconds_between_requests=None,
        seconds_between_writes=None,
    ).requester


def _installation_token(auth: Auth.AppInstallationAuth, errand: Errand) -> str:
    """The installation's token; PyGithub keeps it and gets a new one shortly before it expires."""
    with _on(errand):
        token: object = auth.token
    if not isinstance(token, str):
        raise errand.garbled()
    return token


def _signing(app_id: int, private_key: str) -> Auth.AppAuth:
    # Read once: PyGithub by itself would read and check the key anew for every signature, 40 ms each.
    key = _rsa(private_key)
    if key is None:
        what = "its private key is not an RSA key in PEM form without a password"
        hint = "generate one in the App's settings on GitHub"
        raise Permanent(f"signing in as the GitHub App {app_id}: {what}; {hint}", stage=Stage.REPORT)
    return Auth.AppAuth(app_id, sign_func=lambda claims: jwt.encode(claims, key, algorithm="RS256"))


def _rsa(private_key: str) -> RSAPrivateKey | None:
    try:
        key = load_pem_private_key(private_key.encode(), password=None)
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, RSAPrivateKey) else None
