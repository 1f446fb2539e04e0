"""Ends deployments: the record, what the environment runs and the audit in one step, then log, report and counters.

This is the one place where a failure becomes an outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import structlog
from redis.exceptions import RedisError
from rq.timeouts import JobTimeoutException

from deployer.forges import report
from deployer.model import Deployment, Failure, State, Temporary
from deployer.settings import SettingsError
from deployer.store.leases import HandedOn, Lease, LeaseLost
from jobs.resources import Resources

log = structlog.get_logger()


@contextmanager
def ending(
    given: Resources, deployment: Deployment, *, lease: Lease, again: Callable[[Temporary], bool] = lambda _: False
) -> Iterator[None]:
    """Turn what is raised inside the block into the outcome of a deployment.

    A job whose time is up and a Redis that is away are the caller's to deal with.

    Args:
        given: resources.
        deployment: whose outcome it is.
        lease: what the caller may write under.
        again: whether a temporary fault is tried again; it has seen to that then.
    """
    try:
        yield
    except HandedOn:
        given.store.deployments.postponed(deployment)  # this is no death
        given.store.deployments.log(deployment.id, "its worker was asked to stop: handed on", at=given.clock())
        log.info("handed on", environment=str(deployment.key), deployment=deployment.id)
    except LeaseLost:
        log.warning("lease lost", environment=str(deployment.key), deployment=deployment.id)
    except Failure as failure:
        if not (isinstance(failure, Temporary) and lease.held and again(failure)):
            finish(given, deployment, State.FAILED, report.failure_summary(failure), lease=lease)
    except SettingsError as error:
        finish(given, deployment, State.FAILED, f"settings: {error}", lease=lease)
    except (RedisError, JobTimeoutException):
        raise
    except Exception as error:
        log.exception("internal error", environment=str(deployment.key), deployment=deployment.id)
        reason = f"internal error ({type(error).__name__}); the worker's log has the details under {deployment.id}"
        finish(given, deployment, State.FAILED, reason, lease=lease)


def finish(given: Resources, deployment: Deployment, state: State, summary: str, *, lease: Lease) -> None:
    """Give a deployment its final state, unless it has one or the lease is somebody else's by now."""
    at = given.clock()
    if not given.store.deployments.finish(deployment, state, summary, at=at, lease=lease):
        log.warning("not ended by us", environment=str(deployment.key), deployment=deployment.id, state=state.value)
        return
    for record in given.store.deployments.stages(deployment.id):
        if record.finished_at is None:
            given.store.deployments.write_stage(deployment.id, replace(record, finished_at=at))
    given.store.deployments.log(deployment.id, f"{state}: {summary}", at=at)
    given.queues.report()
    key = deployment.key
    if state is not State.SUPERSEDED:  # also after a failure: what was said of the drift may be wrong by now
        given.store.drift.look_at(key, due=at)
        given.queues.drift()
    given.store.counters.add("deployments", repository=key.repository, environment=key.environment, state=state.value)
    log.info(
        "deployment",
        environment=str(deployment.key),
        commit=deployment.commit,
        deployment=deployment.id,
        delivery=deployment.delivery,
        state=state.value,
        summary=summary,
    )
