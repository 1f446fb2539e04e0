"""What GitHub's REST API and webhooks call things: repositories, commits, pull requests, statuses as JSON values.

Pure but for reading the Git repository. The shapes are those of https://docs.github.com/en/rest and
https://docs.github.com/en/webhooks/webhook-events-and-payloads, without the fields that are null for everyone here.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime

from deployer.sandbox.forge import git
from deployer.sandbox.forge.people import number_of
from deployer.sandbox.forge.repositories import PullRequest, Repository
from deployer.sandbox.forge.statuses import Status, combined

API = "/api/v3"

Json = Mapping[str, object]


def timestamp(time: datetime) -> str:
    """As GitHub writes times: UTC, to the second."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def user(login: str, forge_url: str) -> Json:
    """Someone with an account; everybody has one here, and so has every App."""
    number, bot = number_of(login), login.endswith("[bot]")
    url = f"{forge_url}{API}/users/{login}"
    links = ("followers", "subscriptions", "repos", "received_events")
    elsewhere = {
        "events": "/events{/privacy}", "following": "/following{/other_user}", "gists": "/gists{/gist_id}",
        "organizations": "/orgs", "starred": "/starred{/owner}{/repo}",
    }  # fmt: skip
    return {
        "login": login, "id": number, "node_id": node("User", number), "avatar_url": "", "gravatar_id": "",
        "url": url, "html_url": f"{forge_url}/{login}", "type": "Bot" if bot else "User",
        "user_view_type": "public", "site_admin": False,
        **{f"{link}_url": f"{url}/{link}" for link in links},
        **{f"{link}_url": f"{url}{end}" for link, end in elsewhere.items()},
    }  # fmt: skip


def repository(repo: Repository) -> Json:
    """A repository in full."""
    url = api_url(repo)
    return {
        "id": repo.id, "node_id": node("Repository", repo.id), "name": repo.name.partition("/")[2],
        "full_name": repo.name, "owner": user(repo.owner, repo.forge_url), "private": True, "visibility": "private",
        "html_url": repo.url,
        "description": "A repository of the sandbox forge, for trying and testing only", "fork": False, "url": url,
        "git_url": repo.clone_url, "ssh_url": repo.clone_url, "clone_url": repo.clone_url, "svn_url": repo.url,
        "homepage": None, "language": None, "license": None, "mirror_url": None, "topics": [], "size": 0,
        "created_at": timestamp(repo.created_at), "updated_at": timestamp(repo.created_at),
        "pushed_at": timestamp(datetime.now(UTC)), "stargazers_count": 0, "watchers_count": 0, "watchers": 0,
        "forks_count": 0, "forks": 0, "open_issues_count": len(repo.open_pull_requests()),
        "open_issues": len(repo.open_pull_requests()), "has_issues": False, "has_projects": False, "has_wiki": False,
        "has_pages": False, "has_downloads": False, "has_discussions": False, "archived": False, "disabled": False,
        "allow_forking": False, "is_template": False, "web_commit_signoff_required": False,
        "default_branch": repo.branch, "permissions": {"admin": False, "push": True, "pull": True},
        **_links(url),
    }  # fmt: skip


def commit(repo: Repository, one: git.Commit) -> Json:
    """A commit as `GET …/commits/{ref}` gives it, without its files."""
    url = api_url(repo)
    person = {"name": one.author, "email": one.email, "date": timestamp(one.time)}
    return {
        "sha": one.sha, "node_id": node("Commit", one.sha), "url": f"{url}/commits/{one.sha}",
        "html_url": f"{repo.url}/commit/{one.sha}", "comments_url": f"{url}/commits/{one.sha}/comments",
        "author": user(one.author, repo.forge_url), "committer": user(one.author, repo.forge_url),
        "commit": {
            "author": person, "committer": person, "message": one.message, "comment_count": 0,
            "tree": {"sha": one.tree, "url": f"{url}/git/trees/{one.tree}"},
            "url": f"{url}/git/commits/{one.sha}", "verification": {"verified": False, "reason": "unsigned"},
        },
        "parents": [
            {"sha": sha, "url": f"{url}/commits/{sha}", "html_url": f"{repo.url}/commit/{sha}"} for sha in one.parents
        ],
    }  # fmt: skip


def status(repo: Repository, one: Status) -> Json:
    """One commit status."""
    return {
        "url": f"{api_url(repo)}/statuses/{one.commit}", "avatar_url": "", "id": one.id,
        "node_id": node("StatusContext", one.id), "state": one.state, "description": one.description,
        "target_url": one.target_url, "context": one.context, "created_at": timestamp(one.created_at),
        "updated_at": timestamp(one.updated_at), "creator": user(one.creator, repo.forge_url),
    }  # fmt: skip


