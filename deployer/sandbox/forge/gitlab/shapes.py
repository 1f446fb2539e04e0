"""What GitLab's REST API and webhooks call things: projects, commits, merge requests, statuses as JSON values.

Pure but for reading the Git repository. The shapes are those of https://docs.gitlab.com/api/ and
https://docs.gitlab.com/user/project/integrations/webhook_events/, without the fields that are null for everyone here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from deployer.sandbox.forge import git
from deployer.sandbox.forge.git import MergeMethod
from deployer.sandbox.forge.people import number_of
from deployer.sandbox.forge.repositories import PullRequest, Repository
from deployer.sandbox.forge.statuses import Status

API = "/api/v4"

Json = Mapping[str, object]

_STATE_IDS = {"opened": 1, "closed": 2, "merged": 3}


def timestamp(time: datetime) -> str:
    """As GitLab's API writes times: UTC, to the millisecond."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def user(login: str, forge_url: str) -> Json:
    """Someone with an account, as the API has it; everybody has one here."""
    return {
        "id": number_of(login), "username": login, "name": login, "state": "active", "locked": False,
        "avatar_url": None, "web_url": f"{forge_url}/{login}",
    }  # fmt: skip


def project(repo: Repository) -> Json:
    """A project as the API has it."""
    namespace, _, name = repo.name.rpartition("/")
    return {
        "id": repo.id, "name": name, "path": name, "path_with_namespace": repo.name, "name_with_namespace": repo.name,
        "description": "A project of the sandbox forge, for trying and testing only", "web_url": repo.url,
        "default_branch": repo.branch, "created_at": timestamp(repo.created_at), "visibility": "private",
        "http_url_to_repo": repo.clone_url, "ssh_url_to_repo": repo.clone_url, "readme_url": None, "avatar_url": None,
        "namespace": {
            "id": repo.id, "name": namespace, "path": namespace.rpartition("/")[2], "kind": "group",
            "full_path": namespace, "parent_id": None, "web_url": f"{repo.forge_url}/{namespace}",
        },
        "archived": False, "merge_method": "merge", "squash_option": "default_off", "merge_requests_enabled": True,
        "_links": {"self": f"{repo.forge_url}{API}/projects/{repo.id}"},
    }  # fmt: skip


def commit(repo: Repository, one: git.Commit) -> Json:
    """A commit as `GET …/repository/commits/:sha` gives it."""
    return {
        "id": one.sha, "short_id": one.sha[:8], "title": one.title, "message": one.message,
        "parent_ids": list(one.parents), "created_at": timestamp(one.time), "author_name": one.author,
        "author_email": one.email, "authored_date": timestamp(one.time), "committer_name": one.author,
        "committer_email": one.email, "committed_date": timestamp(one.time), "web_url": f"{repo.url}/commit/{one.sha}",
        "project_id": repo.id,
    }  # fmt: skip


def status(repo: Repository, one: Status) -> Json:
    """One commit status."""
    finished = one.state not in ("pending", "running")
    return {
        "id": one.id, "sha": one.commit, "ref": one.ref, "status": one.state, "name": one.context,
        "target_url": one.target_url, "description": one.description, "created_at": timestamp(one.created_at),
        "started_at": None if one.state == "pending" else timestamp(one.updated_at),
        "finished_at": timestamp(one.updated_at) if finished else None, "allow_failure": False, "coverage": None,
        "author": user(one.creator, repo.forge_url),
    }  # fmt: skip


def merge_request(repo: Repository, one: PullRequest) -> Json:
    """A merge request as the API has it."""
    landed = one.landing
    return {
        "id": repo.id * 1000 + one.number, "iid": one.number, "project_id": repo.id, "title": one.title,
        "description": "", "state": _state(one), "created_at": timestamp(one.created_at),
        "updated_at": timestamp(landed.at if landed else one.created_at),
        "merged_at": timestamp(landed.at) if landed else None,
        "merge_user": user(landed.by, repo.forge_url) if landed else None, "source_branch": one.branch,
        "target_branch": one.base, "source_project_id": _source(repo, one), "target_project_id": repo.id,
        "author": user(one.author, repo.forge_url), "assignee": None, "assignees": [], "reviewers": [], "labels": [],
        "draft": False, "merge_status": "can_be_merged",
        "detailed_merge_status": "mergeable" if one.open else "not_open",
        "sha": one.head, **_result(one), "web_url": f"{repo.url}/pull/{one.number}",
        "references": {"short": f"!{one.number}", "full": f"{repo.name}!{one.number}"},
        "diff_refs": {"base_sha": one.fork_point, "head_sha": one.head, "start_sha": one.fork_point},
    }  # fmt: skip


