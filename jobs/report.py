"""Tells a forge what became of a commit. Apart from deploying: a forge that is away changes no outcome."""

from __future__ import annotations

import random
from datetime import timedelta

import structlog

from deployer.forges import report as words
from deployer.model import CommitStatus, Deployment, EnvironmentKey, Failure, Stage, Temporary
from deployer.retries import REPORTS
from deployer.settings import SettingsError
from jobs.resources import Resources, resources

log = structlog.get_logger()

BUSY_SECONDS = 1


def report(key: str, commit: str) -> None:
    """Post the state of a commit in an environment, unless the forge knows it already."""
    report_with(resources(), EnvironmentKey.parse(key), commit)


def report_with(given: Resources, key: EnvironmentKey, commit: str) -> None:
    """Post the state of a commit with given resources.

    The state is read and posted under a lease, so a late job cannot put an old state over a new one.
    """
    with given.store.leases.hold(f"report:{key}@{commit}") as lease:
        if lease is None:
            given.queues.report(key, commit, delay=BUSY_SECONDS)
            return
        deployment = given.store.deployments.latest(key, commit)
        if deployment is None or key.forge not in given.settings.forges:
            given.store.deployments.forget_report(key, commit)
        else:
            _post(given, deployment)


def _post(given: Resources, deployment: Deployment) -> None:
    status = words.commit_status(deployment, page=page(given, deployment))
    if not given.store.posted.is_last(deployment.key.forge, status):
        try:
            _send(given, deployment.key.forge, status)
        except Failure as failure:
            _again(given, deployment, failure)
            return
        except SettingsError as error:
            _again(given, deployment, Temporary(str(error), stage=Stage.REPORT))
            return
        given.store.posted.remember(deployment.key.forge, status)
    given.store.deployments.reported(deployment)


def page(given: Resources, deployment: Deployment) -> str:
    """Where people read about a deployment."""
    return f"{given.settings.url}/deployments/{deployment.id}"


def _send(given: Resources, forge_name: str, status: CommitStatus) -> None:
    forge = given.forge(forge_name)
    if forge is not None:
        forge.post(status)


def _again(given: Resources, deployment: Deployment, failure: Failure) -> None:
    """Try again later, also after a refusal: a token may be just being rotated, and the word is owed all the same."""
    fault = failure if isinstance(failure, Temporary) else Temporary(failure.message, stage=failure.stage)
    attempt = given.store.deployments.report_attempt(deployment)
    delay = REPORTS.delay(attempt, fault, dice=random.random)
    if delay is None:
        _give_up(given, deployment, fault.message)
        return
    given.store.deployments.log(deployment.id, f"report: {REPORTS.announce(attempt, delay, fault)}", at=given.clock())
    given.store.deployments.postpone_report(
        deployment.key, deployment.commit, due=given.clock() + timedelta(seconds=delay)
    )
    given.queues.report(deployment.key, deployment.commit, delay=delay)


def _give_up(given: Resources, deployment: Deployment, reason: str) -> None:
    """The forge will not take it: say so where the operator looks, and stop asking."""
    line = f"report: not posted: {reason}"
    given.store.deployments.log(deployment.id, line, at=given.clock())
    given.store.deployments.reported(deployment)
    given.store.counters.add("reports_failed", forge=deployment.key.forge)
    log.error("report", environment=str(deployment.key), commit=deployment.commit, error=reason)
