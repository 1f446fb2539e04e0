"""Runs the deployments of one environment, one at a time, the newest only; the others end as superseded by it.

This is the one place where a failure becomes an outcome. A deployment leaves its environment's queue only with a final
state, so a worker that dies anywhere in here leaves it for the next one.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from datetime import timedelta

import structlog
from rq.timeouts import JobTimeoutException

from deployer.forges import report
from deployer.model import ON_ITS_WAY, Deployment, Environment, EnvironmentKey, Failure, Stage, State, Temporary
from deployer.pipeline import Pipeline
from deployer.planning import newest, overtaken
from deployer.progress import Progress
from deployer.retries import DEPLOYMENTS
from deployer.settings import SettingsError, UnknownEnvironment
from deployer.source.mirror import Mirror
from deployer.store.leases import Lease, LeaseLost
from jobs.outcome import finish
from jobs.resources import Resources, resources

log = structlog.get_logger()


def deploy(key: str) -> None:
    """Run what is queued for an environment; safe to run any number of times, and at once."""
    deploy_with(resources(), EnvironmentKey.parse(key))


def deploy_with(given: Resources, key: EnvironmentKey) -> None:
    """Run what is queued for an environment with given resources.

    Somebody else who is at it is left to it: whoever lets go of an environment looks at its queue again.
    """
    with given.store.leases.hold(str(key)) as lease:
        if lease is None:
            return
        delay = _run_newest(given, key, lease)
    if given.store.deployments.queued(key):
        given.store.deployments.postpone(key, due=given.clock() + timedelta(seconds=delay))
        given.queues.deploy(key, delay=delay)


def _run_newest(given: Resources, key: EnvironmentKey, lease: Lease) -> float:
    """Run the newest deployment that is queued; seconds to wait before the queue is looked at again."""
    queued = given.store.deployments.queued(key)
    if not queued:
        return 0
    try:
        environment = given.settings.environment(key)
    except UnknownEnvironment as error:
        for deployment in queued:
            finish(given, deployment, State.FAILED, f"{Stage.PLAN}: {error}")
        return 0
    return Turn(given, environment, lease).run(queued)


@dataclass(frozen=True, slots=True)
class Turn:
    """One holder's turn at one environment."""

    given: Resources
    environment: Environment
    lease: Lease

    def run(self, queued: tuple[Deployment, ...]) -> float:
        """Run the newest of `queued` and end the others; seconds to wait before the queue is looked at again."""
        chosen = queued[-1]
        try:
            mirror = self.given.mirror(self.environment)
            if len(queued) > 1:
                mirror.fetch(self.environment.branch)  # which of them is newest shows in an up-to-date mirror only
                chosen = newest(queued, contains=mirror.contains)
            self._supersede(queued, chosen)
            self._deploy(chosen, mirror)
        except LeaseLost:
            log.warning("lease lost", environment=str(self.environment.key), deployment=chosen.id)
        except Failure as failure:
            return self._failed(chosen, failure)
        except SettingsError as error:
            finish(self.given, chosen, State.FAILED, f"settings: {error}")
        except JobTimeoutException:
            finish(self.given, chosen, State.FAILED, "took longer than a deployment may (30 minutes), stopped")
        except Exception as error:
            log.exception("internal error", environment=str(self.environment.key), deployment=chosen.id)
            reason = f"internal error ({type(error).__name__}); the worker's log has the details under {chosen.id}"
            finish(self.given, chosen, State.FAILED, reason)
        return 0

    def _supersede(self, queued: tuple[Deployment, ...], chosen: Deployment) -> None:
        for deployment in queued:
            if deployment.id != chosen.id:
                finish(self.given, deployment, State.SUPERSEDED, f"superseded by {chosen.commit[:12]}")

    def _deploy(self, chosen: Deployment, mirror: Mirror) -> None:
        mirror.ensure(chosen.commit, branch=self.environment.branch)
        deployed = self._deployed(mirror)
        if reason := overtaken(chosen, deployed=deployed, contains=mirror.contains):
            finish(self.given, chosen, State.SUPERSEDED, reason)
            return
        self.given.store.environments.begin(chosen)
        self.given.store.deployments.advance(chosen, State.RUNNING, ON_ITS_WAY)
        progress = Progress(chosen, store=self.given.store, clock=self.given.clock)
        begun = time.monotonic()
        cluster = self.given.settings.clusters[self.environment.cluster]
        results = Pipeline(self.environment, cluster, mirror, progress, self.lease.check).run(chosen.commit)
        summary = report.summary(results, seconds=time.monotonic() - begun)
        finish(self.given, chosen, State.SUCCEEDED, summary)

    def _deployed(self, mirror: Mirror) -> str | None:
        """The commit that the environment runs, which the mirror then has unless a forced push took it away."""
        deployed = self.given.store.environments.get(self.environment.key).deployed
        if deployed is not None and not mirror.has(deployed):
            mirror.fetch(self.environment.branch)
        return deployed

    def _failed(self, deployment: Deployment, failure: Failure) -> float:
        if isinstance(failure, Temporary):
            attempt = self.given.store.deployments.attempt(deployment)
            delay = DEPLOYMENTS.delay(attempt, failure, dice=random.random)
            if delay is not None:
                waiting = DEPLOYMENTS.announce(attempt, delay, failure)
                self.given.store.deployments.advance(deployment, State.QUEUED, waiting)
                self.given.store.deployments.log(deployment.id, waiting, at=self.given.clock())
                self.given.queues.report(deployment.key, deployment.commit)
                return delay
        finish(self.given, deployment, State.FAILED, report.failure_summary(failure))
        return 0
