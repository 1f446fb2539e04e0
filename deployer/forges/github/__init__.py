"""GitHub, cloud or Enterprise: what the deployer says to it and asks of it.

https://docs.github.com/en/rest
"""

from __future__ import annotations

from deployer.forges.answer import Errand
from deployer.forges.github import checks, conversation, deployments, people, statuses
from deployer.forges.github.access import Access, Api, Matter
from deployer.forges.github.rights import CONTENTS, METADATA
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

__all__ = ["GitHub"]


class GitHub:
    """A GitHub that we have access to. What each method asks is described where it is done."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._api = Api(access)

    @property
    def shows_checks(self) -> bool:
        """Only an App may write check runs."""
        return self._access.app_id is not None

    def post(self, status: CommitStatus) -> None:
        statuses.post(self._api, status)

    def post_check(self, check: Check, *, known: str | None) -> str:
        if not self.shows_checks:
            what = "GitHub shows a check run only from a GitHub App, and the settings name a token"
            raise Permanent(f"posting the check {check.name} on {check.repository}: {what}", stage=Stage.REPORT)
        return checks.post(self._api, check, known=known)

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

    def is_member(self, team: str, login: str, *, user_id: int | None = None) -> bool:  # noqa: ARG002 - by name only
        return people.is_member(self._api, team, login)

    def is_robot(self, login: str, *, user_id: int) -> bool:  # noqa: ARG002 - GitHub's webhooks say so themselves
        return False

    def credential(self, repository: str) -> tuple[str, str]:
        """https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/authenticating-as-a-github-app-installation"""
        matter = Matter(f"repos/{repository}", CONTENTS, f"getting access to {repository}", Stage.FETCH)
        return "x-access-token", self._access.admission(matter).token

    def check(self) -> str:
        errand = Errand("GitHub", "asking GitHub who we are", Stage.REPORT, METADATA.token_hints)
        return f"GitHub {self._access.whoami(errand)}"
