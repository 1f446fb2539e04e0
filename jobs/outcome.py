"""Ends deployments: the record and what the environment runs in one step, then log, report, counters and audit."""

from __future__ import annotations

import structlog

from deployer.model import Deployment, State
from deployer.store.leases import Lease
from jobs.resources import Resources

log = structlog.get_logger()


def finish(given: Resources, deployment: Deployment, state: State, summary: str, *, lease: Lease) -> None:
    """Give a deployment its final state, unless it has one or the lease is somebody else's by now."""
    if not given.store.deployments.finish(deployment, state, summary, at=given.clock(), lease=lease):
        log.warning("not ended by us", environment=str(deployment.key), deployment=deployment.id, state=state.value)
        return
    given.store.deployments.log(deployment.id, f"{state}: {summary}", at=given.clock())
    given.queues.report(deployment.key, deployment.commit)
    _count(given, deployment, state)
    log.info(
        "deployment",
        environment=str(deployment.key),
        commit=deployment.commit,
        deployment=deployment.id,
        delivery=deployment.delivery,
        state=state.value,
        summary=summary,
    )


def _count(given: Resources, deployment: Deployment, state: State) -> None:
    key = deployment.key
    given.store.counters.add("deployments", repository=key.repository, environment=key.environment, state=state.value)
    given.store.audit.add(
        state.value,
        at=given.clock(),
        forge=key.forge,
        repository=key.repository,
        environment=key.environment,
        commit=deployment.commit,
        trigger=deployment.trigger.value,
        delivery=deployment.delivery,
        actor=deployment.actor,
        deployment=deployment.id,
        reason=None,
    )
