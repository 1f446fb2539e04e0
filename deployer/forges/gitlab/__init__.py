"""GitLab, cloud or self-hosted: what the deployer says to it and asks of it.

https://docs.gitlab.com/api/rest/
"""

from __future__ import annotations

from deployer.forges.gitlab import conversation, deployments, people, statuses
from deployer.forges.gitlab.access import Api
from deployer.forges.reading import text
from deployer.forges.writing import Marked
from deployer.model import (
    Check,
    CommitStatus,
    ForgeDeployment,
    Permanent,
    Permission,
    PullRequest,
    Reaction,
    Stage,
)

__all__ = ["GitLab"]


class GitLab:
    """A GitLab that we have a token for. What each method asks is described where it is done."""

    shows_checks = False

    def __init__(self, token: str, *, api_url: str, timeout: int) -> None:
        """`api_url` is the address of GitLab itself; `timeout` is in seconds."""
        self._api = Api(token, api_url=api_url, timeout=timeout)

    def post(self, status: CommitStatus) -> None:
        statuses.post(self._api, status)

    def post_check(self, check: Check, *, known: str | None) -> str:  # noqa: ARG002 - there is no such thing
        what = f"posting the check {check.name} on {check.repository}"
        raise Permanent(f"{what}: GitLab has no check runs; post a status", stage=Stage.REPORT)

    def record_deployment(self, deployment: ForgeDeployment, *, known: str | None) -> str:
        return deployments.record(self._api, deployment, known=known)

    def comment(self, repository: str, number: int, *, marker: str, body: str, known: str | None) -> str:
        return conversation.comment(self._api, repository, number, Marked(marker, body), known=known)

    def reply(self, repository: str, number: int, *, body: str) -> str:
        return conversation.reply(self._api, repository, number, body=body)

    def react(self, repository: str, number: int, *, comment_id: str, reaction: Reaction) -> None:
        conversation.react(self._api, repository, number, comment_id=comment_id, reaction=reaction)

    def pull_request(self, repository: str, number: int) -> PullRequest:
        return conversation.pull_request(self._api, repository, number)

    def permission(self, repository: str, login: str, *, user_id: int | None = None) -> Permission:
        return people.permission(self._api, repository, login, user_id=user_id)

    def is_member(self, team: str, login: str, *, user_id: int | None = None) -> bool:
        return people.is_member(self._api, team, login, user_id=user_id)

    def is_robot(self, login: str, *, user_id: int) -> bool:
        return people.is_robot(self._api, login, user_id=user_id)

    def credential(self, repository: str) -> tuple[str, str]:  # noqa: ARG002 - one token reaches all of them
        return "oauth2", self._api.token

    def check(self) -> str:
        errand = self._api.errand("asking GitLab who we are")
        return f"GitLab user {text(self._api.user(errand), 'username', errand)}"
