"""GitLab's events: what happened in a project, in GitLab's words.

Pure but for reading the Git repository. https://docs.gitlab.com/user/project/integrations/webhook_events/
"""

from __future__ import annotations

from deployer.sandbox.forge.comments import Comment
from deployer.sandbox.forge.events import Did, Event, Push, new_commits
from deployer.sandbox.forge.gitlab import note_shapes, shapes
from deployer.sandbox.forge.gitlab.shapes import Json
from deployer.sandbox.forge.repositories import PullRequest, Repository

_ACTIONS = {
    Did.OPENED: "open",
    Did.UPDATED: "update",
    Did.REOPENED: "reopen",
    Did.CLOSED: "close",
    Did.MERGED: "merge",
}
_STATES = {Did.REOPENED: (2, 1), Did.CLOSED: (1, 2), Did.MERGED: (1, 3)}
"""Numbers of the states before and after."""


def pushed(repo: Repository, push: Push) -> Event:
    """A branch that was pushed to."""
    commits = [shapes.hook_commit(repo, one) for one in new_commits(repo, push)]
    who = shapes.hook_user(push.pusher)
    return Event("Push Hook", {
        "object_kind": "push", "event_name": "push", "before": push.before, "after": push.after,
        "ref": f"refs/heads/{push.branch}", "ref_protected": push.branch == repo.branch, "checkout_sha": push.after,
        "message": None, **{f"user_{key}": who[key] for key in ("id", "name", "username", "email")},
        "user_avatar": None, "project_id": repo.id, "project": shapes.hook_project(repo), "commits": commits,
        "total_commits_count": len(commits), "push_options": {}, "repository": _repository(repo),
    })  # fmt: skip


def merge_request(repo: Repository, pull: PullRequest, did: Did, *, by: str, before: str | None) -> Event:
    """What became of a merge request; `before` is its head before it was pushed to."""
    attributes = {**shapes.hook_merge_request(repo, pull), "action": _ACTIONS[did]}
    previous, current = _STATES.get(did, (1, 1))
    changes = {"state_id": {"previous": previous, "current": current}} if previous != current else {}
    return Event("Merge Request Hook", {
        "object_kind": "merge_request", "event_type": "merge_request", "user": shapes.hook_user(by),
        "project": shapes.hook_project(repo), "repository": _repository(repo), "labels": [],
        "object_attributes": attributes | ({"oldrev": before} if before else {}), "changes": changes,
    })  # fmt: skip


def noted(repo: Repository, pull: PullRequest, comment: Comment, *, before: str | None) -> Event:
    """Something that was said on a merge request; `before` is what it said before it was edited."""
    attributes = {**note_shapes.hook_note(repo, pull, comment), "action": "create" if before is None else "update"}
    return Event("Note Hook", {
        "object_kind": "note", "event_type": "note", "user": shapes.hook_user(comment.author), "project_id": repo.id,
        "project": shapes.hook_project(repo), "object_attributes": attributes, "repository": _repository(repo),
        "merge_request": shapes.hook_merge_request(repo, pull),
    })  # fmt: skip


def _repository(repo: Repository) -> Json:
    return {
        "name": repo.name.rpartition("/")[2], "url": repo.clone_url, "description": "", "homepage": repo.url,
        "git_http_url": repo.clone_url, "git_ssh_url": repo.clone_url, "visibility_level": 0,
    }  # fmt: skip
