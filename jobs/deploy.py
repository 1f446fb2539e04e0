"""Runs the deployments of one environment, one at a time, the newest only; the others end as superseded by it.

A deployment leaves its environment's queue only with a final state, so a worker that dies anywhere in here leaves it
for the next one. One that has been applied is only looked at from then on (`jobs/rollout.py`), never applied again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from rq.timeouts import JobTimeoutException

from deployer import promises
from deployer.forges import report
from deployer.holding import resting
from deployer.model import (
    ON_ITS_WAY,
    Deployment,
    Environment,
    EnvironmentKey,
    ObjectRef,
    Stage,
    State,
    Temporary,
    Trigger,
)
from deployer.pipeline import Pipeline
from deployer.planning import ROLLED_BACK, left_behind, newest, overtaken
from deployer.progress import Progress
from deployer.retries import DEPLOYMENTS
from deployer.reverts import outdated
from deployer.settings import UnknownEnvironment
from deployer.source.mirror import Mirror
from deployer.store.environments import EnvironmentState
from deployer.store.leases import Lease
from deployer.store.rollouts import Applied
from jobs.outcome import ending, finish
from jobs.resources import Resources
from jobs.rollout import Watch, look_if_due

DEATHS = 3
"""A deployment that takes its worker along this often is not tried again."""


class _Held(Exception):  # noqa: N818 - reads as what happened
    """A deployment waits for a person, for the reason in the message."""


def deploy_with(given: Resources, key: EnvironmentKey) -> None:
    """Run what is queued for an environment with given resources; safe to run any number of times, and at once.

    Somebody else who is at it is left to it: whoever lets go of an environment looks at its queue again.
    """
    with given.store.leases.hold(str(key)) as lease:
        if lease is None:
            return
        seen = {deployment.id for deployment in given.store.deployments.queued(key)}
        delay = _run_newest(given, key, lease)
    if queued := _unapplied(given, key):
        if not {deployment.id for deployment in queued} <= seen:
            delay = 0  # what came meanwhile does not wait for the next try of what was there before
        given.store.deployments.postpone(key, due=given.clock() + timedelta(seconds=delay))
        given.queues.deploy(delay=delay)


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
    unapplied = _unapplied(given, key)
    delay = Turn(given, environment, lease).run(unapplied) if unapplied else 0
    look_if_due(given, key, lease=lease)
    return delay


def _unapplied(given: Resources, key: EnvironmentKey) -> tuple[Deployment, ...]:
    """What is queued for an environment and has yet to be written to its cluster."""
    queued = given.store.deployments.queued(key)
    return tuple(deployment for deployment in queued if deployment.state is not State.ROLLING_OUT)


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
        while there:
            chosen = newest(there, contains=mirror.contains)
            there.remove(chosen)
            with self._ending(chosen, delays):
                if reason := self._outlived(chosen, mirror):
                    self._finish(chosen, State.SUPERSEDED, reason)
                    continue  # what does not run supersedes nothing
                self._supersede(there, chosen)
                self._deploy(chosen, mirror)
            break
        return max(delays)

    @contextmanager
    def _ending(self, deployment: Deployment, delays: list[float]) -> Iterator[None]:
        """Turn what is raised inside the block into the outcome of a deployment, or into a delay before another try."""

        def again(fault: Temporary) -> bool:
            delay = self._postpone(deployment, fault)
            delays.append(delay or 0)
            return delay is not None

        try:
            with ending(self.given, deployment, lease=self.lease, again=again):
                yield
        except JobTimeoutException:
            self._finish(deployment, State.FAILED, "took longer than a deployment may (30 minutes), stopped")
            raise  # this job's time is up; the clock has the rest of the queue looked at

    def _supersede(self, others: list[Deployment], chosen: Deployment) -> None:
        for deployment in others:
            superseded = replace(deployment, superseded_by=chosen.id)
            self._finish(superseded, State.SUPERSEDED, f"superseded by {chosen.commit[:12]}")

    def _deploy(self, chosen: Deployment, mirror: Mirror) -> None:
        if self.given.store.deployments.begun(chosen) > DEATHS:
            self._finish(chosen, State.FAILED, f"its worker died {DEATHS} times while deploying it (out of memory?)")
            return
        self.lease.confirm()
        self._supersede_rollouts(chosen)
        self.given.store.environments.begin(chosen, lease=self.lease)
        self.given.store.deployments.advance(chosen, State.RUNNING, ON_ITS_WAY, at=self.given.clock(), lease=self.lease)
        self._apply(chosen, mirror)

    def _outlived(self, chosen: Deployment, mirror: Mirror) -> str | None:
        """Why a deployment is not to run any more, because of what happened since it was accepted."""
        branch, state = self.environment.branch, self.given.store.environments.get(self.environment.key)
        if left_behind(chosen, back_from=state.back_from, contains=mirror.contains):
            return ROLLED_BACK.reason
        runs = self._runs(chosen, state)
        if not all(mirror.has(commit) for commit in runs):
            mirror.fetch(branch)  # unless a forced push took it away, we have it then
        ahead = partial(mirror.is_ahead, branch=branch)
        return overtaken(chosen, runs=runs, ahead=ahead) or outdated(chosen, deployed=state.deployed)

    def _runs(self, chosen: Deployment, state: EnvironmentState) -> tuple[str, ...]:
        """What the environment runs or was told to run, and the last commit of its branch that left it alone."""
        planned = self.given.store.environments.planned(self.environment.branch_key)
        return (*state.commits, planned) if planned and state.deployed != chosen.commit else state.commits

    def _supersede_rollouts(self, chosen: Deployment) -> None:
        for deployment in self.given.store.deployments.queued(self.environment.key):
            if deployment.state is State.ROLLING_OUT:
                Watch(self.given, deployment, self.lease).supersede(chosen)

    def _apply(self, chosen: Deployment, mirror: Mirror) -> None:
        """Write a commit to the cluster; from then on the deployment is rolling out."""
        begun = time.monotonic()
        progress = Progress(chosen, store=self.given.store, clock=self.given.clock)
        cluster = self.given.settings.clusters[self.environment.cluster]
        judge = partial(self._judge, chosen, progress)
        pipeline = Pipeline(
            self.environment, cluster, mirror, self.given.renders, progress, self.lease, chosen.id, judge,
            resting=self._resting(chosen),
        )  # fmt: skip
        try:
            results = pipeline.run(chosen.commit)
        except _Held as held:
            self._finish(chosen, State.HELD, str(held))
            return
        applied = Applied(
            cluster=self.environment.cluster,
            applyset=pipeline.place.applyset,
            spent=time.monotonic() - begun,
            timeout=self.environment.rollout_timeout,
        )
        self.given.store.rollouts.begin(chosen, applied, lease=self.lease)
        progress.waits(Stage.ROLLOUT, f"{report.standing(results)} to be healthy")

    def _resting(self, chosen: Deployment) -> frozenset[ObjectRef] | None:
        """What a revert of drift leaves as it is; what git or a person asks for is for all."""
        if chosen.trigger is not Trigger.DRIFT:
            return None
        return resting(self.given.store.drift.get(chosen.key).of(chosen.commit))

    def _judge(self, chosen: Deployment, progress: Progress, digest: str) -> None:
        """Say whether a preview showed these manifests, and hold what has to wait for a person."""
        previews, key = self.given.store.previews, chosen.key
        shown_on = previews.promised(key, digest)
        merges = previews.merged_by(key.forge, key.repository, chosen.commit) or promises.number(chosen.title)
        promised = None if merges is None else previews.last_promise(key, merges)
        if promised == digest:
            shown_on = merges  # whichever other request would have come to the same
        kind = self.given.settings.forges[key.forge].kind
        said = promises.verdict(kind, shown_on=shown_on, merges=merges, promised=promised is not None)
        if said:
            progress.previewed(said)
        reason = promises.held(self.environment, chosen.trigger, shown_on=shown_on, said=said, commit=chosen.commit)
        if reason:
            raise _Held(reason)

    def _finish(self, deployment: Deployment, state: State, summary: str) -> None:
        finish(self.given, deployment, state, summary, lease=self.lease)

    def _postpone(self, deployment: Deployment, fault: Temporary) -> float | None:
        """Seconds until a deployment is tried again, or None when it is not."""
        self.given.store.deployments.postponed(deployment)
        attempt = self.given.store.deployments.attempt(deployment)
        delay = DEPLOYMENTS.delay(attempt, fault, dice=random.random)
        if delay is not None:
            waiting = DEPLOYMENTS.announce(attempt, delay, fault)
            self.given.store.deployments.advance(
                deployment, State.QUEUED, waiting, at=self.given.clock(), lease=self.lease
            )
            self.given.store.deployments.log(deployment.id, waiting, at=self.given.clock())
            self.given.store.reports.owe(deployment, due=self.given.clock())
            self.given.queues.report()
        return delay
