"""What was deployed where, as each forge keeps it: GitHub a deployment with a list of statuses, GitLab with one state.

Decides only; reading requests and writing answers is up to the two APIs.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field, replace
from datetime import datetime

from deployer.sandbox.forge.refusal import Invalid, NotFound, TransitionRefused

GITHUB_STATES = ("error", "failure", "inactive", "in_progress", "queued", "pending", "success")
GITLAB_STATES = ("created", "running", "success", "failed", "canceled")
LONGEST_DESCRIPTION = 140

_LOOKS = {"success": "good", "inactive": "stopped", "canceled": "stopped", "failure": "bad", "failed": "bad",
          "error": "bad"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Report:
    """One thing that was said of a deployment."""

    state: str
    description: str = ""
    environment_url: str = ""
    log_url: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """A report, and when and by whom."""

    id: int
    report: Report
    creator: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be deployed where."""

    commit: str
    ref: str
    environment: str
    task: str = "deploy"
    payload: object = ""
    """As the client sent it; GitHub only."""
    description: str = ""
    production: bool = False
    transient: bool = False


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment and all that was said of it, newest last."""

    id: int
    plan: Plan
    creator: str
    created_at: datetime
    statuses: tuple[Status, ...] = ()

    @property
    def commit(self) -> str:
        """What was deployed."""
        return self.plan.commit

    @property
    def environment(self) -> str:
        """Where it was deployed to."""
        return self.plan.environment

    @property
    def state(self) -> str:
        """In the words of the repository's forge."""
        return self.statuses[-1].report.state if self.statuses else "pending"

    @property
    def environment_url(self) -> str:
        """Where what was deployed can be visited, by the last report that said so; empty if none did."""
        return next((one.report.environment_url for one in reversed(self.statuses) if one.report.environment_url), "")

    @property
    def description(self) -> str:
        """What was said of it last."""
        return next((one.report.description for one in reversed(self.statuses) if one.report.description), "")

    @property
    def updated_at(self) -> datetime:
        """When something was said of it last."""
        return self.statuses[-1].created_at if self.statuses else self.created_at

    @property
    def look(self) -> str:
        """How it is shown to people: `good`, `bad`, `waiting` or `stopped`."""
        return _LOOKS.get(self.state, "waiting")


@dataclass(frozen=True, slots=True)
class Environment:
    """A place to deploy to."""

    id: int
    name: str
    external_url: str = ""
    """GitLab's word for where it can be visited."""


@dataclass(slots=True)
class Deployments:
    """The deployments and environments of one repository. Callers hold the repository's lock while they write."""

    environments: dict[str, Environment] = field(default_factory=dict)
    _all: dict[int, Deployment] = field(default_factory=dict)
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def plan(self, plan: Plan, *, creator: str, at: datetime) -> Deployment:
        """Keep a new deployment; its environment is made if it is not there. Raises Invalid."""
        if not plan.environment.strip():
            raise Invalid("environment", "can't be blank")
        self.environments.setdefault(plan.environment, Environment(next(self._ids), plan.environment))
        deployment = Deployment(next(self._ids), plan, creator, at)
        self._all[deployment.id] = deployment
        return deployment

    def add(self, number: int, report: Report, *, creator: str, at: datetime, supersede: bool) -> Status:
        """Keep a report beside those that are there, as GitHub does.

        With `supersede`, a success makes what ran there before inactive, but where users meet it (production) and in
        environments that are gone one day (https://docs.github.com/en/rest/deployments/statuses).

        Raises:
            NotFound: no such deployment.
            Invalid: a field breaks one of GitHub's rules.
        """
        if report.state not in GITHUB_STATES:
            raise Invalid("state", "is not included in the list")
        _check(report)
        deployment = self.get(number)
        if report.state == "success" and supersede:
            self._supersede(deployment, creator, at)
        return self._append(deployment, report, creator, at)

    def move(self, number: int, state: str, *, by: str, at: datetime) -> Deployment:
        """Let a deployment be in another state, as GitLab does.

        https://docs.gitlab.com/api/deployments/#update-a-deployment

        Raises:
            NotFound: no such deployment.
            Invalid: there is no such state.
            TransitionRefused: it is in that state already, or would run again after its end.
        """
        if state not in GITLAB_STATES:
            raise Invalid("status", "does not have a valid value")
        deployment = self.get(number)
        there = deployment.state if deployment.statuses else None
        if state == there or (state in ("created", "running") and there not in (None, "created")):
            raise TransitionRefused(f'cannot transition via "{state}"')
        self._append(deployment, Report(state), by, at)
        return self.get(number)

    def visit_at(self, environment: Environment, url: str) -> Environment:
        """Let an environment's page lead to `url` (GitLab). Raises Invalid."""
        _check(Report("success", environment_url=url))
        changed = self.environments[environment.name] = replace(environment, external_url=url)
        return changed

    def get(self, number: int) -> Deployment:
        """The deployment of that number. Raises NotFound."""
        try:
            return self._all[number]
        except KeyError:
            raise NotFound(f"no deployment {number}") from None

    def all(self) -> tuple[Deployment, ...]:
        """Every deployment, newest first."""
        return tuple(reversed(self._all.values()))

    def of(self, *commits: str) -> tuple[Deployment, ...]:
        """The deployments of some commits, newest first."""
        return tuple(one for one in self.all() if one.commit in commits)

    def _supersede(self, newer: Deployment, creator: str, at: datetime) -> None:
        for one in self.all():
            other = one.id != newer.id and one.environment == newer.environment
            if other and one.state == "success" and not one.plan.production and not one.plan.transient:
                self._append(one, Report("inactive"), creator, at)

    def _append(self, deployment: Deployment, report: Report, creator: str, at: datetime) -> Status:
        status = Status(next(self._ids), report, creator, at)
        self._all[deployment.id] = replace(deployment, statuses=(*deployment.statuses, status))
        return status


def _check(report: Report) -> None:
    if len(report.description) > LONGEST_DESCRIPTION:
        raise Invalid("description", f"is too long (maximum is {LONGEST_DESCRIPTION} characters)")
    for name, url in (("environment_url", report.environment_url), ("log_url", report.log_url)):
        if url and not re.match(r"https?://", url):
            raise Invalid(name, "must use http(s) scheme")
