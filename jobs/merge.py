"""Plans a merge: finds which environments it reaches and puts a deployment into the queue of each."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta

import structlog
from redis.exceptions import RedisError
from rq.timeouts import JobTimeoutException

from deployer.intake import Intake, Request
from deployer.model import (
    Delivery,
    Environment,
    EnvironmentKey,
    Failure,
    Ignored,
    Merge,
    Permanent,
    Stage,
    State,
    Temporary,
    Trigger,
)
from deployer.planning import Known, concerned, decide, fingerprint, reached
from deployer.retries import DEPLOYMENTS
from deployer.settings import SettingsError
from deployer.source.mirror import Mirror
from deployer.source.overlay import reads
from deployer.webhooks.receive import Refused, interpret
from jobs.deploy import deploy_with
from jobs.resources import Resources, resources

log = structlog.get_logger()

CLAIM = timedelta(minutes=3)
"""How long a delivery is left to the worker that plans it. A fetch may take two minutes."""


def plan() -> None:
    """Plan all deliveries that are owed, and see to it that their deployments are run."""
    given = resources()
    keys = plan_owed(given)
    for key in keys[1:]:
        given.queues.deploy(key)
    for key in keys[:1]:  # right here: this worker is up and has the commit at hand
        deploy_with(given, key)


def plan_owed(given: Resources) -> list[EnvironmentKey]:
    """Plan the deliveries that are owed, the oldest first, until there is none.

    Returns:
        The environments that have something to deploy, each once.
    """
    given.store.deliveries.begin()
    found: dict[EnvironmentKey, None] = {}
    while claimed := given.store.deliveries.claim(at=given.clock(), until=given.clock() + CLAIM):
        try:
            found |= dict.fromkeys(plan_delivery(given, *claimed))
        except (RedisError, JobTimeoutException):
            raise  # nothing can be written down now, or this job's time is up: what is owed is due again in a while
        except Exception:
            _give_up(given, *claimed)  # one delivery that we cannot cope with must not hold up the others
    return list(found)


def plan_delivery(given: Resources, forge: str, delivery_id: str) -> list[EnvironmentKey]:
    """Plan one recorded delivery; safe to run any number of times.

    Returns:
        The environments that have something to deploy.
    """
    delivery = given.store.deliveries.get(forge, delivery_id)
    merge = _merge(given, delivery) if delivery else Ignored("the delivery is not on record any more")
    if isinstance(merge, Ignored):
        _audit_ignored(given, forge, delivery_id, merge)
        given.store.deliveries.planned(forge, delivery_id)
        return []
    return merge.plan()


def _merge(given: Resources, delivery: Delivery) -> MergePlan | Ignored:
    """What a delivery asks for. It was understood when it came in; the settings may have changed since."""
    if delivery.forge not in given.settings.forges:
        return Ignored(f"forge {delivery.forge} is not in the settings any more")
    kind = given.settings.forges[delivery.forge].kind
    try:
        event = interpret(kind, dict(delivery.headers), delivery.body)
    except Refused as error:
        return Ignored(f"the record cannot be read: {error}")
    if isinstance(event, Ignored):
        return event
    environments = concerned(event, forge=delivery.forge, environments=given.settings.environments)
    return environments if isinstance(environments, Ignored) else MergePlan(given, delivery, event, environments)


@dataclass(frozen=True, slots=True)
class MergePlan:
    """One merge, as one delivery tells it, and the environments that it may reach (at least one)."""

    given: Resources
    delivery: Delivery
    merge: Merge
    environments: tuple[Environment, ...]

    def plan(self) -> list[EnvironmentKey]:
        """Queue what is to be deployed; on a fault, try again later or fail the deployments with the reason.

        Returns:
            The environments that have something to deploy.
        """
        planned: list[EnvironmentKey] = []
        try:
            mirror = self.given.mirror(self.environments[0])
            commit = self._tip(mirror)
            for environment in self._reached(commit, mirror):
                if self._plan_one(environment, commit, mirror):
                    planned.append(environment.key)
        except Temporary as fault:
            if self._postponed(fault):
                return planned
            self._refuse(f"{Stage.PLAN}: {fault.message}")
        except Permanent as failure:
            self._refuse(f"{Stage.PLAN}: {failure.message}")
        except SettingsError as error:
            self._refuse(f"settings: {error}")
        self.given.store.deliveries.planned(self.delivery.forge, self.delivery.id)
        log.info(
            "plan",
            forge=self.delivery.forge,
            delivery=self.delivery.id,
            commit=self.merge.commit,
            environments=[str(key) for key in planned],
        )
        return planned

    def _tip(self, mirror: Mirror) -> str:
        """The commit to deploy: the merged one, once our own mirror has it on its branch.

        Where the delivery can only guess at the commit and is wrong, it is the tip of the branch.
        """
        merge = self.merge
        try:
            mirror.ensure(merge.commit, branch=merge.branch)
        except Failure:
            if not merge.guessed:
                raise
            return mirror.fetch(merge.branch)
        return merge.commit

    def _reached(self, commit: str, mirror: Mirror) -> list[Environment]:
        """The environments for which the commit changes something."""
        found = reads(mirror, commit, {environment.overlay for environment in self.environments})
        standings = self.given.store.environments.standings([each.key for each in self.environments], commit)
        there = [
            environment
            for environment, now in zip(self.environments, standings, strict=True)
            if reached(
                fingerprint(environment, found[environment.overlay].digest),
                settled=now.settled, deployed=now.reads, seen=now.seen,
            )
        ]  # fmt: skip
        if not there:
            self._audit_skipped(None, commit, "changes nothing that an environment is deployed from")
        return there

    def _plan_one(self, environment: Environment, commit: str, mirror: Mirror) -> bool:
        """Queue a deployment unless there is a reason not to; whether there is something to deploy now."""
        known = self._known(environment, commit, mirror)
        receipt = self.given.store.deliveries.receipt(self.delivery.forge, self.delivery.id)
        decision = decide(commit, known=known, receipt=receipt)
        if isinstance(decision, Trigger):
            self._intake.accept(self._request(environment, commit, decision))
            return True
        if known.last is None:  # its commit has no word on it yet
            self._intake.end(self._request(environment, commit, Trigger.MERGE), State.SUPERSEDED, decision.reason)
        else:
            self._audit_skipped(environment, commit, decision.reason)
        return False

    def _known(self, environment: Environment, commit: str, mirror: Mirror) -> Known:
        state = self.given.store.environments.get(environment.key)
        branch = self.merge.branch
        ahead = next((runs for runs in state.commits if mirror.is_ahead(runs, commit, branch=branch)), None)
        last = self.given.store.deployments.latest(environment.key, commit)
        current = self.given.store.deployments.get(state.deployment) if state.deployment else None
        return Known(
            state.deployed,
            ahead,
            last,
            is_tip=last is None or mirror.tip(branch) == commit,
            rolled_back=current is not None and current.trigger is Trigger.ROLLBACK,
        )

    def _postponed(self, fault: Temporary) -> bool:
        forge, delivery_id = self.delivery.forge, self.delivery.id
        attempt = self.given.store.deliveries.attempt(forge, delivery_id)
        delay = DEPLOYMENTS.delay(attempt, fault, dice=random.random)
        if delay is None:
            return False
        log.warning("plan", delivery=delivery_id, retry=DEPLOYMENTS.announce(attempt, delay, fault))
        self.given.store.deliveries.owe(forge, delivery_id, due=self.given.clock() + timedelta(seconds=delay))
        self.given.queues.plan(delay=delay)
        return True

    def _refuse(self, reason: str) -> None:
        for environment in self.environments:
            request = self._request(environment, self.merge.commit, Trigger.MERGE)
            self._intake.end(request, State.FAILED, reason)

    def _request(self, environment: Environment, commit: str, trigger: Trigger) -> Request:
        return Request(environment.key, commit, trigger, self.delivery.id, self.merge.actor, self.merge.title)

    @property
    def _intake(self) -> Intake:
        return Intake(self.given.store, self.given.queues, self.given.clock)

    def _audit_skipped(self, environment: Environment | None, commit: str, reason: str) -> None:
        self.given.store.audit.add(
            "skipped",
            at=self.given.clock(),
            forge=self.delivery.forge,
            repository=self.merge.repository,
            environment=environment.key.environment if environment else None,
            commit=commit,
            delivery=self.delivery.id,
            actor=self.merge.actor,
            reason=reason,
        )


def _give_up(given: Resources, forge: str, delivery_id: str) -> None:
    log.exception("internal error", forge=forge, delivery=delivery_id)
    given.store.audit.add(
        "failed", at=given.clock(), forge=forge, delivery=delivery_id, reason="internal error; see the worker's log"
    )
    given.store.deliveries.planned(forge, delivery_id)


def _audit_ignored(given: Resources, forge: str, delivery_id: str, ignored: Ignored) -> None:
    given.store.audit.add("ignored", at=given.clock(), forge=forge, delivery=delivery_id, reason=ignored.reason)
