"""Ends deployments: the record, what the environment runs, the audit, the counters and the report, in that order."""

from __future__ import annotations

import structlog

from deployer.model import Deployment, State
from jobs.resources import Resources

log = structlog.get_logger()


def finish(given: Resources, deployment: Deployment, state: State, summary: str) -> None:
    """Give a deployment its final state.

    What the environment runs is written first: a death in between makes the deployment run once more and end the same.
    """
    if state is State.SUCCEEDED:
        given.store.environments.deployed(deployment)
    given.store.deployments.log(deployment.id, f"{state}: {summary}", at=given.clock())
    given.store.deployments.finish(deployment, state, summary, at=given.clock())
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
