"""What people and robots ask for and say: comments, signs on them, and the buttons of checks.

Everything that must happen together happens here, under the repository's lock: the record and the events.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

from deployer.model import ForgeKind
from deployer.sandbox.forge.apps import App
from deployer.sandbox.forge.checks import CheckRun
from deployer.sandbox.forge.comments import Comment
from deployer.sandbox.forge.events import Event
from deployer.sandbox.forge.github import events as github
from deployer.sandbox.forge.gitlab import events as gitlab
from deployer.sandbox.forge.hosting import Hosting
from deployer.sandbox.forge.refusal import NotFound, Refused
from deployer.sandbox.forge.repositories import Repository


def comment(  # noqa: PLR0913 - who says what, and where
    hosting: Hosting, repo: Repository, number: int, body: str, *, by: str, app: App | None = None
) -> Comment:
    """Say something on a pull request, open or not, and tell the webhooks. Raises NotFound, Invalid."""
    with repo.lock:
        repo.pull_request(number)
        said = repo.comments.add(number, body, by=by, app=app, at=datetime.now(UTC))
        hosting.tell(repo, partial(_commented, repo, said, before=None))
        return said


def edit(hosting: Hosting, repo: Repository, comment_id: int, body: str) -> Comment:
    """Let a comment say something else, and tell the webhooks. Raises NotFound, Invalid."""
    with repo.lock:
        before = repo.comments.get(comment_id).body
        said = repo.comments.edit(comment_id, body, at=datetime.now(UTC))
        hosting.tell(repo, partial(_commented, repo, said, before=before))
        return said


def rerun(hosting: Hosting, repo: Repository, number: int, *, by: str) -> CheckRun:
    """Ask for a check run again; what becomes of that is up to the App. Raises NotFound, Refused."""
    with repo.lock:
        run = _over(repo, number)
        repo.checks.reset(number)
        hosting.tell(repo, partial(github.check_run, repo, run, by=by, button=None))
        return run


def rerun_all(hosting: Hosting, repo: Repository, commit: str, *, by: str) -> None:
    """Ask each App for all its check runs of a commit again. Raises NotFound when there are none."""
    with repo.lock:
        apps = {run.app.id: run.app for run in repo.checks.of(commit)}
        if not apps:
            raise NotFound(f"{commit[:12]} has no check runs")
        hosting.tell(repo, *(partial(github.check_suite, repo, commit, app, by=by) for app in apps.values()))


def press(hosting: Hosting, repo: Repository, number: int, identifier: str, *, by: str) -> CheckRun:
    """Press a button of a check run. Raises NotFound when it has no such button, Refused while it is not over."""
    with repo.lock:
        run = _over(repo, number)
        button = next((one for one in run.buttons if one.identifier == identifier), None)
        if button is None:
            raise NotFound(f"check run {number} has no button {identifier!r}")
        hosting.tell(repo, partial(github.check_run, repo, run, by=by, button=button))
        return run


def _over(repo: Repository, number: int) -> CheckRun:
    run = repo.checks.get(number)
    if not run.over:
        raise Refused(f"check run {number} is not over")
    return run


def _commented(repo: Repository, said: Comment, *, before: str | None) -> Event:
    worded = github.commented if repo.kind is ForgeKind.GITHUB else gitlab.noted
    return worded(repo, repo.pull_request(said.number), said, before=before)
