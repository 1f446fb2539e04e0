"""Which events a change in a repository makes on its kind of forge, and what each says.

Pure but for reading the Git repository, which it does only when the events are taken from the iterators that it gives.
Sends nothing.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from deployer.model import ForgeKind
from deployer.sandbox.forge import github_shapes, gitlab_shapes
from deployer.sandbox.forge.git import NO_COMMIT, Commit
from deployer.sandbox.forge.github_shapes import Json
from deployer.sandbox.forge.repositories import PullRequest, Repository
from deployer.sandbox.forge.webhooks import Delivery, Webhook

MOST_COMMITS = 20
"""In the body of a push event, as GitLab has it."""


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
    body: Json


def of_opening(repo: Repository, pull: PullRequest, push: Push) -> Iterator[Event]:
    """A new branch, and the pull request for it."""
    yield _pushed(repo, push)
    yield _pull_request(repo, pull, pull.author, did="open")


def of_merge(repo: Repository, pull: PullRequest, push: Push) -> Iterator[Event]:
    """A pull request that became part of its base, and the push that this is."""
    yield _pull_request(repo, pull, push.pusher, did="merge")
    yield _pushed(repo, push)


def of_push(repo: Repository, push: Push) -> Iterator[Event]:
    """A branch that was pushed to."""
    yield _pushed(repo, push)


def ping(repo: Repository, webhook: Webhook) -> Event:
    """GitHub's first event to a new webhook."""
    hook = {
        "type": "Repository", "id": webhook.id, "name": "web", "active": True, "events": ["pull_request", "push"],
        "config": {"content_type": "json", "insecure_ssl": "0", "url": webhook.url, "secret": "********"},
    }  # fmt: skip
    body = {"zen": "Practicality beats purity.", "hook_id": webhook.id, "hook": hook}
    return Event("ping", body | {"repository": github_shapes.repository(repo)})


def delivery(repo: Repository, webhook: Webhook, event: Event) -> Delivery:
    """A new delivery of `event`, with an id of its own and the headers that its kind of forge sends."""
    number = str(uuid.uuid4())
    headers = _github_headers if repo.kind is ForgeKind.GITHUB else _gitlab_headers
    body = json.dumps(event.body, separators=(",", ":"), ensure_ascii=False).encode()
    given = {"Content-Type": "application/json"} | headers(repo, webhook, event, number)
    return Delivery(number, webhook, event.name, tuple(given.items()), body)


def _pushed(repo: Repository, push: Push) -> Event:
    return _github_push(repo, push) if repo.kind is ForgeKind.GITHUB else _gitlab_push(repo, push)


def _pull_request(repo: Repository, pull: PullRequest, actor: str, *, did: Literal["open", "merge"]) -> Event:
    if repo.kind is ForgeKind.GITHUB:
        return Event("pull_request", {
            "action": "closed" if did == "merge" else "opened", "number": pull.number,
            "pull_request": {**github_shapes.pull_request(repo, pull), "mergeable": None, "commits": 1},
            "repository": github_shapes.repository(repo), "sender": github_shapes.user(actor, repo.forge_url),
        })  # fmt: skip
    return Event("Merge Request Hook", {
        "object_kind": "merge_request", "event_type": "merge_request", "user": gitlab_shapes.hook_user(actor),
        "project": gitlab_shapes.hook_project(repo), "repository": _gitlab_repository(repo), "labels": [],
        "object_attributes": gitlab_shapes.hook_merge_request(repo, pull, did),
        "changes": {"state_id": {"previous": 1, "current": 3}} if did == "merge" else {},
    })  # fmt: skip


def _github_push(repo: Repository, push: Push) -> Event:
    commits = [github_shapes.pushed_commit(repo, one) for one in _new_commits(repo, push)]
    url = f"{repo.url}/compare/{push.before[:12]}...{push.after[:12]}"
    return Event("push", {
        "ref": f"refs/heads/{push.branch}", "before": push.before, "after": push.after, "base_ref": None,
        "created": push.created, "deleted": False, "forced": False, "compare": url, "commits": commits,
        "head_commit": commits[-1], "repository": github_shapes.repository(repo),
        "pusher": {"name": push.pusher, "email": None}, "sender": github_shapes.user(push.pusher, repo.forge_url),
    })  # fmt: skip


def _gitlab_push(repo: Repository, push: Push) -> Event:
    commits = [gitlab_shapes.hook_commit(repo, one) for one in _new_commits(repo, push)]
    who = gitlab_shapes.hook_user(push.pusher)
    return Event("Push Hook", {
        "object_kind": "push", "event_name": "push", "before": push.before, "after": push.after,
        "ref": f"refs/heads/{push.branch}", "ref_protected": push.branch == repo.branch, "checkout_sha": push.after,
        "message": None, **{f"user_{key}": who[key] for key in ("id", "name", "username", "email")},
        "user_avatar": None, "project_id": repo.id, "project": gitlab_shapes.hook_project(repo), "commits": commits,
        "total_commits_count": len(commits), "push_options": {}, "repository": _gitlab_repository(repo),
    })  # fmt: skip


def _new_commits(repo: Repository, push: Push) -> list[Commit]:
    """Oldest first."""
    revisions = f"{repo.branch}..{push.after}" if push.created else f"{push.before}..{push.after}"
    return list(reversed(repo.git.log(revisions, most=MOST_COMMITS)))


def _gitlab_repository(repo: Repository) -> Json:
    return {
        "name": repo.name.rpartition("/")[2], "url": repo.clone_url, "description": "", "homepage": repo.url,
        "git_http_url": repo.clone_url, "git_ssh_url": repo.clone_url, "visibility_level": 0,
    }  # fmt: skip


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
