"""Commit statuses on GitLab, which are jobs of a pipeline and keep its rules.

A status goes into the newest pipeline of its commit, of the branch that it names if it names one, and into a pipeline
of its own if there is none. Without a branch, and without a pipeline, GitLab takes whatever branch has the commit.
As long as it is not over it can be posted again in another state, never in the same one; after that, GitLab adds
another one of the same name. https://docs.gitlab.com/ci/ci_cd_for_external_repos/external_commit_statuses/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from deployer.forges.answer import Answer
from deployer.forges.gitlab.access import Api, Refused, project
from deployer.forges.report import cut
from deployer.model import JSON, CommitStatus, StatusState

DESCRIPTION_LENGTH = 255

_STATES: Final[Mapping[StatusState, str]] = {
    StatusState.PENDING: "pending",
    StatusState.SUCCESS: "success",
    StatusState.FAILURE: "failed",
    StatusState.CANCELED: "canceled",
    StatusState.ERROR: "canceled",  # the one that is over and fails no pipeline
}

_TRANSITION = re.compile(r"cannot transition status via :\w+ from :(\w+)", re.IGNORECASE)


def post(api: Api, status: CommitStatus) -> None:
    """Show `status` on its commit; one request. That it is in this state already is fine.

    https://docs.gitlab.com/api/commits/#set-commit-pipeline-status

    Raises:
        Permanent: GitLab refuses it.
        Temporary: GitLab is away, or wants us to wait.
    """
    errand = api.errand(f"posting {status.context} on {status.repository}@{status.commit[:12]}")
    state = _STATES[status.state]
    body: dict[str, JSON] = {
        "state": state,
        "name": status.context,
        "description": cut(status.description, DESCRIPTION_LENGTH),
        "target_url": status.target_url,
    }
    if status.branch is not None:
        body["ref"] = status.branch
    path = f"{project(status.repository)}/statuses/{quote(status.commit, safe='')}"
    try:
        api.try_to(errand, "post", path, body=body)
    except Refused as refused:
        if not _already(refused.answer, state):
            raise errand.refused(refused.answer) from refused


def _already(answer: Answer, state: str) -> bool:
    """Whether GitLab refuses only because the status says so already. To be running is to be pending, and more."""
    found = _TRANSITION.search(answer.message) if answer.status == 400 else None
    return found is not None and (found[1] == state or (state, found[1]) == ("pending", "running"))