def hook_user(login: str) -> Json:
    """Someone as a webhook has them."""
    return {
        "id": number_of(login), "name": login, "username": login, "avatar_url": None,
        "email": "[REDACTED]",
    }  # fmt: skip


def hook_project(repo: Repository) -> Json:
    """A project as a webhook has it."""
    namespace, _, name = repo.name.rpartition("/")
    return {
        "id": repo.id, "name": name, "description": "", "web_url": repo.url, "avatar_url": None,
        "git_ssh_url": repo.clone_url, "git_http_url": repo.clone_url, "namespace": namespace, "visibility_level": 0,
        "path_with_namespace": repo.name, "default_branch": repo.branch, "ci_config_path": None, "homepage": repo.url,
        "url": repo.clone_url, "ssh_url": repo.clone_url, "http_url": repo.clone_url,
    }  # fmt: skip


def hook_commit(repo: Repository, one: git.Commit) -> Json:
    """A commit as the push hook has it."""
    touched = repo.git.touched(one.parents[0] if one.parents else None, one.sha)
    return {
        **_brief(repo, one), "added": list(touched.added), "modified": list(touched.modified),
        "removed": list(touched.removed),
    }  # fmt: skip


def hook_merge_request(repo: Repository, one: PullRequest) -> Json:
    """A merge request as a webhook has it."""
    landed = one.landing
    here = hook_project(repo)
    return {
        "id": repo.id * 1000 + one.number, "iid": one.number, "title": one.title, "description": "",
        "state": _state(one), "state_id": _STATE_IDS[_state(one)], "source_branch": one.branch,
        "target_branch": one.base, "source_project_id": _source(repo, one), "target_project_id": repo.id,
        "source": here, "target": here, "author_id": number_of(one.author), "assignee_id": None, "assignee_ids": [],
        "reviewer_ids": [], "labels": [], "created_at": timestamp(one.created_at),
        "updated_at": timestamp(landed.at if landed else one.created_at), "draft": False, "work_in_progress": False,
        "merge_status": "can_be_merged", "detailed_merge_status": "mergeable" if one.open else "not_open",
        "merge_error": None, "merge_when_pipeline_succeeds": False, "milestone_id": None,
        **_result(one), "last_commit": _brief(repo, repo.git.show(one.head)), "url": f"{repo.url}/pull/{one.number}",
        "blocking_discussions_resolved": True, "first_contribution": False, "time_estimate": 0, "total_time_spent": 0,
    }  # fmt: skip


def _brief(repo: Repository, one: git.Commit) -> Json:
    return {
        "id": one.sha, "message": one.message, "title": one.title, "timestamp": one.time.isoformat(),
        "url": f"{repo.url}/commit/{one.sha}", "author": {"name": one.author, "email": one.email},
    }  # fmt: skip


def _state(one: PullRequest) -> str:
    return "merged" if one.merged else "opened" if one.open else "closed"


def _source(repo: Repository, one: PullRequest) -> int:
    """The number of the project that the branch is in."""
    return number_of(one.fork) if one.fork else repo.id


def _result(one: PullRequest) -> Json:
    """Which commit came of a merge: each method has its own field, and a fast-forward has none."""
    commit = one.landing.commit if one.landing else None
    method = one.landing.method if one.landing else None
    return {
        "squash": method is MergeMethod.SQUASH,
        "merge_commit_sha": commit if method is MergeMethod.MERGE else None,
        "squash_commit_sha": commit if method is MergeMethod.SQUASH else None,
    }
