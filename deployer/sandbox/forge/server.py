"""The forge as others see it: made, started, asked and stopped from Python, served over HTTP on loopback.

For trying and testing only. Its state is in memory and gone with it; only the Git repositories lie in a folder.
"""

from __future__ import annotations

import logging
import secrets
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from flask import Flask, Response, abort, request
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from deployer.model import ForgeKind
from deployer.sandbox.forge import github_api, github_shapes, gitlab_api, pages
from deployer.sandbox.forge.access import comes_to_loopback
from deployer.sandbox.forge.git import Changes, MergeMethod
from deployer.sandbox.forge.hosting import USER, VISITOR, Hosting, Terms
from deployer.sandbox.forge.loopback import is_loopback
from deployer.sandbox.forge.repositories import Landing, PullRequest
from deployer.sandbox.forge.statuses import Status
from deployer.sandbox.forge.webhooks import TIMEOUT, Delivery, Webhook

_LARGEST_REQUEST = 1024 * 1024
_POLL = 0.02
"""Seconds between two looks at whether it is to stop."""

log = logging.getLogger(__name__)


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
            self._server = _listening(host, port, application(self._hosting, self.token), listener.fileno())
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
        return self.url + (github_shapes.API if kind is ForgeKind.GITHUB else "")

    def clone_url(self, repository: str) -> str:
        """Where git clones `repository` from: `file://…`. Raises NotFound."""
        return self._hosting.repositories.get(repository).clone_url

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
        repo = self._hosting.repositories.get(repository)
        return self._hosting.add_webhook(repo, url, secret=secret, signing_secret=signing_secret)

    def open_pull_request(
        self, repository: str, title: str, *, branch: str, changes: Changes, author: str
    ) -> PullRequest:
        """Commit `changes` (content by path, None deletes) to a new branch and propose to merge it.

        Raises:
            Invalid: the branch is there already, or a name or path is not one that git takes.
        """
        repo = self._hosting.repositories.get(repository)
        return self._hosting.open_pull_request(repo, title, branch=branch, changes=changes, author=author)

    def push(
        self, repository: str, changes: Changes, *, message: str, author: str = USER, branch: str | None = None
    ) -> str:
        """Commit `changes` right onto a branch (the repository's own unless said) and give the commit."""
        repo = self._hosting.repositories.get(repository)
        return self._hosting.push(repo, changes, message=message, author=author, branch=branch or repo.branch)

    def merge(
        self, repository: str, number: int, *, by: str = VISITOR, method: MergeMethod = MergeMethod.MERGE
    ) -> Landing:
        """Merge a pull request as its page's button does. Raises NotFound, NotMergeable."""
        return self._hosting.merge(self._hosting.repositories.get(repository), number, Terms(by, method))

    def tip(self, repository: str, branch: str | None = None) -> str:
        """The commit that a branch (the repository's own unless said) ends with. Raises NotFound."""
        repo = self._hosting.repositories.get(repository)
        return repo.git.tip(branch or repo.branch)

    def pull_requests(self, repository: str) -> tuple[PullRequest, ...]:
        """All pull requests, merged ones included, oldest first."""
        return self._hosting.repositories.get(repository).all_pull_requests()

    def statuses(self, repository: str, commit: str) -> tuple[Status, ...]:
        """All statuses of a commit, newest first; on GitLab one per context and run."""
        repo = self._hosting.repositories.get(repository)
        with repo.lock:
            return repo.statuses.of(commit)

    def deliveries(self, repository: str) -> tuple[Delivery, ...]:
        """Everything that was sent to the repository's webhooks, oldest first."""
        repo = self._hosting.repositories.get(repository)
        with repo.lock:
            return tuple(repo.deliveries.values())

    def redeliver(self, repository: str, delivery_id: str) -> Delivery:
        """Send a delivery again, with the same id. Raises NotFound."""
        return self._hosting.redeliver(self._hosting.repositories.get(repository), delivery_id)

    def settle(self, seconds: float = TIMEOUT + 1) -> bool:
        """Wait until no webhook is on its way; False when that takes longer than `seconds`."""
        return self._hosting.sender.settle(seconds)


class _QuietHandler(WSGIRequestHandler):
    """Logs requests where the rest of the program can see or silence them, and sends small answers at once."""

    disable_nagle_algorithm = True

    def log(self, type: str, message: str, *args: object) -> None:
        log.log(logging.ERROR if type == "error" else logging.DEBUG, message, *args)


def application(hosting: Hosting, token: str) -> Flask:
    """The forge's web side: both APIs, for those who show `token`, and the pages."""
    app = Flask(__name__, static_folder="static", static_url_path="/static")
    app.config["MAX_CONTENT_LENGTH"] = _LARGEST_REQUEST
    app.json.sort_keys = False  # type: ignore[attr-defined]  # of the provider that Flask makes
    app.before_request(_refuse_other_hosts)
    app.after_request(_harden)
    app.register_blueprint(github_api.blueprint(hosting, token))
    app.register_blueprint(gitlab_api.blueprint(hosting, token))
    app.register_blueprint(pages.blueprint(hosting))
    return app


def _refuse_other_hosts() -> None:
    if not comes_to_loopback(request):
        abort(400, "the sandbox forge answers to names of this machine only")


def _harden(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"
    return response


def _listening(host: str, port: int, app: Flask, socket_number: int) -> BaseWSGIServer:
    return make_server(host, port, app, threaded=True, request_handler=_QuietHandler, fd=socket_number)


def _read(folder: Path) -> dict[str, str]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in found}
