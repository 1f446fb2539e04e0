"""GitHub, cloud or Enterprise: what the deployer says to it and asks of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from deployer.forges.answer import Errand
from deployer.forges.github_access import Access, ask
from deployer.forges.report import cut
from deployer.model import CommitStatus, Stage, StatusState

DESCRIPTION_LENGTH = 140

_READ = {"contents": "read"}
_REPORT = {"statuses": "write"}

_STATES: Final[Mapping[StatusState, str]] = {
    StatusState.PENDING: "pending",
    StatusState.SUCCESS: "success",
    StatusState.FAILURE: "failure",
    # GitHub knows no status for what was given up; this commit is not what runs, so it is no success.
    StatusState.CANCELED: "failure",
}

_NEEDED = "the token needs 'Commit statuses: read and write' in the repository; a classic one the scope repo:status"
_HINTS = {
    401: "the token is wrong, expired or revoked",
    403: _NEEDED,
    404: f"{_NEEDED}; or the repository has another name",
}

_BEYOND_BASIC_PLANE = re.compile("[\U00010000-\U0010ffff]")


class GitHub:
    """A GitHub that we have access to."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def post(self, status: CommitStatus) -> None:
        """Show `status` on its commit; one request, and with an App those for its token.

        https://docs.github.com/en/rest/commits/statuses#create-a-commit-status

        Raises:
            Permanent: GitHub refuses it.
            Temporary: GitHub is away, or wants us to wait.
        """
        doing = f"posting {status.context} on {status.repository}@{status.commit[:12]}"
        errand = Errand("GitHub", doing, Stage.REPORT, _HINTS)
        ask(
            self._access.admission(status.repository, _REPORT, errand),
            "POST",
            f"/repos/{quote(status.repository)}/statuses/{quote(status.commit, safe='')}",
            errand=errand,
            body={
                "state": _STATES[status.state],
                "context": status.context,
                "description": _description(status.description),
                "target_url": status.target_url,
            },
        )

    def credential(self, repository: str) -> tuple[str, str]:
        """User name and password with which git fetches `repository` over HTTPS.

        https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/authenticating-as-a-github-app-installation

        Raises:
            Permanent: GitHub refuses the App a token.
            Temporary: GitHub is away, or wants us to wait.
        """
        errand = Errand("GitHub", f"getting access to {repository}", Stage.FETCH, _HINTS)
        return "x-access-token", self._access.admission(repository, _READ, errand).token

    def check(self) -> str:
        """Who GitHub says that we are.

        Raises:
            Permanent: GitHub refuses us.
            Temporary: GitHub is away, or wants us to wait.
        """
        errand = Errand("GitHub", "asking GitHub who we are", Stage.REPORT, _HINTS)
        return f"GitHub {self._access.whoami(errand)}"


def _description(text: str) -> str:
    """GitHub refuses characters of four bytes, emoji for one, with 422 "description doesn't accept 4-byte Unicode"."""
    return cut(_BEYOND_BASIC_PLANE.sub("\N{REPLACEMENT CHARACTER}", text), DESCRIPTION_LENGTH)
