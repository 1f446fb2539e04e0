"""Plans what is owed: deliveries that tell of a merge, and branches of which our own look found something new."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import structlog
from redis.exceptions import RedisError
from rq.timeouts import JobTimeoutException

from deployer.model import EnvironmentKey
from jobs.delivery import plan_delivery
from jobs.resources import Resources, resources
from jobs.tips import plan_tip
from jobs.turns import work_with

log = structlog.get_logger()

CLAIM = timedelta(seconds=30)
"""How long something is left to the worker that plans it, before somebody else looks whether that one is alive."""

ROUND_SECONDS = 60.0
"""One job plans for so long; the next one may be another worker's."""


def plan() -> None:
    """Plan all that is owed, and see to it that the deployments are run."""
    plan_with(resources())


def plan_with(given: Resources) -> None:
    """Plan all that is owed with given resources, and give turns to whoever waits."""
    if plan_owed(given):
        work_with(given)  # right here: this worker is up


def plan_owed(given: Resources) -> list[EnvironmentKey]:
    """Plan what is owed, deliveries before branches and the oldest first, until there is nothing.

    Workers are told of what there is to deploy before the next thing is planned, which may take long. Of the last of it
    one environment is left to the caller.

    Returns:
        The environments that have something to deploy, in order, as often as something was planned for them.
    """
    given.store.deliveries.begin()
    found: list[EnvironmentKey] = []
    ends = time.monotonic() + ROUND_SECONDS
    while work := _claim(given):
        if found:
            given.queues.deploy()
        if given.store.deliveries.owed(before=given.clock()):
            given.queues.plan_beside()  # this one may have to wait for its forge, and the next for nobody
        planned = work()
        for _ in planned[1:]:
            given.queues.deploy()
        found += planned
        if given.store.leases.stopping or time.monotonic() > ends:
            given.queues.plan()
            break
    return found


def _claim(given: Resources) -> Callable[[], list[EnvironmentKey]] | None:
    """The next piece of work, which is ours for a while; it gives the environments that have something to deploy."""
    at = given.clock()
    if delivery := given.store.deliveries.claim(at=at, until=at + CLAIM):
        return partial(_plan_claimed, given, *delivery)
    if branch := given.store.tips.claim(at=at, until=at + CLAIM):
        return partial(plan_tip, given, branch)
    return None


def _plan_claimed(given: Resources, forge: str, delivery_id: str) -> list[EnvironmentKey]:
    try:
        return plan_delivery(given, forge, delivery_id)
    except (RedisError, JobTimeoutException):
        raise  # nothing can be written down now, or this job's time is up: what is owed is due again in a while
    except Exception:
        _give_up(given, forge, delivery_id)  # one delivery that we cannot cope with must not hold up the others
        return []


def _give_up(given: Resources, forge: str, delivery_id: str) -> None:
    log.exception("internal error", forge=forge, delivery=delivery_id)
    given.store.audit.add(
        "failed", at=given.clock(), forge=forge, delivery=delivery_id, reason="internal error; see the worker's log"
    )
    given.store.deliveries.planned(forge, delivery_id)
