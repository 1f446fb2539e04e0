"""What is told to a repository's webhooks, and with which headers.

Each kind of forge words its events in a module of its own. Sends nothing.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from deployer.model import ForgeKind
from deployer.sandbox.forge.git import NO_COMMIT, Commit
from deployer.sandbox.forge.repositories import Repository
from deployer.sandbox.forge.webhooks import Delivery, Webhook

MOST_COMMITS = 20
"""In the body of a push event, as GitLab has it."""


class Did(StrEnum):
    """What somebody did to a pull request."""

    OPENED = "opened"
    UPDATED = "updated"
    REOPENED = "reopened"
    CLOSED = "closed"
    MERGED = "merged"


@dataclass(frozen=True, slots=True)
class Push:
    """A branch that points at another commit than before."""

    branch: str
    before: str
    after: str
    pusher: str

    @property
    def created(self) -> bool:
        """Whether the branch is new."""
        return self.before == NO_COMMIT


@dataclass(frozen=True, slots=True)
class Event:
    """What a webhook is told."""

    name: str
    body: Mapping[str, object]

    def adding(self, more: Mapping[str, object]) -> Event:
        """The same event, with more in it."""
        return replace(self, body={**self.body, **more})


def delivery(repo: Repository, webhook: Webhook, event: Event) -> Delivery:
    """A new delivery of `event`, with an id of its own and the headers that its kind of forge sends."""
    number = str(uuid.uuid4())
    headers = _github_headers if repo.kind is ForgeKind.GITHUB else _gitlab_headers
    body = json.dumps(event.body, separators=(",", ":"), ensure_ascii=False).encode()
    given = {"Content-Type": "application/json"} | headers(repo, webhook, event, number)
    return Delivery(number, webhook, event.name, tuple(given.items()), body)


def new_commits(repo: Repository, push: Push) -> list[Commit]:
    """The commits of a push, oldest first."""
    revisions = f"{repo.branch}..{push.after}" if push.created else f"{push.before}..{push.after}"
    return list(reversed(repo.git.log(revisions, most=MOST_COMMITS)))


def _github_headers(repo: Repository, webhook: Webhook, event: Event, number: str) -> dict[str, str]:
    return {
        "User-Agent": "GitHub-Hookshot/sandbox", "Accept": "*/*", "X-GitHub-Event": event.name,
        "X-GitHub-Delivery": number, "X-GitHub-Hook-ID": str(webhook.id),
        "X-GitHub-Hook-Installation-Target-Type": "repository", "X-GitHub-Hook-Installation-Target-ID": str(repo.id),
    }  # fmt: skip


def _gitlab_headers(repo: Repository, webhook: Webhook, event: Event, number: str) -> dict[str, str]:
    return {
        "User-Agent": "GitLab/sandbox", "X-Gitlab-Event": event.name, "X-Gitlab-Event-UUID": str(uuid.uuid4()),
        "X-Gitlab-Webhook-UUID": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{repo.url}/hooks/{webhook.id}")),
        "X-Gitlab-Instance": repo.forge_url, "Idempotency-Key": number,
    }  # fmt: skip