def combined_status(repo: Repository, sha: str) -> Json:
    """The newest status of each context, and what they come to."""
    latest = repo.statuses.latest(sha)
    url = f"{api_url(repo)}/commits/{sha}"
    return {
        "state": combined(latest), "statuses": [status(repo, one) for one in latest], "sha": sha,
        "total_count": len(latest), "repository": repository(repo), "commit_url": url, "url": f"{url}/status",
    }  # fmt: skip


def pull_request(repo: Repository, one: PullRequest) -> Json:
    """A pull request as a list and a webhook have it."""
    url, number = api_url(repo), one.number
    landed, closed = one.landing, one.landing.at if one.landing else one.closed_at
    return {
        "url": f"{url}/pulls/{number}", "id": repo.id * 1000 + number,
        "node_id": node("PullRequest", f"{repo.id}:{number}"), "html_url": f"{repo.url}/pull/{number}",
        "diff_url": f"{repo.url}/pull/{number}.diff", "patch_url": f"{repo.url}/pull/{number}.patch",
        "issue_url": f"{url}/issues/{number}", "commits_url": f"{url}/pulls/{number}/commits",
        "comments_url": f"{url}/issues/{number}/comments", "statuses_url": f"{url}/statuses/{one.head}",
        "number": number, "state": "open" if one.open else "closed", "locked": False, "title": one.title, "body": None,
        "user": user(one.author, repo.forge_url), "created_at": timestamp(one.created_at),
        "updated_at": timestamp(closed or one.created_at), "closed_at": timestamp(closed) if closed else None,
        "merged_at": timestamp(landed.at) if landed else None, "merge_commit_sha": landed.commit if landed else None,
        "assignee": None, "assignees": [], "requested_reviewers": [], "requested_teams": [], "labels": [],
        "milestone": None, "draft": False, "auto_merge": None, "author_association": "MEMBER",
        "head": {**_end(repo, one.branch, one.head), **(_fork(repo, one.fork, one.branch) if one.fork else {})},
        "base": _end(repo, one.base, landed.before if landed else one.fork_point),
        "merged": bool(landed), "merged_by": user(landed.by, repo.forge_url) if landed else None,
        "comments": len(repo.comments.on(number)), "review_comments": 0, "maintainer_can_modify": False,
        "mergeable": None, "mergeable_state": "unknown", "rebaseable": None,
        "_links": {"self": {"href": f"{url}/pulls/{number}"}, "html": {"href": f"{repo.url}/pull/{number}"}},
    }  # fmt: skip


def brief_commit(one: git.Commit) -> Json:
    """A commit as webhooks have it where they name one."""
    person = {"name": one.author, "email": one.email, "username": one.author}
    return {
        "id": one.sha, "tree_id": one.tree, "message": one.message, "timestamp": one.time.isoformat(),
        "author": person, "committer": person,
    }  # fmt: skip


def pushed_commit(repo: Repository, one: git.Commit) -> Json:
    """A commit as the `push` event has it."""
    touched = repo.git.touched(one.parents[0] if one.parents else None, one.sha)
    return {
        **brief_commit(one), "distinct": True, "url": f"{repo.url}/commit/{one.sha}",
        "added": list(touched.added), "removed": list(touched.removed), "modified": list(touched.modified),
    }  # fmt: skip


def _end(repo: Repository, branch: str, sha: str) -> Json:
    return {
        "label": f"{repo.owner}:{branch}", "ref": branch, "sha": sha, "user": user(repo.owner, repo.forge_url),
        "repo": repository(repo),
    }  # fmt: skip


def _fork(repo: Repository, name: str, branch: str) -> Json:
    """What of a head is different when its branch is in another repository, which is not there to be asked for."""
    owner = user(name.partition("/")[0], repo.forge_url)
    there = {**repository(repo), "id": number_of(name), "full_name": name, "owner": owner, "fork": True}
    return {"label": f"{owner['login']}:{branch}", "user": owner, "repo": there}


def api_url(repo: Repository) -> str:
    """Where the API has a repository."""
    return f"{repo.forge_url}{API}/repos/{repo.name}"


def _links(url: str) -> Json:
    plain = (
        "forks",
        "teams",
        "hooks",
        "events",
        "tags",
        "languages",
        "stargazers",
        "merges",
        "downloads",
        "deployments",
    )
    templated = {
        "statuses": "{sha}", "branches": "{/branch}", "commits": "{/sha}", "pulls": "{/number}", "issues": "{/number}",
        "contents": "{+path}", "compare": "{base}...{head}", "trees": "{/sha}", "keys": "{/key_id}",
    }  # fmt: skip
    links = {f"{name}_url": f"{url}/{name}" for name in plain}
    return links | {
        f"{name}_url": f"{url}/{name}" + (end if end.startswith("{/") else f"/{end}") for name, end in templated.items()
    }


def node(kind: str, number: object) -> str:
    """The name that GraphQL has for something."""
    return base64.b64encode(f"{kind}:{number}".encode()).decode()
