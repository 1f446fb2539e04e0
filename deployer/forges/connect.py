"""The one place that knows which client speaks to which kind of forge.

For workers and the command line: the web process must not import it, because the clients take long to import.
"""

from __future__ import annotations

import re
from typing import Protocol

from deployer.forges.github import GitHub
from deployer.forges.github_access import AppAccess, TokenAccess
from deployer.forges.gitlab import GitLab
from deployer.model import CommitStatus, ForgeKind, Permanent, Stage, Temporary
from deployer.settings import ForgeSettings, Secret, SecretUnavailable

TIMEOUT = 10
"""Seconds to wait for a connection, and again between two pieces of an answer."""


class Forge(Protocol):
    """What every forge can do for us. All of it raises `Permanent` and `Temporary`, and never waits long."""

    def post(self, status: CommitStatus) -> None:
        """Show `status` on its commit."""

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
        return GitHub(AppAccess(forge.app.id, key, api_url=forge.api_url, timeout=timeout))
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
