"""What GitLab's REST API and webhooks call what is said on a merge request, as JSON values. Pure."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from deployer.sandbox.forge.comments import Comment, Reaction
from deployer.sandbox.forge.gitlab.shapes import Json, timestamp, user
from deployer.sandbox.forge.people import number_of
from deployer.sandbox.forge.repositories import PullRequest, Repository


def note(repo: Repository, one: Comment) -> Json:
    """A note as the API has it."""
    return {
        "id": one.id, "type": None, "body": one.body, "author": user(one.author, repo.forge_url), "system": False,
        "created_at": timestamp(one.created_at), "updated_at": timestamp(one.updated_at),
        "noteable_id": repo.id * 1000 + one.number, "noteable_type": "MergeRequest", "noteable_iid": one.number,
        "project_id": repo.id, "resolvable": False, "confidential": False, "internal": False, "imported": False,
    }  # fmt: skip


def award(repo: Repository, of: Comment, one: Reaction) -> Json:
    """A sign on a note."""
    made = timestamp(one.created_at)
    return {
        "id": one.id, "name": one.name, "user": user(one.by, repo.forge_url), "created_at": made, "updated_at": made,
        "awardable_id": of.id, "awardable_type": "Note", "url": None,
    }  # fmt: skip


def hook_note(repo: Repository, pull: PullRequest, one: Comment) -> Json:
    """The `object_attributes` of a note hook."""
    return {
        "id": one.id, "note": one.body, "description": one.body, "noteable_type": "MergeRequest",
        "noteable_id": repo.id * 1000 + pull.number, "author_id": number_of(one.author), "project_id": repo.id,
        "created_at": _hook_time(one.created_at), "updated_at": _hook_time(one.updated_at), "updated_by_id": None,
        "discussion_id": hashlib.sha1(f"{repo.id}:{one.id}".encode(), usedforsecurity=False).hexdigest(),
        "url": f"{repo.url}/pull/{pull.number}#note_{one.id}", "system": False, "internal": False, "type": None,
        "attachment": None, "line_code": None, "commit_id": None, "st_diff": None, "position": None,
        "original_position": None, "change_position": None, "resolved_at": None, "resolved_by_id": None,
    }  # fmt: skip


def _hook_time(time: datetime) -> str:
    """As GitLab's webhooks write the times of a note."""
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
