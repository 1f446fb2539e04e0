"""What one can do on the forge, whichever way one comes: create, propose, push, merge, say a status, send again.

Everything that must happen together happens here, under the repository's lock: the commit, the record, the events.
Knows nothing of HTTP requests; the two APIs and the pages are thin over it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from deployer.model import ForgeKind
from deployer.sandbox.forge import events
from deployer.sandbox.forge.events import Event, Push
from deployer.sandbox.forge.git import NO_COMMIT, Changes, MergeMethod
from deployer.sandbox.forge.refusal import HeadMoved, Invalid, NotFound, NotMergeable
from deployer.sandbox.forge.repositories import Landing, PullRequest, Repositories, Repository
from deployer.sandbox.forge.statuses import Post, Status
from deployer.sandbox.forge.webhooks import Delivery, Sender, Webhook, checked

USER = "sandbox"
"""Whose token it is: the one who posts statuses and merges through the API."""

VISITOR = "visitor"
"""Who clicks on the pages."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Who merges a pull request, and how."""

    by: str
    method: MergeMethod = MergeMethod.MERGE
    title: str | None = None
    """First line of the new commit; the forge's own words if there is none."""
    expected_head: str | None = None
    """Merge only while this is the head of the pull request."""


class Hosting:
    """The forge without its network side. Safe to use from several threads."""

    def __init__(self, folder: Path, url: str) -> None:
        self.repositories = Repositories(folder, url)
        self.sender = Sender()
        self._hook_ids = itertools.count(1)

    def create_repository(self, name: str, files: Mapping[str, str], *, kind: ForgeKind, branch: str) -> str:
        """Make a repository whose first commit has `files`; give that commit."""
        if not files:
            raise Invalid("files", "must not be empty: a repository begins with a commit")
        repo = self.repositories.add(name, kind, branch)
        with repo.lock:
            return repo.git.commit(branch, files, message="Initial commit", author=USER)

    def add_webhook(self, repo: Repository, url: str, *, secret: str, signing_secret: str | None) -> Webhook:
        """Send the repository's events to `url` from now on; GitHub begins with a ping."""
        webhook = checked(Webhook(next(self._hook_ids), url, secret, signing_secret))
        with repo.lock:
            repo.webhooks.append(webhook)
            if repo.kind is ForgeKind.GITHUB:
                self._send(repo, webhook, [events.ping(repo, webhook)])
        return webhook

    def open_pull_request(
        self, repo: Repository, title: str, *, branch: str, changes: Changes, author: str
    ) -> PullRequest:
        """Commit `changes` to a new branch and propose to merge it into the repository's own."""
        with repo.lock:
            if repo.git.has_branch(branch):
                raise Invalid("branch", f"is there already: {branch!r}")
            base = repo.git.tip(repo.branch)
            head = repo.git.commit(branch, changes, message=title, author=author, parent=base)
            number = len(repo.pull_requests) + 1
            repo.git.point(_reference(repo.kind, number), head)
            pull = PullRequest(number, title, branch, repo.branch, head, base, author, created_at=datetime.now(UTC))
            repo.pull_requests[number] = pull
            push = Push(branch, before=NO_COMMIT, after=head, pusher=author)
            self._tell(repo, events.of_opening(repo, pull, push))
            return pull

    def push(self, repo: Repository, changes: Changes, *, message: str, author: str, branch: str) -> str:
        """Commit `changes` right onto a branch that is there; give the commit."""
        with repo.lock:
            before = repo.git.tip(branch)
            after = repo.git.commit(branch, changes, message=message, author=author, parent=before)
            self._tell(repo, events.of_push(repo, Push(branch, before, after, pusher=author)))
            return after

    def merge(self, repo: Repository, number: int, terms: Terms) -> Landing:
        """Merge a pull request for real and send the events of that.

        Raises:
            NotFound: no such pull request.
            NotMergeable: it is merged already, or conflicts with its base.
            HeadMoved: its head is not the expected one.
        """
        with repo.lock:
            pull = repo.pull_request(number)
            if pull.merged:
                raise NotMergeable(f"pull request {number} is merged already")
            if terms.expected_head not in (None, pull.head):
                raise HeadMoved(pull.head)
            message = terms.title or _message(repo, pull, terms.method)
            moved = repo.git.merge(pull.base, pull.head, method=terms.method, message=message, author=terms.by)
            landing = Landing(moved.after, moved.before, terms.method, terms.by, at=datetime.now(UTC))
            merged = repo.pull_requests[number] = replace(pull, landing=landing)
            push = Push(pull.base, moved.before, moved.after, pusher=terms.by)
            self._tell(repo, events.of_merge(repo, merged, push))
            return landing

    def say(self, repo: Repository, post: Post) -> Status:
        """Post a commit status by the rules of this kind of forge. Raises NotFound, Invalid, TransitionRefused."""
        with repo.lock:
            repo.git.verified(post.commit)
            statuses = repo.statuses
            accept = statuses.add if repo.kind is ForgeKind.GITHUB else statuses.move
            return accept(post, creator=USER, at=datetime.now(UTC))

    def redeliver(self, repo: Repository, delivery_id: str) -> Delivery:
        """Send a delivery again: the same id and body, signed anew. Raises NotFound."""
        with repo.lock:
            try:
                delivery = repo.deliveries[delivery_id]
            except KeyError:
                raise NotFound(f"{repo.name} has no delivery {delivery_id!r}") from None
            self.sender.send(repo.kind, [delivery])
            return delivery

    def _tell(self, repo: Repository, told: Iterable[Event]) -> None:
        """Send events to all webhooks; where there are none, the events are not even made."""
        made = list(told) if repo.webhooks else []
        for webhook in repo.webhooks:
            self._send(repo, webhook, made)

    def _send(self, repo: Repository, webhook: Webhook, told: Iterable[Event]) -> None:
        deliveries = [events.delivery(repo, webhook, event) for event in told]
        repo.deliveries |= {delivery.id: delivery for delivery in deliveries}
        self.sender.send(repo.kind, deliveries)


def _reference(kind: ForgeKind, number: int) -> str:
    return f"refs/pull/{number}/head" if kind is ForgeKind.GITHUB else f"refs/merge-requests/{number}/head"


def _message(repo: Repository, pull: PullRequest, method: MergeMethod) -> str:
    """The words that each forge puts on a merge by itself."""
    mark = "#" if repo.kind is ForgeKind.GITHUB else "!"
    if method is MergeMethod.SQUASH:
        return f"{pull.title} ({mark}{pull.number})"
    if repo.kind is ForgeKind.GITHUB:
        owner = repo.name.partition("/")[0]
        return f"Merge pull request #{pull.number} from {owner}/{pull.branch}\n\n{pull.title}"
    what = f"Merge branch '{pull.branch}' into '{pull.base}'"
    return f"{what}\n\n{pull.title}\n\nSee merge request {repo.name}!{pull.number}"
