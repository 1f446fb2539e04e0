"""What moves a branch: a push, and the life of a pull request.

Everything that must happen together happens here, under the repository's lock: the commit, the record, the events.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from deployer.model import ForgeKind
from deployer.sandbox.forge.events import Did, Event, Push
from deployer.sandbox.forge.git import NO_COMMIT, Changes, MergeMethod
from deployer.sandbox.forge.github import events as github
from deployer.sandbox.forge.gitlab import events as gitlab
from deployer.sandbox.forge.hosting import Hosting
from deployer.sandbox.forge.refusal import HeadMoved, Invalid, NotMergeable, Refused
from deployer.sandbox.forge.repositories import Landing, PullRequest, Repository


@dataclass(frozen=True, slots=True)
class Proposal:
    """A pull request that is to be opened."""

    title: str
    branch: str
    changes: Changes
    author: str
    forked: bool = False
    """Whether its branch is in a repository of its author's own."""


@dataclass(frozen=True, slots=True)
class Step:
    """One commit that is to be made."""

    changes: Changes
    message: str
    author: str


@dataclass(frozen=True, slots=True)
class Terms:
    """Who merges a pull request, and how."""

    by: str
    method: MergeMethod = MergeMethod.MERGE
    title: str | None = None
    """First line of the new commit; the forge's own words if there is none."""
    expected_head: str | None = None
    """Merge only while this is the head of the pull request."""


def propose(hosting: Hosting, repo: Repository, proposal: Proposal) -> PullRequest:
    """Commit the changes to a new branch and propose to merge it into the repository's own. Raises Invalid."""
    with repo.lock:
        pull = _first(repo, proposal)
        repo.pull_requests[pull.number] = pull
        opened = partial(_changed, repo, pull, Did.OPENED, by=pull.author)
        created = Push(pull.branch, before=NO_COMMIT, after=pull.head, pusher=pull.author)
        hosting.tell(repo, *([] if pull.fork else [partial(_pushed, repo, created)]), opened)
        return pull


def push(hosting: Hosting, repo: Repository, branch: str, step: Step) -> str:
    """Commit right onto a branch that is there; give the commit. Its open pull requests follow it.

    Raises:
        NotFound: no such branch.
        Invalid: a path leaves the repository.
    """
    with repo.lock:
        before = repo.git.tip(branch)
        after = repo.git.commit(branch, step.changes, message=step.message, author=step.author, parent=before)
        following = [one for one in repo.open_pull_requests() if (one.branch, one.fork) == (branch, None)]
        updated = [_follow(repo, one, after, by=step.author) for one in following]
        hosting.tell(repo, partial(_pushed, repo, Push(branch, before, after, pusher=step.author)), *updated)
        return after


def push_to(hosting: Hosting, repo: Repository, number: int, step: Step) -> str:
    """Commit onto the branch of an open pull request, wherever that is; give the commit. Raises NotFound, Refused."""
    with repo.lock:
        pull = _still_open(repo, number)
        if pull.fork is None:
            return push(hosting, repo, pull.branch, step)
        reference = _reference(repo.kind, number)
        after = repo.git.commit_to(reference, step.changes, message=step.message, author=step.author, parent=pull.head)
        hosting.tell(repo, _follow(repo, pull, after, by=step.author))
        return after


def rewrite(hosting: Hosting, repo: Repository, number: int, step: Step) -> str:
    """Put one commit on top of the base in place of all that an open pull request brings in, as a forced push does.

    Gives the commit. Raises NotFound, Refused.
    """
    with repo.lock:
        pull = _still_open(repo, number)
        reference = _reference(repo.kind, number) if pull.fork else f"refs/heads/{pull.branch}"
        base = repo.git.tip(pull.base)
        repo.git.point(reference, base)
        after = repo.git.commit_to(reference, step.changes, message=step.message, author=step.author, parent=base)
        pushed = partial(_pushed, repo, Push(pull.branch, pull.head, after, pusher=step.author))
        hosting.tell(repo, *([] if pull.fork else [pushed]), _follow(repo, pull, after, by=step.author))
        return after


def close(hosting: Hosting, repo: Repository, number: int, *, by: str) -> None:
    """Give up a pull request. Raises NotFound, Refused."""
    with repo.lock:
        pull = replace(_still_open(repo, number), closed_at=datetime.now(UTC))
        repo.pull_requests[number] = pull
        hosting.tell(repo, partial(_changed, repo, pull, Did.CLOSED, by=by))


