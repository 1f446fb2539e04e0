"""Runs the deployments of one environment, one at a time, the newest only; the others end as superseded by it.

This is the one place where a failure becomes an outcome. A deployment leaves its environment's queue only with a final
state, so a worker that dies anywhere in here leaves it for the next one.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import structlog
from redis.exceptions import RedisError
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

DEATHS = 3
"""A deployment that takes its worker along this often is not tried again."""


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
        seen = {deployment.id for deployment in given.store.deployments.queued(key)}
        delay = _run_newest(given, key, lease)
    if queued := given.store.deployments.queued(key):
        if not {deployment.id for deployment in queued} <= seen:
            delay = 0  # what came meanwhile does not wait for the next try of what was there before
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
            finish(given, deployment, State.FAILED, f"{Stage.PLAN}: {error}", lease=lease)
        return 0
    return Turn(given, environment, lease).run(queued)


@dataclass(frozen=True, slots=True)
class Turn:
    """One holder's turn at one environment."""

    given: Resources
    environment: Environment
    lease: Lease

    def run(self, queued: tuple[Deployment, ...]) -> float:
        """Run the newest of `queued` that the branch contains, and end the others.

        Returns:
            Seconds to wait before the queue is looked at again.
        """
        there: list[Deployment] = []
        delays = [0.0]
        with self._ending(queued[-1], delays):
            mirror = self.given.mirror(self.environment)
            if len(queued) > 1:
                mirror.fetch(self.environment.branch)  # which of them is newest shows in an up-to-date mirror only
            for deployment in queued:
                with self._ending(deployment, delays):
                    mirror.ensure(deployment.commit, branch=self.environment.branch)
                    there.append(deployment)
        if there:
            chosen = newest(there, contains=mirror.contains)
            self._supersede(there, chosen)
            with self._ending(chosen, delays):
                self._deploy(chosen, mirror)
        return max(delays)

    @contextmanager
    def _ending(self, deployment: Deployment, delays: list[float]) -> Iterator[None]:
        """Turn what is raised inside the block into the outcome of a deployment, or into a delay before another try."""
        try:
            yield
        except LeaseLost:
            log.warning("lease lost", environment=str(self.environment.key), deployment=deployment.id)
        except Failure as failure:
            delays.append(self._failed(deployment, failure))
        except SettingsError as error:
            self._finish(deployment, State.FAILED, f"settings: {error}")
        except JobTimeoutException:
            self._finish(deployment, State.FAILED, "took longer than a deployment may (30 minutes), stopped")
            raise  # this job's time is up; the clock has the rest of the queue looked at
        except RedisError:
            raise  # nothing can be written down now; the clock finds the deployment when Redis is back
        except Exception as error:
            log.exception("internal error", environment=str(self.environment.key), deployment=deployment.id)
            reason = f"internal error ({type(error).__name__}); the worker's log has the details under {deployment.id}"
            self._finish(deployment, State.FAILED, reason)

    def _supersede(self, there: list[Deployment], chosen: Deployment) -> None:
        for deployment in there:
            if deployment.id != chosen.id:
                self._finish(deployment, State.SUPERSEDED, f"superseded by {chosen.commit[:12]}")

    def _deploy(self, chosen: Deployment, mirror: Mirror) -> None:
        branch = self.environment.branch
        runs = self.given.store.environments.get(self.environment.key).commits
        if not all(mirror.has(commit) for commit in runs):
            mirror.fetch(branch)  # unless a forced push took it away, we have it then
        if reason := overtaken(chosen, runs=runs, ahead=partial(mirror.is_ahead, branch=branch)):
            self._finish(chosen, State.SUPERSEDED, reason)
            return
        if self.given.store.deployments.begun(chosen) > DEATHS:
            self._finish(chosen, State.FAILED, f"its worker died {DEATHS} times while deploying it (out of memory?)")
            return
        self.lease.confirm()
        self.given.store.environments.begin(chosen)
        self.given.store.deployments.advance(chosen, State.RUNNING, ON_ITS_WAY)
        progress = Progress(chosen, store=self.given.store, clock=self.given.clock)
        begun = time.monotonic()
        cluster = self.given.settings.clusters[self.environment.cluster]
        results = Pipeline(self.environment, cluster, mirror, progress, self.lease.check).run(chosen.commit)
        self._finish(chosen, State.SUCCEEDED, report.summary(results, seconds=time.monotonic() - begun))

    def _finish(self, deployment: Deployment, state: State, summary: str) -> None:
        finish(self.given, deployment, state, summary, lease=self.lease)

    def _failed(self, deployment: Deployment, failure: Failure) -> float:
        try:
            self.lease.confirm()
        except LeaseLost:
            return 0
        if isinstance(failure, Temporary):
            self.given.store.deployments.postponed(deployment)
            attempt = self.given.store.deployments.attempt(deployment)
            delay = DEPLOYMENTS.delay(attempt, failure, dice=random.random)
            if delay is not None:
                waiting = DEPLOYMENTS.announce(attempt, delay, failure)
                self.given.store.deployments.advance(deployment, State.QUEUED, waiting)
                self.given.store.deployments.log(deployment.id, waiting, at=self.given.clock())
                self.given.queues.report(deployment.key, deployment.commit)
                return delay
        self._finish(deployment, State.FAILED, report.failure_summary(failure))
        return 0
