"""What GitHub's REST API and webhooks call comments and what they are on, as JSON values. Pure.

A pull request is also an issue there, and what is said on it is an issue's comment.
"""

from __future__ import annotations

from collections import Counter

from deployer.model import ForgeKind
from deployer.sandbox.forge.comments import SIGNS, Comment, Reaction
from deployer.sandbox.forge.github import check_shapes
from deployer.sandbox.forge.github.shapes import Json, api_url, node, timestamp, user
from deployer.sandbox.forge.repositories import PullRequest, Repository


def issue(repo: Repository, pull: PullRequest) -> Json:
    """A pull request as the issue that it also is."""
    url, page = api_url(repo), f"{repo.url}/pull/{pull.number}"
    merged_at = timestamp(pull.landing.at) if pull.landing else None
    closed_at = timestamp(pull.closed_at) if pull.closed_at else merged_at
    return {
        "id": repo.id * 1000 + pull.number, "node_id": node("Issue", f"{repo.id}:{pull.number}"),
        "number": pull.number, "title": pull.title, "user": user(pull.author, repo.forge_url), "body": None,
        "url": f"{url}/issues/{pull.number}", "html_url": page, "repository_url": url,
        "comments_url": f"{url}/issues/{pull.number}/comments", "state": "open" if pull.open else "closed",
        "state_reason": None, "locked": False, "active_lock_reason": None, "labels": [], "assignee": None,
        "assignees": [], "milestone": None, "comments": len(repo.comments.on(pull.number)), "draft": False,
        "author_association": "MEMBER", "created_at": timestamp(pull.created_at),
        "updated_at": closed_at or timestamp(pull.created_at), "closed_at": closed_at,
        "pull_request": {
            "url": f"{url}/pulls/{pull.number}", "html_url": page, "diff_url": f"{page}.diff",
            "patch_url": f"{page}.patch", "merged_at": merged_at,
        },
    }  # fmt: skip


def comment(repo: Repository, one: Comment) -> Json:
    """Something that was said on a pull request."""
    url, page = api_url(repo), f"{repo.url}/pull/{one.number}"
    return {
        "id": one.id, "node_id": node("IssueComment", one.id), "url": f"{url}/issues/comments/{one.id}",
        "html_url": f"{page}#issuecomment-{one.id}", "issue_url": f"{url}/issues/{one.number}",
        "user": user(one.author, repo.forge_url), "body": one.body, "author_association": "MEMBER",
        "created_at": timestamp(one.created_at), "updated_at": timestamp(one.updated_at),
        "reactions": _rollup(f"{url}/issues/comments/{one.id}/reactions", one),
        "performed_via_github_app": check_shapes.app(one.app, repo.forge_url) if one.app else None,
    }  # fmt: skip


def reaction(repo: Repository, one: Reaction) -> Json:
    """A sign on a comment."""
    return {
        "id": one.id, "node_id": node("Reaction", one.id), "user": user(one.by, repo.forge_url), "content": one.name,
        "created_at": timestamp(one.created_at),
    }  # fmt: skip


def _rollup(url: str, one: Comment) -> Json:
    counts = Counter(each.name for each in one.reactions)
    return {"url": url, "total_count": counts.total(), **{name: counts[name] for name in SIGNS[ForgeKind.GITHUB]}}
