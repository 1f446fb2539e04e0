"""Commit statuses, by the rules of each forge: GitHub keeps every post, GitLab moves one record along its states.

Decides only; reading requests and writing answers is up to the two APIs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from deployer.sandbox.forge.refusal import Invalid, TransitionRefused

GITHUB_STATES = ("error", "failure", "pending", "success")
GITLAB_STATES = ("pending", "running", "success", "failed", "canceled", "skipped")
GITHUB_DESCRIPTION = 140
GITLAB_DESCRIPTION = 255

_ALIVE = ("pending", "running")
_EVENTS = {"pending": "enqueue", "running": "run"}
_LOOKS = {
    "success": "good", "pending": "waiting", "running": "waiting", "canceled": "stopped", "skipped": "stopped",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Status:
    """One status of one commit. `state` is in the words of the repository's forge."""

    id: int
    commit: str
    context: str
    state: str
    description: str | None
    target_url: str | None
    creator: str
    created_at: datetime
    updated_at: datetime
    ref: str | None = None
    """Branch that it was posted for (GitLab)."""

    @property
    def look(self) -> str:
        """How it is shown to people: `good`, `bad`, `waiting` or `stopped`."""
        return _LOOKS.get(self.state, "bad")


@dataclass(frozen=True, slots=True)
class Post:
    """What a client asks to be said about a commit."""

    commit: str
    context: str
    state: str
    description: str | None = None
    target_url: str | None = None
    ref: str | None = None


class Statuses:
    """The statuses of one repository. Callers hold the repository's lock while they write."""

    def __init__(self) -> None:
        self._all: dict[int, Status] = {}

    def add(self, post: Post, *, creator: str, at: datetime) -> Status:
        """Keep a status beside those that are there, as GitHub does.

        Raises:
            Invalid: a field breaks one of GitHub's rules
                (https://docs.github.com/en/rest/commits/statuses#create-a-commit-status).
        """
        if post.state not in GITHUB_STATES:
            raise Invalid("state", "is not included in the list")
        _check(post, longest=GITHUB_DESCRIPTION)
        if any(ord(character) > 0xFFFF for character in post.description or ""):
            raise Invalid("description", "contains unicode characters above 0xffff")
        return self._keep(post, creator=creator, at=at)

    def move(self, post: Post, *, creator: str, at: datetime) -> Status:
        """Move the context's unfinished status to another state, or begin one, as GitLab does.

        A finished status stays as it is; the next post for its context begins a new one.

        Raises:
            Invalid: a field breaks one of GitLab's rules (https://docs.gitlab.com/api/commits/#set-commit-pipeline-status).
            TransitionRefused: it is in that state already, or would go back from running to pending.
        """
        if post.state not in GITLAB_STATES:
            raise Invalid("state", "does not have a valid value")
        _check(post, longest=GITLAB_DESCRIPTION)
        current = next((one for one in self.of(post.commit) if _same(one, post) and one.state in _ALIVE), None)
        if current is None:
            return self._keep(post, creator=creator, at=at)
        if post.state in (current.state, "pending"):
            raise TransitionRefused(_refusal(_EVENTS[post.state], current.state))
        return self._update(current, post, at)

    def of(self, commit: str) -> tuple[Status, ...]:
        """All statuses of a commit, newest first."""
        return tuple(one for one in reversed(list(self._all.values())) if one.commit == commit)

    def latest(self, commit: str) -> tuple[Status, ...]:
        """The newest status of each context, by context."""
        newest = {one.context: one for one in reversed(self.of(commit))}
        return tuple(newest[context] for context in sorted(newest))

    def _keep(self, post: Post, *, creator: str, at: datetime) -> Status:
        status = Status(
            len(self._all) + 1, post.commit, post.context, post.state, post.description, post.target_url,
            creator, created_at=at, updated_at=at, ref=post.ref,
        )  # fmt: skip
        self._all[status.id] = status
        return status

    def _update(self, current: Status, post: Post, at: datetime) -> Status:
        moved = replace(
            current,
            state=post.state,
            description=current.description if post.description is None else post.description,
            target_url=post.target_url or current.target_url,
            updated_at=at,
        )
        self._all[current.id] = moved
        return moved


def combined(latest: Iterable[Status]) -> str:
    """What all contexts of a GitHub commit come to: `failure`, `pending` (also when there are none) or `success`.

    https://docs.github.com/en/rest/commits/statuses#get-the-combined-status-for-a-specific-reference
    """
    states = {status.state for status in latest}
    if states & {"error", "failure"}:
        return "failure"
    return "success" if states == {"success"} else "pending"


def _check(post: Post, *, longest: int) -> None:
    if len(post.description or "") > longest:
        raise Invalid("description", f"is too long (maximum is {longest} characters)")
    if post.target_url and not re.match(r"https?://", post.target_url):
        raise Invalid("target_url", "must use http(s) scheme")
    if len(post.context) > 255:
        raise Invalid("context", "is too long (maximum is 255 characters)")


def _same(status: Status, post: Post) -> bool:
    return (status.context, status.ref) == (post.context, post.ref)


def _refusal(event: str, state: str) -> str:
    return f'Cannot transition status via :{event} from :{state} (Reason(s): Status cannot transition via "{event}")'
