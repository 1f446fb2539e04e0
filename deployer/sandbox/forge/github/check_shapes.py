"""What GitHub's REST API and webhooks call checks and the Apps that make them, as JSON values.

Pure but for reading the Git repository.
"""

from __future__ import annotations

from deployer.sandbox.forge.apps import EVENTS, PERMISSIONS, App, Grant, Installation
from deployer.sandbox.forge.checks import Annotation, CheckRun
from deployer.sandbox.forge.github.shapes import API, Json, api_url, brief_commit, node, timestamp, user
from deployer.sandbox.forge.people import number_of
from deployer.sandbox.forge.repositories import Repository

_OWNER = "acme"
"""Who made the Apps; nobody asks."""


def app(one: App, forge_url: str) -> Json:
    """A GitHub App."""
    made = timestamp(one.created_at)
    return {
        "id": one.id, "slug": one.slug, "node_id": node("App", one.id), "owner": user(_OWNER, forge_url),
        "name": one.slug, "description": "", "external_url": forge_url, "html_url": f"{forge_url}/apps/{one.slug}",
        "created_at": made, "updated_at": made, "permissions": dict(PERMISSIONS), "events": list(EVENTS),
    }  # fmt: skip


def installation(one: Installation, forge_url: str) -> Json:
    """An App on an account."""
    url, made = f"{forge_url}{API}", timestamp(one.app.created_at)
    return {
        "id": one.id, "account": user(one.account, forge_url), "app_id": one.app.id, "app_slug": one.app.slug,
        "target_id": number_of(one.account), "target_type": "Organization", "repository_selection": "all",
        "access_tokens_url": f"{url}/app/installations/{one.id}/access_tokens",
        "repositories_url": f"{url}/installation/repositories",
        "html_url": f"{forge_url}/organizations/{one.account}/settings/installations/{one.id}",
        "permissions": dict(PERMISSIONS), "events": list(EVENTS), "created_at": made, "updated_at": made,
        "single_file_name": None, "suspended_by": None, "suspended_at": None,
    }  # fmt: skip


def token(secret: str, grant: Grant) -> Json:
    """A new token, shown this once."""
    return {
        "token": secret, "expires_at": timestamp(grant.expires_at), "permissions": dict(grant.permissions),
        "repository_selection": "all",
    }  # fmt: skip


def check_run(repo: Repository, one: CheckRun) -> Json:
    """A check run, without its annotations, which have a list of their own."""
    url = f"{api_url(repo)}/check-runs/{one.id}"
    output = one.output
    return {
        "id": one.id, "node_id": node("CheckRun", one.id), "name": one.name, "head_sha": one.commit,
        "external_id": one.external_id, "url": url, "html_url": f"{repo.url}/runs/{one.id}",
        "details_url": one.details_url or f"{repo.url}/runs/{one.id}", "status": one.status,
        "conclusion": one.conclusion, "started_at": timestamp(one.started_at),
        "completed_at": timestamp(one.completed_at) if one.completed_at else None,
        "output": {
            "title": output.title if output else None, "summary": output.summary if output else None,
            "text": output.text if output else None, "annotations_count": len(output.annotations) if output else 0,
            "annotations_url": f"{url}/annotations",
        },
        "check_suite": {"id": _suite_id(one.commit, one.app)}, "app": app(one.app, repo.forge_url),
        "pull_requests": _pull_requests(repo, one.commit),
    }  # fmt: skip


def check_suite(repo: Repository, commit: str, made_by: App) -> Json:
    """All check runs of an App on a commit."""
    number = _suite_id(commit, made_by)
    runs = [one for one in repo.checks.latest(commit) if one.app == made_by]
    over = all(one.over for one in runs)
    failed = any(one.conclusion not in ("success", "neutral", "skipped") for one in runs)
    branch = next((one.branch for one in repo.all_pull_requests() if one.head == commit), repo.branch)
    return {
        "id": number, "node_id": node("CheckSuite", number), "head_branch": branch, "head_sha": commit,
        "head_commit": brief_commit(repo.git.show(commit)),
        "status": "completed" if over else "in_progress",
        "conclusion": ("failure" if failed else "success") if over else None,
        "url": f"{api_url(repo)}/check-suites/{number}", "before": None, "after": commit,
        "pull_requests": _pull_requests(repo, commit), "app": app(made_by, repo.forge_url),
        "created_at": timestamp(min(one.started_at for one in runs)),
        "updated_at": timestamp(max(one.completed_at or one.started_at for one in runs)),
        "latest_check_runs_count": len(runs), "check_runs_url": f"{api_url(repo)}/check-suites/{number}/check-runs",
    }  # fmt: skip


def annotation(repo: Repository, commit: str, one: Annotation) -> Json:
    """Something that is said about lines of a file."""
    return {
        "path": one.path, "blob_href": f"{repo.url}/blob/{commit}/{one.path}", "start_line": one.start_line,
        "end_line": one.end_line, "start_column": None, "end_column": None, "annotation_level": one.level,
        "title": one.title, "message": one.message, "raw_details": None,
    }  # fmt: skip


def _suite_id(commit: str, made_by: App) -> int:
    return number_of(f"{made_by.id}:{commit}")


def _pull_requests(repo: Repository, commit: str) -> list[Json]:
    """Those of the repository itself whose head this is; not those from forks."""
    here = {"id": repo.id, "url": api_url(repo), "name": repo.name.partition("/")[2]}
    return [
        {
            "url": f"{api_url(repo)}/pulls/{one.number}", "id": repo.id * 1000 + one.number, "number": one.number,
            "head": {"ref": one.branch, "sha": one.head, "repo": here},
            "base": {"ref": one.base, "sha": one.fork_point, "repo": here},
        }
        for one in repo.open_pull_requests()
        if one.head == commit and one.fork is None
    ]  # fmt: skip
