"""Who asks GitHub's API, and what that one may reach: the user of the token, or an App with the rights of its token."""

from __future__ import annotations

from dataclasses import dataclass

from flask import g, request

from deployer.model import ForgeKind
from deployer.sandbox.forge.access import github_token, same
from deployer.sandbox.forge.apps import App, Grant, covers
from deployer.sandbox.forge.hosting import Hosting
from deployer.sandbox.forge.people import USER
from deployer.sandbox.forge.refusal import Forbidden, NotFound, Unauthenticated
from deployer.sandbox.forge.repositories import Repository


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever sent this request."""

    login: str
    grant: Grant | None = None
    """Of an App's token; a user's may do everything that needs no App."""

    @property
    def app(self) -> App | None:
        """The App that asks, if it is one."""
        return self.grant.installation.app if self.grant else None

    def as_app(self) -> App:
        """The App that asks. Raises Forbidden when it is a user: only Apps write checks."""
        if self.app is None:
            raise Forbidden("You must authenticate via a GitHub App.")
        return self.app

    def enter(self, account: str, *rights: str) -> None:
        """Make sure that what belongs to `account` may be used with one of `rights`, as in `checks:write`.

        Raises:
            NotFound: the App's token is for another account.
            Forbidden: it has none of the rights.
        """
        if self.grant is None:
            return
        if self.grant.installation.account != account:
            raise NotFound(f"{self.login} is not installed on {account} by this token")
        permissions = self.grant.permissions
        if not any(covers(permissions, name, level) for name, _, level in (each.partition(":") for each in rights)):
            raise Forbidden("Resource not accessible by integration")


def authenticated(hosting: Hosting, token: str) -> None:
    """Find out who sends this request, and keep it for `caller`. Raises Unauthenticated."""
    shown = github_token(request)
    if shown is None:
        raise Unauthenticated("Requires authentication")
    if same(shown, token):
        g.github_caller = Caller(USER)
    elif grant := hosting.apps.granted(shown):
        g.github_caller = Caller(grant.installation.app.login, grant)
    else:
        raise Unauthenticated("Bad credentials")


def caller() -> Caller:
    """Who sent this request."""
    found: Caller = g.github_caller
    return found


def reach(hosting: Hosting, owner: str, name: str, *rights: str) -> Repository:
    """A repository, for whoever has one of `rights` there. Raises NotFound, Forbidden."""
    repo = on_github(hosting, owner, name)
    caller().enter(owner, *(rights or ("metadata:read",)))
    return repo


def on_github(hosting: Hosting, owner: str, name: str) -> Repository:
    """A repository on this side of the sandbox. Raises NotFound."""
    repo = hosting.repositories.get(f"{owner}/{name}")
    if repo.kind is not ForgeKind.GITHUB:
        raise NotFound(f"{repo.name} is not on the GitHub side of the sandbox")
    return repo
