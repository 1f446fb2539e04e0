"""What the forge knows of its repositories beside what git keeps: pull requests, statuses, checks, comments, webhooks.

Holds and finds; deciding and telling the world is up to `hosting`. Nothing is written to disk but the Git repositories.
"""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from deployer.model import ForgeKind
from deployer.sandbox.forge.checks import CheckRuns
from deployer.sandbox.forge.comments import Comments
from deployer.sandbox.forge.deployments import Deployments
from deployer.sandbox.forge.git import BareRepository, MergeMethod
from deployer.sandbox.forge.refusal import Invalid, NotFound
from deployer.sandbox.forge.statuses import Statuses
from deployer.sandbox.forge.webhooks import Delivery, Webhook

_SEGMENT = re.compile(r"(?!.*\.git$)[A-Za-z0-9_][A-Za-z0-9_.-]*")
_TAKEN = frozenset({"api", "static", "commit", "pull", "deliveries", "runs"})


@dataclass(frozen=True, slots=True)
class Landing:
    """How a pull request became part of the branch."""

    commit: str
    """The new tip of the branch."""
    before: str
    method: MergeMethod
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A proposal to bring `branch` into `base`. GitLab calls it a merge request."""

    number: int
    title: str
    branch: str
    base: str
    head: str
    """The commit at the end of its branch."""
    fork_point: str
    """The commit of `base` that it started from."""
    author: str
    created_at: datetime
    landing: Landing | None = None
    fork: str | None = None
    """Full name of the repository that its branch is in, if that is another one."""
    closed_at: datetime | None = None
    """When it was given up, if nobody has opened it again."""

    @property
    def merged(self) -> bool:
        """Whether it is part of its base already."""
        return self.landing is not None

    @property
    def open(self) -> bool:
        """Whether it can still be merged."""
        return not self.merged and self.closed_at is None

    @property
    def commits(self) -> tuple[str, ...]:
        """The commits that checks and deployments of it are about: what came of it, and its head."""
        return (self.landing.commit, self.head) if self.landing else (self.head,)


@dataclass(slots=True)
class Repository:
    """One repository. Take `lock` to read several things that belong together, and to write."""

    id: int
    name: str
    kind: ForgeKind
    branch: str
    url: str
    """Its page."""
    forge_url: str
    git: BareRepository
    created_at: datetime
    comments: Comments
    statuses: Statuses = field(default_factory=Statuses)
    checks: CheckRuns = field(default_factory=CheckRuns)
    deployments: Deployments = field(default_factory=Deployments)
    pull_requests: dict[int, PullRequest] = field(default_factory=dict)
    webhooks: list[Webhook] = field(default_factory=list)
    deliveries: dict[str, Delivery] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def clone_url(self) -> str:
        """Where git clones it from."""
        return self.git.path.resolve().as_uri()

    @property
    def owner(self) -> str:
        """The account that it belongs to."""
        return self.name.partition("/")[0]

    def pull_request(self, number: int) -> PullRequest:
        """The pull request of that number. Raises NotFound."""
        try:
            return self.pull_requests[number]
        except KeyError:
            raise NotFound(f"{self.name} has no pull request {number}") from None

    def all_pull_requests(self) -> tuple[PullRequest, ...]:
        """Open, merged and closed ones, oldest first."""
        with self.lock:
            return tuple(self.pull_requests.values())

    def open_pull_requests(self) -> tuple[PullRequest, ...]:
        """Those that can still be merged, oldest first."""
        return tuple(one for one in self.all_pull_requests() if one.open)


class Repositories:
    """All repositories of the forge, by name."""

    def __init__(self, folder: Path, forge_url: str) -> None:
        self._folder = folder
        self._forge_url = forge_url
        self._by_name: dict[str, Repository] = {}
        self._ids = itertools.count(1)
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[Repository]:
        return iter(sorted(self._by_name.values(), key=lambda one: one.name))

    def add(self, name: str, kind: ForgeKind, branch: str) -> Repository:
        """Make an empty repository. Raises Invalid when the name is taken or not one for this kind of forge."""
        with self._lock:
            self._check_name(name, kind)
            git = BareRepository(self._folder / f"{name}.git")
            git.create(branch)
            url = f"{self._forge_url}/{name}"
            repository = Repository(
                next(self._ids), name, kind, branch, url, self._forge_url, git, datetime.now(UTC), Comments(kind)
            )
            self._by_name[name] = repository
            return repository

    def get(self, name: str) -> Repository:
        """The repository of that name. Raises NotFound."""
        try:
            return self._by_name[name]
        except KeyError:
            raise NotFound(f"no repository {name!r} in the sandbox forge") from None

    def _check_name(self, name: str, kind: ForgeKind) -> None:
        segments = name.split("/")
        if any(not _SEGMENT.fullmatch(one) or one in _TAKEN for one in segments):
            raise Invalid("name", f"is not one for a repository: {name!r}")
        if len(segments) < 2 or (kind is ForgeKind.GITHUB and len(segments) > 2):
            raise Invalid("name", f"needs an owner and, on GitHub, nothing more: {name!r}")
        if name in self._by_name:
            raise Invalid("name", f"is taken: {name!r}")
