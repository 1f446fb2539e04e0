"""Waits for what was applied to become healthy, without holding a worker: looks, writes down what it saw, comes back.

Nothing is written to a cluster here. A rollout is superseded by whoever deploys something newer (`jobs/deploy.py`).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import NoReturn

from deployer.cluster import rollout
from deployer.cluster.connection import IMPATIENT, connect
from deployer.cluster.rollout import Rollout
from deployer.forges import report
from deployer.model import Deployment, EnvironmentKey, Permanent, Stage, State, Temporary
from deployer.progress import Progress
from deployer.settings import UnknownEnvironment
from deployer.store.leases import Lease, LeaseLost
from deployer.store.rollouts import Rolling, Sight
from jobs.lanes import room
from jobs.outcome import ending, finish
from jobs.resources import Resources, resources

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 8.0
PACE = 10.0
"""Seconds that are at least between two words to the forge on one rollout. They grow with its age, so that there are
not more than 11 in five minutes and 37 in a week."""

BUSY = 1.0
"""Seconds after which an environment that somebody else works on is asked for again."""

LATE_LOOKS = 3
"""A rollout whose time is up ends without a further look when this many took their worker along."""


def look(key: str, number: str) -> None:
    """Make one look at the rollout in an environment, unless somebody has made it; safe to run any number of times."""
    look_in_turn(resources(), EnvironmentKey.parse(key), int(number))


def look_in_turn(given: Resources, key: EnvironmentKey, number: int) -> None:
    """Make one look with given resources if there is room for it; if not, it waits for its turn like the others."""
    with room(given, key) as there:
        if there:
            look_with(given, key, number)
    if given.store.deployments.waiting(before=given.clock()):
        given.queues.deploy()


def look_with(given: Resources, key: EnvironmentKey, number: int) -> None:
    """Make one look with given resources.

    Whoever comes to deploy meanwhile leaves the environment to us, so we have it looked at again.
    """
    if not _awaiting(given, key, number):
        return
    with given.store.leases.hold(str(key)) as lease:
        if lease is None:
            given.queues.look(key, number, delay=BUSY)
            return
        for deployment in _awaiting(given, key, number):
            Watch(given, deployment, lease).look()
    waiting = [each for each in given.store.deployments.queued(key) if each.state is not State.ROLLING_OUT]
    if not all(given.store.deployments.tried(deployment) for deployment in waiting):
        given.store.deployments.postpone(key, due=given.clock())
        given.queues.deploy()


def look_if_due(given: Resources, key: EnvironmentKey, *, lease: Lease) -> None:
    """Look at the rollout in an environment if it is time: right after the apply, or when the next look was lost."""
    for deployment in given.store.deployments.queued(key):
        if deployment.state is State.ROLLING_OUT:
            rolling = given.store.rollouts.get(deployment)
            if rolling is None or rolling.due:
                Watch(given, deployment, lease).look()


def pause(looks: int, *, left: float, dice: Callable[[], float]) -> float:
    """Seconds until the next look: longer each time, a quarter more or less, and not long past the end of the time.

    Args:
        looks: how many there were.
        left: seconds until the time is up.
        dice: a number from 0 to 1.
    """
    growing = min(LONGEST_PAUSE, FIRST_PAUSE * 1.5 ** min(looks, 10))
    return min(growing * (0.75 + dice() / 2), max(left, FIRST_PAUSE))


def _awaiting(given: Resources, key: EnvironmentKey, number: int) -> list[Deployment]:
    """The deployment that rolls out in an environment, if this look at it has not been made."""
    return [
        deployment
        for deployment in given.store.deployments.queued(key)
        if deployment.state is State.ROLLING_OUT
        and (rolling := given.store.rollouts.get(deployment)) is not None
        and rolling.looks == number
    ]


@dataclass(frozen=True, slots=True)
class Watch:
    """One holder's watch over one deployment that rolls out."""

    given: Resources
    deployment: Deployment
    lease: Lease

    def look(self) -> None:
        """Look once: end the deployment if it is healthy, failed or out of time, else come back later."""
        with ending(self.given, self.deployment, lease=self.lease):
            rolling = self.given.store.rollouts.get(self.deployment)
            if rolling is None:
                raise _permanent("what was known of its rollout is gone from Redis; deploy it again")
            if rolling.left <= 0 and self.given.store.rollouts.late(self.deployment) > LATE_LOOKS:
                raise _permanent(f"{self.deployment.summary}, and its worker died {LATE_LOOKS} times looking at it")
            try:
                seen = self._see(rolling)
            except Temporary as fault:
                self._blind(rolling, fault)
            else:
                self._judge(rolling, seen)

    def supersede(self, newer: Deployment) -> None:
        """End the deployment because a newer one is about to be written."""
        rolling = self.given.store.rollouts.get(self.deployment)
        stood = f", {_stood(rolling)}" if rolling else ""
        by = f"superseded by {newer.commit[:12]} while rolling out{stood}"
        superseded = replace(self.deployment, superseded_by=newer.id)
        finish(self.given, superseded, State.SUPERSEDED, by, lease=self.lease)

    def _see(self, rolling: Rolling) -> Rollout:
        clusters = self.given.settings.clusters
        if rolling.cluster not in clusters:
            raise _permanent(f"cluster {rolling.cluster} left the settings before all was healthy")
        account = self._service_account()
        results = self.given.store.deployments.objects(self.deployment.id)
        refs = [result.ref for result in results if result.action in report.STANDING]
        try:
            with connect(
                clusters[rolling.cluster], name=rolling.cluster, service_account=account, patience=IMPATIENT
            ) as connection:
                return rollout.look(connection, refs, applyset=rolling.applyset)
        except Permanent as failure:
            raise _permanent(failure.message) from failure

    def _service_account(self) -> str | None:
        """Whom to act as. Not from the records: only the settings may say that, and when they do not, nobody looks."""
        try:
            return self.given.settings.environment(self.deployment.key).service_account
        except UnknownEnvironment as error:
            raise _permanent("the environment left the settings before all was healthy") from error

    def _judge(self, rolling: Rolling, seen: Rollout) -> None:
        if seen.failed:
            self._fail(report.failed(seen.failed))
        elif not seen.waiting:
            self._succeed(rolling, f"{seen.ready}/{seen.total} ready" if seen.total else "nothing to wait for")
        elif rolling.left <= 0:
            self._fail(report.unready(seen.ready, seen.total, seen.waiting, seconds=rolling.since))
        else:
            summary = report.readiness(seen.ready, seen.total, seen.waiting)
            self._wait(replace(rolling, ready=seen.ready, total=seen.total), summary)

    def _blind(self, rolling: Rolling, fault: Temporary) -> None:
        if rolling.left <= 0:
            self._fail(f"{_stood(rolling)} after {rolling.since:.0f} s, and now: {fault.message}")
        self._wait(rolling, report.cut(f"{_stood(rolling)}, cannot look: {fault.message}", report.SUMMARY_LENGTH))

    def _fail(self, message: str) -> NoReturn:
        """End it; the log gets all of the message."""
        self._confirm()
        self._progress.ended(Stage.ROLLOUT, message)
        raise _permanent(message)

    def _succeed(self, rolling: Rolling, stood: str) -> None:
        self._confirm()
        self._progress.ended(Stage.ROLLOUT, stood)
        store, key = self.given.store, self.deployment.key
        results, left = store.deployments.objects(self.deployment.id), store.places.left(key)
        seconds, previewed = rolling.spent + rolling.since, self.deployment.previewed
        said = report.summary(results, seconds=seconds, left=left, previewed=previewed)
        finish(self.given, self.deployment, State.SUCCEEDED, said, lease=self.lease)
        store.places.told(key)

    def _wait(self, rolling: Rolling, summary: str) -> None:
        store, key, now = self.given.store, self.deployment.key, self.given.clock()
        delay = pause(rolling.looks, left=rolling.left, dice=random.random)
        sight = Sight(summary, rolling.ready, rolling.total, pause=delay, pace=max(PACE, rolling.since / 3))
        tell = store.rollouts.looked(self.deployment, sight, at=now, lease=self.lease)
        store.deployments.postpone(key, due=now + timedelta(seconds=delay))
        self.given.queues.look(key, rolling.looks + 1, delay=delay)
        self._progress.waits(Stage.ROLLOUT, summary)
        if tell:
            self.given.queues.report()

    def _confirm(self) -> None:
        """A look that has seen the end says so, also when its worker was asked to stop."""
        if not self.lease.held:
            raise LeaseLost(self.lease.name)

    @property
    def _progress(self) -> Progress:
        return Progress(self.deployment, store=self.given.store, clock=self.given.clock)


def _stood(rolling: Rolling) -> str:
    return f"{rolling.ready}/{rolling.total} ready" if rolling.total else "not looked at"


def _permanent(message: str) -> Permanent:
    return Permanent(message, stage=Stage.ROLLOUT)