def reopen(hosting: Hosting, repo: Repository, number: int, *, by: str) -> None:
    """Take up a pull request that was given up. Raises NotFound, Refused."""
    with repo.lock:
        pull = repo.pull_request(number)
        if pull.open or pull.merged:
            raise Refused(f"pull request {number} is not closed")
        pull = repo.pull_requests[number] = replace(pull, closed_at=None)
        hosting.tell(repo, partial(_changed, repo, pull, Did.REOPENED, by=by))


def merge(hosting: Hosting, repo: Repository, number: int, terms: Terms) -> Landing:
    """Merge a pull request for real and send the events of that.

    Raises:
        NotFound: no such pull request.
        NotMergeable: it is merged or closed already, or conflicts with its base.
        HeadMoved: its head is not the expected one.
    """
    with repo.lock:
        pull = repo.pull_request(number)
        if not pull.open:
            raise NotMergeable(f"pull request {number} is {'merged' if pull.merged else 'closed'} already")
        if terms.expected_head not in (None, pull.head):
            raise HeadMoved(pull.head)
        message = terms.title or _message(repo, pull, terms.method)
        moved = repo.git.merge(pull.base, pull.head, method=terms.method, message=message, author=terms.by)
        landing = Landing(moved.after, moved.before, terms.method, terms.by, at=datetime.now(UTC))
        pull = repo.pull_requests[number] = replace(pull, landing=landing)
        pushed = partial(_pushed, repo, Push(pull.base, moved.before, moved.after, pusher=terms.by))
        hosting.tell(repo, partial(_changed, repo, pull, Did.MERGED, by=terms.by), pushed)
        return landing


def _first(repo: Repository, proposal: Proposal) -> PullRequest:
    """The new pull request, with its first commit made."""
    number, base = len(repo.pull_requests) + 1, repo.git.tip(repo.branch)
    reference, title, author = _reference(repo.kind, number), proposal.title, proposal.author
    if proposal.forked:
        head = repo.git.commit_to(reference, proposal.changes, message=title, author=author, parent=base)
    elif repo.git.has_branch(proposal.branch):
        raise Invalid("branch", f"is there already: {proposal.branch!r}")
    else:
        head = repo.git.commit(proposal.branch, proposal.changes, message=title, author=author, parent=base)
        repo.git.point(reference, head)
    fork = f"{author}/{repo.name.rpartition('/')[2]}" if proposal.forked else None
    return PullRequest(
        number, title, proposal.branch, repo.branch, head, base, author, created_at=datetime.now(UTC), fork=fork
    )


def _follow(repo: Repository, pull: PullRequest, head: str, *, by: str) -> Callable[[], Event]:
    """Let a pull request be at its new head; give what is to be told of that."""
    repo.git.point(_reference(repo.kind, pull.number), head)
    moved = repo.pull_requests[pull.number] = replace(pull, head=head)
    return partial(_changed, repo, moved, Did.UPDATED, by=by, before=pull.head)


def _still_open(repo: Repository, number: int) -> PullRequest:
    pull = repo.pull_request(number)
    if not pull.open:
        raise Refused(f"pull request {number} is {'merged' if pull.merged else 'closed'}")
    return pull


def _pushed(repo: Repository, moved: Push) -> Event:
    return github.pushed(repo, moved) if repo.kind is ForgeKind.GITHUB else gitlab.pushed(repo, moved)


def _changed(repo: Repository, pull: PullRequest, did: Did, *, by: str, before: str | None = None) -> Event:
    worded = github.pull_request if repo.kind is ForgeKind.GITHUB else gitlab.merge_request
    return worded(repo, pull, did, by=by, before=before)


def _reference(kind: ForgeKind, number: int) -> str:
    return f"refs/pull/{number}/head" if kind is ForgeKind.GITHUB else f"refs/merge-requests/{number}/head"


def _message(repo: Repository, pull: PullRequest, method: MergeMethod) -> str:
    """The words that each forge puts on a merge by itself."""
    mark = "#" if repo.kind is ForgeKind.GITHUB else "!"
    if method is MergeMethod.SQUASH:
        return f"{pull.title} ({mark}{pull.number})"
    if repo.kind is ForgeKind.GITHUB:
        owner = (pull.fork or repo.name).partition("/")[0]
        return f"Merge pull request #{pull.number} from {owner}/{pull.branch}\n\n{pull.title}"
    what = f"Merge branch '{pull.branch}' into '{pull.base}'"
    return f"{what}\n\n{pull.title}\n\nSee merge request {repo.name}!{pull.number}"
