"""GitHub's events: what happened in a repository, in GitHub's words.

Pure but for reading the Git repository. https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

from __future__ import annotations

from deployer.sandbox.forge.apps import EVENTS, App
from deployer.sandbox.forge.checks import Button, CheckRun
from deployer.sandbox.forge.comments import Comment
from deployer.sandbox.forge.events import Did, Event, Push, new_commits
from deployer.sandbox.forge.github import check_shapes, comment_shapes, shapes
from deployer.sandbox.forge.github.shapes import Json
from deployer.sandbox.forge.repositories import PullRequest, Repository
from deployer.sandbox.forge.webhooks import Webhook

_ACTIONS = {Did.UPDATED: "synchronize", Did.MERGED: "closed"}


def ping(repo: Repository, webhook: Webhook) -> Event:
    """The first event to a new webhook."""
    hook = {
        "type": "Repository", "id": webhook.id, "name": "web", "active": True, "events": list(EVENTS),
        "config": {"content_type": "json", "insecure_ssl": "0", "url": webhook.url, "secret": "********"},
    }  # fmt: skip
    body = {"zen": "Practicality beats purity.", "hook_id": webhook.id, "hook": hook}
    return Event("ping", body | {"repository": shapes.repository(repo)})


def pushed(repo: Repository, push: Push) -> Event:
    """A branch that was pushed to."""
    commits = [shapes.pushed_commit(repo, one) for one in new_commits(repo, push)]
    url = f"{repo.url}/compare/{push.before[:12]}...{push.after[:12]}"
    return Event("push", {
        "ref": f"refs/heads/{push.branch}", "before": push.before, "after": push.after, "base_ref": None,
        "created": push.created, "deleted": False, "forced": False, "compare": url, "commits": commits,
        "head_commit": commits[-1], "pusher": {"name": push.pusher, "email": None}, **_where(repo, push.pusher),
    })  # fmt: skip


def pull_request(repo: Repository, pull: PullRequest, did: Did, *, by: str, before: str | None) -> Event:
    """What became of a pull request; `before` is its head before it was pushed to."""
    moved = {"before": before, "after": pull.head} if before else {}
    return Event("pull_request", {
        "action": _ACTIONS.get(did, did.value), "number": pull.number, **moved,
        "pull_request": shapes.pull_request(repo, pull), **_where(repo, by),
    })  # fmt: skip


def commented(repo: Repository, pull: PullRequest, comment: Comment, *, before: str | None) -> Event:
    """Something that was said on a pull request; `before` is what it said before it was edited."""
    edited = {"changes": {"body": {"from": before}}} if before is not None else {}
    return Event("issue_comment", {
        "action": "edited" if edited else "created", **edited, "issue": comment_shapes.issue(repo, pull),
        "comment": comment_shapes.comment(repo, comment), **_where(repo, comment.author),
    })  # fmt: skip


def check_run(repo: Repository, run: CheckRun, *, by: str, button: Button | None) -> Event:
    """Somebody asks for a check run again, or pressed one of its buttons."""
    asked: Json = {"requested_action": {"identifier": button.identifier}} if button else {}
    return Event("check_run", {
        "action": "requested_action" if button else "rerequested", **asked,
        "check_run": check_shapes.check_run(repo, run), **_where(repo, by),
    })  # fmt: skip


def check_suite(repo: Repository, commit: str, app: App, *, by: str) -> Event:
    """Somebody asks for all check runs of an App on a commit again."""
    suite = check_shapes.check_suite(repo, commit, app)
    return Event("check_suite", {"action": "rerequested", "check_suite": suite, **_where(repo, by)})


def _where(repo: Repository, by: str) -> Json:
    """What every event says: in which repository, and who did it."""
    url = f"{repo.forge_url}{shapes.API}/orgs/{repo.owner}"
    account = shapes.user(repo.owner, repo.forge_url)
    organization = {"login": repo.owner, "id": account["id"], "node_id": account["node_id"], "url": url}
    sender = shapes.user(by, repo.forge_url)
    return {"repository": shapes.repository(repo), "organization": organization, "sender": sender}
