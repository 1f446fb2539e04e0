"""GitLab, cloud or self-hosted: what the deployer says to it and asks of it, through python-gitlab."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import gitlab
import requests
from gitlab.exceptions import GitlabError

from deployer.forges.answer import Answer, Errand, decoded, said
from deployer.forges.report import cut
from deployer.model import CommitStatus, Stage, StatusState

DESCRIPTION_LENGTH = 255

_STATES: Final[Mapping[StatusState, str]] = {
    StatusState.PENDING: "pending",
    StatusState.SUCCESS: "success",
    StatusState.FAILURE: "failed",
    StatusState.CANCELED: "canceled",
}

_HINTS = {
    401: "the token is wrong, expired or revoked",
    403: "the token needs the scope api and the role Developer, and the right to push or merge to a protected branch",
    404: "the token does not reach the project, or the project or the commit is not there under this name",
}

_SAME_STATE = re.compile(r"cannot transition status via :\w+ from :(\w+)", re.IGNORECASE)


class _Refused(Exception):  # noqa: N818 - reads as what happened
    """An answer other than 2xx."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class GitLab:
    """A GitLab that we have a token for: personal, project or group, with the scope `api`."""

    def __init__(self, token: str, *, api_url: str, timeout: int) -> None:
        """`api_url` is the address of GitLab itself; `timeout` is in seconds."""
        self._token = token
        session = requests.Session()
        session.hooks["response"] = [_stop]
        self._client = gitlab.Gitlab(
            api_url,
            private_token=token,
            timeout=timeout,
            user_agent="deployer",
            session=session,
        )

    def post(self, status: CommitStatus) -> None:
        """Show `status` on its commit; one request. That it is in this state already is fine.

        https://docs.gitlab.com/api/commits/#set-commit-pipeline-status

        Raises:
            Permanent: GitLab refuses it.
            Temporary: GitLab is away, or wants us to wait.
        """
        doing = f"posting {status.context} on {status.repository}@{status.commit[:12]}"
        commit = self._client.projects.get(status.repository, lazy=True).commits.get(status.commit, lazy=True)
        state = _STATES[status.state]
        with self._on(Errand("GitLab", doing, Stage.REPORT, _HINTS, (self._token,))):
            try:
                commit.statuses.create({
                    "state": state,
                    "name": status.context,
                    "description": cut(status.description, DESCRIPTION_LENGTH),
                    "target_url": status.target_url,
                })  # fmt: skip
            except _Refused as refused:
                if not _already(refused.answer, state):
                    raise

    def credential(self, repository: str) -> tuple[str, str]:  # noqa: ARG002 - one token reaches all of them
        """User name and password with which git fetches `repository` over HTTPS."""
        return "oauth2", self._token

    def check(self) -> str:
        """Who GitLab says that we are.

        Raises:
            Permanent: GitLab refuses us.
            Temporary: GitLab is away, or wants us to wait.
        """
        errand = Errand("GitLab", "asking GitLab who we are", Stage.REPORT, _HINTS, (self._token,))
        with self._on(errand):
            user = self._client.http_get("/user")
        name = user.get("username") if isinstance(user, dict) else None
        if not isinstance(name, str):
            raise errand.garbled()
        return f"GitLab user {name}"

    @contextmanager
    def _on(self, errand: Errand) -> Iterator[None]:
        """Turn whatever python-gitlab raises into the failure that it means."""
        try:
            yield
        except _Refused as refused:
            raise errand.refused(refused.answer) from refused
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
        raise _Refused(Answer(response.status_code, headers, said(decoded(response.text)), time.time()))


def _already(answer: Answer, state: str) -> bool:
    """Whether GitLab refuses only because the status is in `state` already."""
    found = _SAME_STATE.search(answer.message) if answer.status == 400 else None
    return found is not None and found[1] == state
