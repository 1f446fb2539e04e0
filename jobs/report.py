"""Tells the forges what became of commits. Apart from deploying: a forge that is away changes no outcome.

What is owed to a forge, and when, is on record; jobs only say that something is.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import structlog
from redis.exceptions import RedisError
from rq.timeouts import JobTimeoutException

from deployer.model import Deployment, EnvironmentKey, Failure, Permanent, Stage, Temporary
from deployer.progress import WORTH_A_WORD
from deployer.retries import REPORTS
from deployer.settings import SettingsError
from jobs.resources import Resources, resources
from jobs.showing import Screen, page

__all__ = ["Teller", "page", "report", "report_owed"]

log = structlog.get_logger()

BUSY_SECONDS = 1
ROUND_SECONDS = 20.0
"""One job tells for so long."""
CLAIM = timedelta(seconds=30)
"""How long a report is left to the worker that makes it."""


def report() -> None:
    """Post what is owed to the forges, unless they know it already."""
    report_owed(resources())


def report_owed(given: Resources) -> None:
    """Post what is due, the oldest first, with given resources; safe to run any number of times, and at once."""
    teller, ends = Teller(given), time.monotonic() + ROUND_SECONDS
    while claimed := given.store.reports.claim(at=given.clock(), until=given.clock() + CLAIM):
        teller.tell(*claimed)
        if time.monotonic() > ends or given.store.leases.stopping:
            given.queues.report()
            return


@dataclass(frozen=True, slots=True)
class Teller:
    """Tells several commits' states in a row, with one client per forge."""

    given: Resources
    _screens: dict[str, Screen | None] = field(default_factory=dict)
    _away: dict[str, Temporary] = field(default_factory=dict)
    """Forges that could not be reached, and why: the others do not wait for each of their commits again."""

    def tell(self, key: EnvironmentKey, commit: str) -> None:
        """Have the forge show the state of a commit in an environment, unless it does already.

        The state is read and shown under a lease, so a late job cannot put an old state over a new one.
        """
        store, now = self.given.store, self.given.clock()
        if seconds := store.posted.hushed(key.forge):
            store.reports.postpone(key, commit, due=now + timedelta(seconds=seconds))
            return  # the clock sees when it is due
        with store.leases.hold(f"report:{key}@{commit}") as lease:
            if lease is None:
                store.reports.postpone(key, commit, due=now + timedelta(seconds=BUSY_SECONDS))
                self.given.queues.report(delay=BUSY_SECONDS)
                return
            deployment = store.deployments.latest(key, commit)
            if deployment is None or key.forge not in self.given.settings.forges:
                store.reports.forget(key, commit)
            else:
                self._tell(deployment)

    def _tell(self, latest: Deployment) -> None:
        stages = self.given.store.deployments.stages(latest.id)
        try:
            self._show(latest)
        except Failure as failure:
            self._again(latest, failure)
            return
        except SettingsError as error:
            self._again(latest, Temporary(str(error), stage=Stage.REPORT))
            return
        except (RedisError, JobTimeoutException):
            raise
        except Exception as error:  # one that we cannot tell must not hold up the others
            log.exception("internal error", deployment=latest.id)
            self._again(latest, Temporary(f"internal error ({type(error).__name__})", stage=Stage.REPORT))
            return
        self.given.store.reports.told(latest)
        if not latest.state.final and self.given.store.deployments.stages(latest.id) != stages:
            self.given.store.reports.mention(latest, due=self.given.clock() + WORTH_A_WORD)

    def _show(self, latest: Deployment) -> None:
        """Have the forge show `latest`, and the end of what it still shows of others of the same commit.

        A refusal of one thing does not keep the rest from being shown.
        """
        screen, refusals = self._screen(latest.key.forge), list[Permanent]()
        if screen is None:
            return
        self.given.store.showings.open(latest)
        for deployment in (latest, *self._left(latest)):
            for show in (partial(self._say, screen, latest=deployment is latest), screen.record, screen.leave):
                try:
                    show(deployment)
                except Permanent as refusal:
                    refusals.append(refusal)
            if deployment.state.final and not refusals:
                self.given.store.showings.settle(deployment)
        if refusals:
            raise refusals[0]

    def _say(self, screen: Screen, deployment: Deployment, *, latest: bool) -> None:
        try:
            screen.say(deployment, latest=latest)
        except Temporary as fault:
            self._away[deployment.key.forge] = fault
            raise

    def _left(self, latest: Deployment) -> Iterator[Deployment]:
        """The other deployments of the same commit of which the forge may not show the end."""
        for deployment_id in self.given.store.showings.unsettled(latest.key, latest.commit):
            found = self.given.store.deployments.get(deployment_id)
            if found is not None and found.id != latest.id:
                yield found

    def _screen(self, forge: str) -> Screen | None:
        if forge in self._away:
            raise self._away[forge]
        if forge not in self._screens:
            client = self.given.forge(forge)
            self._screens[forge] = Screen(self.given, client) if client is not None else None
        return self._screens[forge]

    def _again(self, deployment: Deployment, failure: Failure) -> None:
        """Try again later, also after a refusal: a token may be just being rotated, and the word is owed."""
        fault = failure if isinstance(failure, Temporary) else Temporary(failure.message, stage=failure.stage)
        records, now = self.given.store.deployments, self.given.clock()
        if fault.retry_after:
            self.given.store.posted.hush(deployment.key.forge, seconds=fault.retry_after)
        attempt = self.given.store.reports.attempt(deployment)
        delay = REPORTS.delay(attempt, fault, dice=random.random)
        if delay is None:
            self._give_up(deployment, fault.message)
            return
        records.log(deployment.id, f"report: {REPORTS.announce(attempt, delay, fault)}", at=now)
        self.given.store.reports.postpone(deployment.key, deployment.commit, due=now + timedelta(seconds=delay))
        self.given.queues.report(delay=delay)

    def _give_up(self, deployment: Deployment, reason: str) -> None:
        """The forge will not take it: say so where the operator looks, and stop asking."""
        records, forge = self.given.store.deployments, deployment.key.forge
        records.log(deployment.id, f"report: not posted: {reason}", at=self.given.clock())
        self.given.store.reports.told(deployment)
        self.given.store.counters.add("reports_failed", forge=forge)
        log.error("report", environment=str(deployment.key), commit=deployment.commit, error=reason)
