"""What the pages show of a commit: its checks, which are statuses and check runs in one list, and its deployments.

Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from deployer.sandbox.forge.checks import CheckRun
from deployer.sandbox.forge.deployments import Deployment
from deployer.sandbox.forge.repositories import Repository
from deployer.sandbox.forge.statuses import Status


@dataclass(frozen=True, slots=True)
class Check:
    """One line of that list."""

    look: str
    """`good`, `bad`, `waiting` or `stopped`."""
    name: str
    words: str
    url: str | None
    run: CheckRun | None = None
    """All there is to read and press, unless it is a status."""


def checks(repo: Repository, *commits: str) -> tuple[Check, ...]:
    """The checks of some commits, by name; of the first commit that has one of that name."""
    with repo.lock:
        found = {one.name: one for commit in reversed(commits) for one in _of(repo, commit)}
    return tuple(found[name] for name in sorted(found))


@dataclass(frozen=True, slots=True)
class Deployed:
    """One deployment."""

    deployment: Deployment
    url: str
    """Where it can be visited; empty when it cannot, or something else runs there."""


def deployments(repo: Repository, *commits: str) -> tuple[Deployed, ...]:
    """The deployments of some commits, newest first."""
    with repo.lock:
        return tuple(Deployed(one, _url(repo, one)) for one in repo.deployments.of(*commits))


def _url(repo: Repository, one: Deployment) -> str:
    if one.state != "success":
        return ""
    return one.environment_url or repo.deployments.environments[one.environment].external_url


def statuses(repo: Repository, commit: str) -> tuple[Check, ...]:
    """The checks of a commit that are no runs."""
    with repo.lock:
        return tuple(_status(one) for one in repo.statuses.latest(commit))


def _of(repo: Repository, commit: str) -> tuple[Check, ...]:
    return (*statuses(repo, commit), *(_run(repo, one) for one in repo.checks.latest(commit)))


def _status(one: Status) -> Check:
    return Check(one.look, one.context, one.description or one.state, one.target_url)


def _run(repo: Repository, one: CheckRun) -> Check:
    words = one.output.title if one.output else (one.conclusion or one.status).replace("_", " ")
    return Check(one.look, one.name, words, f"/{repo.name}/runs/{one.id}", one)
