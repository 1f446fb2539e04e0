"""The one place that knows which client speaks to which kind of forge.

For workers and the command line: the web process must not import it, because the clients take long to import.
"""

from __future__ import annotations

import re
from typing import Protocol

from deployer.forges.github import GitHub
from deployer.forges.github.access import TokenAccess
from deployer.forges.github.app import app_access
from deployer.forges.gitlab import GitLab
from deployer.model import (
    Check,
    CommitStatus,
    ForgeDeployment,
    ForgeKind,
    Permanent,
    Permission,
    PullRequest,
    Reaction,
    Stage,
    Temporary,
)
from deployer.settings import ForgeSettings, Secret, SecretUnavailable

TIMEOUT = 10
"""Seconds to wait for a connection, and again between two pieces of an answer."""


class Forge(Protocol):
    """What every forge can do for us. All of it raises `Permanent` and `Temporary`, and never waits long.

    Whoever gets an id back keeps it and gives it as `known` the next time. Without it the forge is asked first for
    what an answer that was lost may have left there.
    """

    @property
    def shows_checks(self) -> bool:
        """Whether `post_check` can be used; otherwise a commit status must do."""

    def post(self, status: CommitStatus) -> None:
        """Show `status` on its commit."""

    def post_check(self, check: Check, *, known: str | None) -> str:
        """Show `check` on its commit, as the run `known` if there is one, and give the run's id."""

    def record_deployment(self, deployment: ForgeDeployment, *, known: str | None) -> str:
        """Show `deployment` on its environment's page, as the one `known` if there is one, and give its id there."""

    def comment(self, repository: str, number: int, *, marker: str, body: str, known: str | None) -> str:
        """Keep one comment of ours with `marker` (letters, digits, `_./:@` and single `-`) on a pull request.

        What it said before is replaced. A `body` that the forge does not take whole is refused. Gives its id.
        """

    def reply(self, repository: str, number: int, *, body: str) -> str:
        """Write a new comment on a pull request and give its id."""

    def react(self, repository: str, number: int, *, comment_id: str, reaction: Reaction) -> None:
        """Put a sign on a comment of a pull request."""

    def pull_request(self, repository: str, number: int) -> PullRequest:
        """How a pull request stands right now."""

    def permission(self, repository: str, login: str, *, user_id: int | None = None) -> Permission:
        """What a person may do in a repository; with `user_id`, only if the name is still that person's."""

    def is_member(self, team: str, login: str, *, user_id: int | None = None) -> bool:
        """Whether a person is in a team (GitHub: `organization/team`) or a group (GitLab: its full path)."""

    def is_robot(self, login: str, *, user_id: int) -> bool:
        """Whether an account is no person's, as far as a webhook cannot tell; or is our own."""

    def credential(self, repository: str) -> tuple[str, str]:
        """User name and password with which git fetches `repository` over HTTPS."""

    def check(self) -> str:
        """Who the forge says that we are."""


def connect(forge: ForgeSettings, *, timeout: int = TIMEOUT) -> Forge | None:
    """The client for a forge; nothing is asked of the forge yet.

    Returns:
        None when there is neither a token nor an App: what is public can be deployed, nothing can be reported.

    Raises:
        Permanent: the token or the App's private key cannot be one.
        Temporary: it cannot be read any more.
    """
    if forge.kind is ForgeKind.GITHUB and forge.app is not None:
        key = _revealed(forge.app.private_key, forge.kind)
        return GitHub(app_access(forge.app.id, key, api_url=forge.api_url, timeout=timeout))
    if forge.token is None:
        return None
    token = _plausible(_revealed(forge.token, forge.kind), forge.kind)
    if forge.kind is ForgeKind.GITHUB:
        return GitHub(TokenAccess(token, api_url=forge.api_url, timeout=timeout))
    return GitLab(token, api_url=forge.api_url, timeout=timeout)


def _revealed(secret: Secret, kind: ForgeKind) -> str:
    try:
        return secret.reveal()
    except SecretUnavailable as error:
        raise Temporary(f"signing in to a {kind} forge: {error}", stage=Stage.REPORT) from error


def _plausible(token: str, kind: ForgeKind) -> str:
    """`token` if it fits into a header; requests would put one that does not into its error message."""
    if not re.fullmatch(r"[!-~]+", token):
        what = "its token is empty or has white space, a control character or a letter that is not ASCII"
        hint = "check the secret that the settings name"
        raise Permanent(f"signing in to a {kind} forge: {what}; {hint}", stage=Stage.REPORT)
    return token
