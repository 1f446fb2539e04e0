"""What the forge is made of, and telling the world what happens in it, whichever way it came about.

Knows nothing of HTTP requests; what moves a branch is in `branches`, what people ask for in `talking`, and the two APIs
and the pages are thin over all three.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from deployer.model import ForgeKind
from deployer.sandbox.forge import events
from deployer.sandbox.forge.apps import Apps
from deployer.sandbox.forge.events import Event
from deployer.sandbox.forge.github.events import ping
from deployer.sandbox.forge.people import USER, People
from deployer.sandbox.forge.refusal import Invalid, NotFound
from deployer.sandbox.forge.repositories import Repositories, Repository
from deployer.sandbox.forge.statuses import Post, Status
from deployer.sandbox.forge.webhooks import Delivery, Sender, Webhook, checked


class Hosting:
    """The forge without its network side. Safe to use from several threads."""

    def __init__(self, folder: Path, url: str) -> None:
        self.repositories = Repositories(folder, url)
        self.people = People()
        self.apps = Apps()
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
                self._send(repo, webhook, [ping(repo, webhook)])
        return webhook

    def post_status(self, repo: Repository, post: Post, *, creator: str) -> Status:
        """Post a commit status by the rules of this kind of forge. Raises NotFound, Invalid, TransitionRefused."""
        with repo.lock:
            repo.git.verified(post.commit)
            statuses = repo.statuses
            accept = statuses.add if repo.kind is ForgeKind.GITHUB else statuses.move
            return accept(post, creator=creator, at=datetime.now(UTC))

    def redeliver(self, repo: Repository, delivery_id: str) -> Delivery:
        """Send a delivery again: the same id and body, signed anew. Raises NotFound."""
        with repo.lock:
            try:
                delivery = repo.deliveries[delivery_id]
            except KeyError:
                raise NotFound(f"{repo.name} has no delivery {delivery_id!r}") from None
            self.sender.send(repo.kind, [delivery])
            return delivery

    def tell(self, repo: Repository, *told: Callable[[], Event]) -> None:
        """Send events to all webhooks, in this order; where there are none, the events are not even made.

        Callers hold the repository's lock.
        """
        if not repo.webhooks:
            return
        made = [one().adding(self._installation(repo)) for one in told]
        for webhook in repo.webhooks:
            self._send(repo, webhook, made)

    def _installation(self, repo: Repository) -> Mapping[str, object]:
        """GitHub says in each event through which installation an App is told of it."""
        there = self.apps.on(repo.owner) if repo.kind is ForgeKind.GITHUB else None
        return {"installation": {"id": there.id, "node_id": f"MDI{there.id}"}} if there else {}

    def _send(self, repo: Repository, webhook: Webhook, told: Iterable[Event]) -> None:
        deliveries = [events.delivery(repo, webhook, event) for event in told]
        repo.deliveries |= {delivery.id: delivery for delivery in deliveries}
        self.sender.send(repo.kind, deliveries)
