"""The forge as others see it: made, started, acted on, asked and stopped from Python, served over HTTP on loopback.

For trying and testing only. Its state is in memory and gone with it; only the Git repositories lie in a folder.
"""

from __future__ import annotations

import secrets
import socket
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from deployer.model import ForgeKind
from deployer.sandbox.forge import branches, talking
from deployer.sandbox.forge.apps import App
from deployer.sandbox.forge.branches import Proposal, Step, Terms
from deployer.sandbox.forge.checks import CheckRun
from deployer.sandbox.forge.comments import Comment
from deployer.sandbox.forge.deployments import Deployment
from deployer.sandbox.forge.git import Changes, MergeMethod
from deployer.sandbox.forge.github.shapes import API
from deployer.sandbox.forge.hosting import Hosting
from deployer.sandbox.forge.loopback import is_loopback
from deployer.sandbox.forge.people import USER, VISITOR, Person, Role
from deployer.sandbox.forge.repositories import Landing, PullRequest, Repository
from deployer.sandbox.forge.serving import listening, site
from deployer.sandbox.forge.statuses import Status
from deployer.sandbox.forge.webhooks import TIMEOUT, Delivery, Webhook

_POLL = 0.02
"""Seconds between two looks at whether it is to stop."""


class SandboxForge:
    """A GitHub and a GitLab in one, on loopback.

    It listens from the moment it is made, answers between `start` and `stop` (a `with` block calls both) or during
    `serve_forever`.

    Args:
        folder: where the bare Git repositories are made.
        host: a loopback address or `localhost`.
        port: 0 takes a free one.

    Raises:
        ValueError: `host` is not loopback.
    """

    def __init__(self, folder: Path, *, host: str = "127.0.0.1", port: int = 0) -> None:
        if not is_loopback(host):
            raise ValueError(f"the sandbox forge listens on loopback only, not on {host!r}")
        self.token = secrets.token_hex(20)
        """What both APIs want to see."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.create_server((host, port), family=family) as listener:
            port = listener.getsockname()[1]
            self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
            self._hosting = Hosting(folder, self.url)
            served = site(self._hosting, self.token)
            self._server = listening(host, port, served, descriptor=listener.fileno())
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Answer requests, in a thread of its own."""
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL,), name="forge", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Answer no more requests and wait for the webhooks that are on their way."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        self.settle()

    def serve_forever(self) -> None:
        """Answer requests in this thread until Ctrl-C."""
        try:
            self._server.serve_forever()
        finally:
            self.settle()

    def api_url(self, kind: ForgeKind) -> str:
        """What to tell a client of that kind of forge: its base URL."""
        return self.url + (API if kind is ForgeKind.GITHUB else "")

    def clone_url(self, repository: str) -> str:
        """Where git clones `repository` from: `file://…`. Raises NotFound."""
        return self._repository(repository).clone_url

    def create_repository(
        self, name: str, files: Mapping[str, str] | Path, *, kind: ForgeKind = ForgeKind.GITHUB, branch: str = "main"
    ) -> str:
        """Make a repository whose first commit has `files`, by path or as they lie in a folder; give that commit.

        Raises:
            Invalid: the name is taken or not one for that kind of forge; a path leaves the repository; no files.
        """
        content = _read(files) if isinstance(files, Path) else files
        return self._hosting.create_repository(name, content, kind=kind, branch=branch)

    def add_webhook(self, repository: str, url: str, *, secret: str, signing_secret: str | None = None) -> Webhook:
        """Send the repository's events to `url`, signed.

        Args:
            repository: its full name.
            url: http on loopback.
            secret: GitHub signs with it, GitLab shows it.
            signing_secret: `whsec_…`; GitLab then signs as well.

        Raises:
            Invalid: one of them is not as it must be.
        """
        repo = self._repository(repository)
        return self._hosting.add_webhook(repo, url, secret=secret, signing_secret=signing_secret)

    def create_app(self, slug: str = "deployer", *, private_key: str | None = None) -> App:
        """Register a GitHub App, on all accounts; it acts as `<slug>[bot]`.

        Args:
            slug: its name.
            private_key: RSA in PEM form; without it, the App gets a new one.

        Raises:
            Invalid: the name is taken, or the key is none.
        """
        return self._hosting.apps.create(slug, private_key)

    def expire_app_tokens(self) -> None:
        """End every token that Apps were given, as if their hour were over."""
        self._hosting.apps.expire()

    def add_person(self, login: str, role: Role, *, teams: Iterable[str] = ()) -> None:
        """Give somebody an account, or another role everywhere. There are ada, bob, grace and mallory already."""
        self._hosting.people.add(Person(login, role, frozenset(teams)))

    def open_pull_request(  # noqa: PLR0913 - a proposal, as its author has it
        self, repository: str, title: str, *, branch: str, changes: Changes, author: str, forked: bool = False
    ) -> PullRequest:
        """Commit `changes` (content by path, None deletes) to a new branch and propose to merge it.

        With `forked`, the branch is in a repository of the author's own.

        Raises:
            Invalid: the branch is there already, or a name or path is not one that git takes.
        """
        proposal = Proposal(title, branch, changes, author, forked)
        return branches.propose(self._hosting, self._repository(repository), proposal)

    def push(
        self, repository: str, changes: Changes, *, message: str, author: str = USER, branch: str | None = None
    ) -> str:
        """Commit `changes` right onto a branch (the repository's own unless said) and give the commit."""
        repo = self._repository(repository)
        return branches.push(self._hosting, repo, branch or repo.branch, Step(changes, message, author))

    def push_to(self, repository: str, number: int, changes: Changes, *, message: str, author: str = VISITOR) -> str:
        """Commit `changes` onto the branch of an open pull request and give the commit. Raises NotFound, Refused."""
        return branches.push_to(self._hosting, self._repository(repository), number, Step(changes, message, author))

    def rewrite(self, repository: str, number: int, changes: Changes, *, message: str, author: str = VISITOR) -> str:
        """Push with force: one commit with `changes` in place of all of an open pull request. Raises as `push_to`."""
        return branches.rewrite(self._hosting, self._repository(repository), number, Step(changes, message, author))

    def close(self, repository: str, number: int, *, by: str = VISITOR) -> None:
        """Give up a pull request. Raises NotFound, Refused."""
        branches.close(self._hosting, self._repository(repository), number, by=by)

    def reopen(self, repository: str, number: int, *, by: str = VISITOR) -> None:
        """Take up a pull request that was given up. Raises NotFound, Refused."""
        branches.reopen(self._hosting, self._repository(repository), number, by=by)

    def merge(
        self, repository: str, number: int, *, by: str = VISITOR, method: MergeMethod = MergeMethod.MERGE
    ) -> Landing:
        """Merge a pull request as its page's button does. Raises NotFound, NotMergeable."""
        return branches.merge(self._hosting, self._repository(repository), number, Terms(by, method))

    def comment(self, repository: str, number: int, body: str, *, by: str = VISITOR) -> Comment:
        """Say something on a pull request, as a person does on its page. Raises NotFound, Invalid."""
        return talking.comment(self._hosting, self._repository(repository), number, body, by=by)

    def edit_comment(self, repository: str, comment_id: int, body: str) -> Comment:
        """Let a comment say something else. Raises NotFound, Invalid."""
        return talking.edit(self._hosting, self._repository(repository), comment_id, body)

    def rerun(self, repository: str, check_run: int, *, by: str = VISITOR) -> CheckRun:
        """Press `Re-run` on a check run that is over. Raises NotFound, Refused."""
        return talking.rerun(self._hosting, self._repository(repository), check_run, by=by)

    def rerun_all(self, repository: str, commit: str, *, by: str = VISITOR) -> None:
        """Press `Re-run all checks` on a commit. Raises NotFound."""
        talking.rerun_all(self._hosting, self._repository(repository), commit, by=by)

    def press(self, repository: str, check_run: int, identifier: str, *, by: str = VISITOR) -> CheckRun:
        """Press a button of a check run that is over. Raises NotFound, Refused."""
        return talking.press(self._hosting, self._repository(repository), check_run, identifier, by=by)

    def tip(self, repository: str, branch: str | None = None) -> str:
        """The commit that a branch (the repository's own unless said) ends with. Raises NotFound."""
        repo = self._repository(repository)
        return repo.git.tip(branch or repo.branch)

    def pull_requests(self, repository: str) -> tuple[PullRequest, ...]:
        """All pull requests, merged and closed ones included, oldest first."""
        return self._repository(repository).all_pull_requests()

    def comments(self, repository: str, number: int) -> tuple[Comment, ...]:
        """All comments on a pull request with the reactions to each, oldest first."""
        repo = self._repository(repository)
        with repo.lock:
            return repo.comments.on(number)

    def statuses(self, repository: str, commit: str) -> tuple[Status, ...]:
        """All statuses of a commit, newest first; on GitLab one per context and run."""
        repo = self._repository(repository)
        with repo.lock:
            return repo.statuses.of(commit)

    def checks(self, repository: str, commit: str) -> tuple[CheckRun, ...]:
        """All check runs of a commit, newest first."""
        repo = self._repository(repository)
        with repo.lock:
            return repo.checks.of(commit)

    def deployments(self, repository: str, commit: str | None = None) -> tuple[Deployment, ...]:
        """All deployments, or those of one commit, newest first."""
        repo = self._repository(repository)
        with repo.lock:
            return repo.deployments.all() if commit is None else repo.deployments.of(commit)

    def deliveries(self, repository: str) -> tuple[Delivery, ...]:
        """Everything that was sent to the repository's webhooks, oldest first."""
        repo = self._repository(repository)
        with repo.lock:
            return tuple(repo.deliveries.values())

    def redeliver(self, repository: str, delivery_id: str) -> Delivery:
        """Send a delivery again, with the same id. Raises NotFound."""
        return self._hosting.redeliver(self._repository(repository), delivery_id)

    def settle(self, seconds: float = TIMEOUT + 1) -> bool:
        """Wait until no webhook is on its way; False when that takes longer than `seconds`."""
        return self._hosting.sender.settle(seconds)

    def _repository(self, name: str) -> Repository:
        return self._hosting.repositories.get(name)


def _read(folder: Path) -> dict[str, str]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in found}
