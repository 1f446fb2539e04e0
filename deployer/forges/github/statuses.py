"""Commit statuses on GitHub, and the form of a short description there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from deployer.forges.github.access import Api, Matter
from deployer.forges.github.rights import STATUSES
from deployer.forges.report import cut
from deployer.model import CommitStatus, StatusState

DESCRIPTION_LENGTH = 140

_STATES: Final[Mapping[StatusState, str]] = {
    StatusState.PENDING: "pending",
    StatusState.SUCCESS: "success",
    StatusState.FAILURE: "failure",
    # GitHub knows no status for what was given up; this commit is not what runs, so it is no success.
    StatusState.CANCELED: "failure",
    StatusState.ERROR: "error",
}

_BEYOND_BASIC_PLANE = re.compile("[\U00010000-\U0010ffff]")


def post(api: Api, status: CommitStatus) -> None:
    """Show `status` on its commit; one request, and with an App those for its token.

    https://docs.github.com/en/rest/commits/statuses#create-a-commit-status

    Raises:
        Permanent: GitHub refuses it.
        Temporary: GitHub is away, or wants us to wait.
    """
    doing = f"posting {status.context} on {status.repository}@{status.commit[:12]}"
    body = {
        "state": _STATES[status.state],
        "context": status.context,
        "description": description(status.description),
        "target_url": status.target_url,
    }
    matter = Matter(f"repos/{status.repository}", STATUSES, doing)
    api.ask(matter, "POST", f"/statuses/{quote(status.commit, safe='')}", body=dict(body))


def description(text: str) -> str:
    """GitHub refuses characters of four bytes, emoji for one, with 422 "description doesn't accept 4-byte Unicode"."""
    return cut(_BEYOND_BASIC_PLANE.sub("\N{REPLACEMENT CHARACTER}", text), DESCRIPTION_LENGTH)
