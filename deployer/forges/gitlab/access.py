"""The one way in which a request is made to GitLab. The only module that imports python-gitlab.

No client here waits or tries again by itself: that would hold a worker for as long as GitLab likes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import quote

import gitlab
import requests
from gitlab.exceptions import GitlabError

from deployer.forges.answer import Answer, Errand, decoded, said
from deployer.forges.reading import Fields, fields, integer, rows
from deployer.model import JSON, Stage

Query = Mapping[str, str | int]

HINTS = {
    401: "the token is wrong, expired or revoked",
    403: "the token needs the scope api and the role Developer, and the right to push or merge to a protected branch",
    404: "the token does not reach the project, or the project or the commit is not there under this name",
}


class Refused(Exception):  # noqa: N818 - reads as what happened
    """An answer other than 2xx."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Api:
    """GitLab's REST API, with a token: personal, project or group, with the scope `api`."""

    def __init__(self, token: str, *, api_url: str, timeout: int) -> None:
        """`api_url` is the address of GitLab itself; `timeout` is in seconds."""
        self.token = token
        self._user: Fields | None = None
        session = requests.Session()
        session.hooks["response"] = [_stop]
        self._client = gitlab.Gitlab(
            api_url,
            private_token=token,
            timeout=timeout,
            user_agent="deployer",
            session=session,
        )

    def errand(self, doing: str, stage: Stage = Stage.REPORT) -> Errand:
        """Something that is asked of this GitLab."""
        return Errand("GitLab", doing, stage, HINTS, (self.token,))

    def ask(self, errand: Errand, verb: str, path: str, *, body: JSON = None) -> Fields:
        """Send one request and give the object of a 2xx answer.

        Raises:
            Missing: there is no such thing, as far as we are shown.
            Permanent: GitLab refuses it.
            Temporary: GitLab is away, or wants us to wait.
        """
        try:
            return self.try_to(errand, verb, path, body=body)
        except Refused as refused:
            raise errand.refused(refused.answer) from refused

    def try_to(self, errand: Errand, verb: str, path: str, *, body: JSON = None) -> Fields:
        """The same for a request whose refusal may be fine: that is raised as it came, as Refused."""
        return fields(self._send(errand, verb, path, body=body), errand)

    def page(self, errand: Errand, path: str, *, query: Query) -> list[Fields]:
        """One page of a list. Raises like `ask`."""
        try:
            return rows(self._send(errand, "get", path, query=query), errand)
        except Refused as refused:
            raise errand.refused(refused.answer) from refused

    def _send(self, errand: Errand, verb: str, path: str, *, query: Query | None = None, body: JSON = None) -> JSON:
        with _on(errand):
            response = self._client.http_request(verb, path, query_data=dict(query or {}), post_data=_fields(body))
        return decoded(response.text)

    def user(self, errand: Errand) -> Fields:
        """The user that the token belongs to; asked once. Raises Permanent, Temporary."""
        if self._user is None:
            self._user = self.ask(errand, "get", "/user")
        return self._user

    def user_id(self, errand: Errand) -> int:
        """The same user's number. Raises Permanent, Temporary."""
        return integer(self.user(errand), "id", errand)


def project(repository: str) -> str:
    """The path of a project in the API. https://docs.gitlab.com/api/rest/#namespaced-paths"""
    return f"/projects/{quote(repository, safe='')}"


def _fields(body: JSON) -> dict[str, JSON] | None:
    return body if isinstance(body, dict) else None


@contextmanager
def _on(errand: Errand) -> Iterator[None]:
    """Turn whatever python-gitlab raises into the failure that it means."""
    try:
        yield
    except requests.RequestException as error:
        raise errand.unreachable(error) from error
    except GitlabError as error:
        raise errand.garbled() from error


def _stop(response: requests.Response, **_: object) -> None:
    """Raise at an answer other than 2xx, before python-gitlab sees it.

    Its own errors leave out the headers, and with them how long to wait; it sleeps through a 429 for as long as GitLab
    likes; and requests takes PRIVATE-TOKEN along to wherever a redirect points.
    """
    if not 200 <= response.status_code < 300:
        headers = {name.lower(): value for name, value in response.headers.items()}
        raise Refused(Answer(response.status_code, headers, said(decoded(response.text)), time.time()))
