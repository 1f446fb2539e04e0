"""Who we are to GitHub, and the one way in which a request is made.

Only this module and `app` import PyGithub. No client here waits or tries again by itself: that would hold a worker for
as long as GitHub likes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol
from urllib.parse import quote

import requests
from github import Auth, BadAttributeException, Github, GithubException, set_log_level
from github.Requester import Requester

from deployer.forges.answer import Answer, Errand, Unrecognized, decoded, said
from deployer.forges.github.rights import Right
from deployer.forges.reading import Fields, fields, rows, text
from deployer.model import JSON, Stage

Query = Mapping[str, str | int]

# PyGithub has a log handler of its own, and at DEBUG it logs whole answers: one of them is an installation's token.
set_log_level(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Matter:
    """What is wanted of GitHub, and where: several requests may serve it."""

    place: str
    """`repos/acme/shop` or `orgs/acme`: what an App must be installed on."""
    right: Right
    doing: str
    """For the message when nothing comes of it."""
    stage: Stage = Stage.REPORT

    @property
    def errand(self) -> Errand:
        """The same for what reads answers."""
        return Errand("GitHub", self.doing, self.stage, self.right.token_hints)


@dataclass(frozen=True, slots=True)
class Admission:
    """A token that works now, and what sends requests with it."""

    token: str = field(repr=False)
    requester: Requester


@dataclass(frozen=True, slots=True)
class Request:
    """One request, as GitHub's API has it."""

    verb: str
    path: str
    query: Query | None = None
    body: JSON = None


class Access(Protocol):
    """Something that GitHub lets in. All of it raises Permanent and Temporary."""

    app_id: int | None
    """The GitHub App that we are; None when we are none."""

    def admission(self, matter: Matter) -> Admission:
        """A way into the place of a matter that has the right to it."""

    def forget(self, matter: Matter) -> bool:
        """Do without what was kept for `matter`, which GitHub does not take any more; whether there was anything."""

    def whoami(self, errand: Errand) -> str:
        """Who GitHub says that we are."""

    def login(self, errand: Errand) -> str:
        """The user name under which what we write appears."""


class TokenAccess:
    """A token that someone made for us; what it may do is up to them."""

    app_id: int | None = None

    def __init__(self, token: str, *, api_url: str, timeout: int) -> None:
        self._admission = Admission(token, requester(Auth.Token(token), api_url=api_url, timeout=timeout))
        self._login: str | None = None

    def admission(self, matter: Matter) -> Admission:  # noqa: ARG002 - one token for all
        return self._admission

    def forget(self, matter: Matter) -> bool:  # noqa: ARG002 - there is no other token
        return False

    def whoami(self, errand: Errand) -> str:
        return f"user {self.login(errand)}"

    def login(self, errand: Errand) -> str:
        if self._login is None:
            user = fields(send(self._admission, Request("GET", "/user"), errand=errand), errand)
            self._login = text(user, "login", errand)
        return self._login


class Api:
    """GitHub's REST API, with whatever access we have."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def ask(self, matter: Matter, verb: str, path: str, *, query: Query | None = None, body: JSON = None) -> Fields:
        """Send one request about `matter`, to a path below its place, and give the object of a 2xx answer.

        Raises:
            Missing: there is no such thing, as far as we are shown.
            Permanent: GitHub refuses it.
            Temporary: GitHub is away, or wants us to wait.
        """
        return fields(self._send(matter, Request(verb, _below(matter.place, path), query, body)), matter.errand)

    def page(self, matter: Matter, path: str, *, query: Query) -> list[Fields]:
        """One page of a list, in the same way."""
        return rows(self._send(matter, Request("GET", _below(matter.place, path), query)), matter.errand)

    def _send(self, matter: Matter, request: Request) -> JSON:
        try:
            return send(self._access.admission(matter), request, errand=matter.errand)
        except Unrecognized:
            if not self._access.forget(matter):
                raise
        return send(self._access.admission(matter), request, errand=matter.errand)

    @property
    def app_id(self) -> int | None:
        """The GitHub App that we are; None when we are none."""
        return self._access.app_id

    def login(self, matter: Matter) -> str:
        """The user name under which what we write appears; asked once. Raises Permanent, Temporary."""
        return self._access.login(matter.errand)


def send(admission: Admission, request: Request, *, errand: Errand) -> JSON:
    """Send one request and give the decoded 2xx answer.

    Not through PyGithub's objects: they take a 307 (a repository that was renamed) for a success and look up what
    they are about to change.

    Raises:
        Missing: there is no such thing, as far as we are shown.
        Permanent: GitHub refuses it.
        Temporary: GitHub is away, or wants us to wait.
    """
    errand = replace(errand, secrets=(admission.token,))
    query = dict(request.query) if request.query else None
    with _on(errand):
        status, headers, content = admission.requester.requestJson(
            request.verb, request.path, parameters=query, input=request.body
        )
    answer = decoded(content)
    if not 200 <= status < 300:
        raise errand.refused(Answer(status, headers, said(answer), time.time()))
    if not isinstance(answer, dict | list):
        raise errand.garbled()
    return answer


def requester(auth: Auth.Auth, *, api_url: str, timeout: int) -> Requester:
    """What sends requests as `auth`; `timeout` is in seconds."""
    return Github(
        auth=auth,
        base_url=api_url,
        timeout=timeout,
        user_agent="deployer",
        retry=None,
        seconds_between_requests=None,
        seconds_between_writes=None,
    ).requester


def _below(place: str, path: str) -> str:
    return f"/{quote(place)}{path}"


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
