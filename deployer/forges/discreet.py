"""Keeps where things lie on the deployer's machine out of what a forge shows, which may be public. Logs have it.

What goes wrong is said in messages; these are cleaned while they are still that, before they are cut and quoted: in
Markdown, a path could not be told from its marks. What stands in git and in clusters is shown as it is. Single lines
need nobody to think of it, since they are cleaned on their way to the forge.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from deployer.forges.check_words import Account
from deployer.forges.connect import Forge
from deployer.forges.preview_words import Outcome
from deployer.model import Check, CommitStatus, ForgeDeployment, Permission, PullRequest, Reaction

_REST = r"[^\s'\"`:;,()\[\]]"
_KUBECONFIG = re.compile(r"(?<=reading kubeconfig ).*")
"""It may name further files, of which only whoever reads it knows."""
_ABSOLUTE = re.compile(rf"(?<![\w.:/-])/{_REST}+")


class Discretion:
    """Shortens paths to their last part: `/run/secrets/staging.kubeconfig` to `…/staging.kubeconfig`."""

    def __init__(self, places: Iterable[Path]) -> None:
        """`places` are files and folders of the machine. The root of everything is none."""
        known = sorted({str(place).rstrip("/") for place in places} - {""}, key=len, reverse=True)
        named = "|".join(map(re.escape, known))
        self._known = re.compile(rf"(?<![\w.-])(?:{named})(?:/{_REST}*)?(?![\w-])") if known else None

    def __call__(self, text: str) -> str:
        """`text` without these places, and without any that are named where a kubeconfig could not be read."""
        text = _KUBECONFIG.sub(lambda found: _ABSOLUTE.sub(_last_part, found[0]), text)
        return self._known.sub(_last_part, text) if self._known else text

    def account(self, account: Account) -> Account:
        """The same of all that was said about a deployment."""
        return Account(
            replace(account.deployment, summary=self(account.deployment.summary)),
            tuple(replace(each, message=self(each.message)) for each in account.stages),
            tuple(replace(each, message=self(each.message)) for each in account.objects),
            tuple(map(self, account.log)),
        )

    def outcome(self, outcome: Outcome) -> Outcome:
        """The same of why something would not be done. What would be done is how it stands in git and in a cluster."""
        said = tuple(replace(each, message=self(each.message)) for each in outcome.annotations)
        return replace(outcome, failure=self(outcome.failure), annotations=said)


def _last_part(found: re.Match[str]) -> str:
    return f"…/{found[0].rstrip('/').rpartition('/')[2]}"


class DiscreetForge:
    """A forge to which no line is told as long as a discretion takes something away from it."""

    def __init__(self, forge: Forge, discretion: Discretion) -> None:
        self._forge = forge
        self._clean = discretion

    @property
    def shows_checks(self) -> bool:
        return self._forge.shows_checks

    def post(self, status: CommitStatus) -> None:
        self._forge.post(replace(status, description=self._clean(status.description)))

    def post_check(self, check: Check, *, known: str | None) -> str:
        return self._forge.post_check(check, known=known)

    def record_deployment(self, deployment: ForgeDeployment, *, known: str | None) -> str:
        said = self._clean(deployment.description)
        return self._forge.record_deployment(replace(deployment, description=said), known=known)

    def comment(self, repository: str, number: int, *, marker: str, body: str, known: str | None) -> str:
        return self._forge.comment(repository, number, marker=marker, body=body, known=known)

    def reply(self, repository: str, number: int, *, body: str) -> str:
        return self._forge.reply(repository, number, body=body)

    def react(self, repository: str, number: int, *, comment_id: str, reaction: Reaction) -> None:
        self._forge.react(repository, number, comment_id=comment_id, reaction=reaction)

    def pull_request(self, repository: str, number: int) -> PullRequest:
        return self._forge.pull_request(repository, number)

    def permission(self, repository: str, login: str, *, user_id: int | None = None) -> Permission:
        return self._forge.permission(repository, login, user_id=user_id)

    def is_member(self, team: str, login: str, *, user_id: int | None = None) -> bool:
        return self._forge.is_member(team, login, user_id=user_id)

    def is_robot(self, login: str, *, user_id: int) -> bool:
        return self._forge.is_robot(login, user_id=user_id)

    def credential(self, repository: str) -> tuple[str, str]:
        return self._forge.credential(repository)

    def check(self) -> str:
        return self._forge.check()
