"""Plans a merge: finds which environments it reaches and puts a deployment into the queue of each."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
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
    Receipt,
    Stage,
    State,
    Temporary,
    Trigger,
)
from deployer.planning import Known, concerned, decide, fingerprint, reached, replayed
from deployer.retries import DEPLOYMENTS
from deployer.settings import SettingsError
from deployer.source.mirror import Mirror
from deployer.source.overlay import reads
from deployer.webhooks.receive import Refused, interpret
from jobs.deploy import deploy_with
from jobs.resources import Resources, resources

log = structlog.get_logger()

CLAIM = timedelta(seconds=30)
"""How long a delivery is left to the worker that plans it, before somebody else looks whether that one is alive."""


def plan() -> None:
    """Plan all deliveries that are owed, and see to it that their deployments are run."""
    plan_with(resources())


def plan_with(given: Resources) -> None:
    """Plan all deliveries that are owed with given resources, and deploy to the first environment."""
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
            found |= dict.fromkeys(_plan_claimed(given, *claimed))
        except (RedisError, JobTimeoutException):
            raise  # nothing can be written down now, or this job's time is up: what is owed is due again in a while
        except Exception:
            _give_up(given, *claimed)  # one delivery that we cannot cope with must not hold up the others
    return list(found)


def _plan_claimed(given: Resources, forge: str, delivery_id: str) -> list[EnvironmentKey]:
    """Plan a delivery, unless a worker that is alive is at it: a fetch may take longer than a claim lasts."""
    with given.store.leases.hold(f"delivery:{forge}:{delivery_id}") as lease:
        return plan_delivery(given, forge, delivery_id) if lease else []


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
        self._move_on(commit, mirror)
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

    def _move_on(self, commit: str, mirror: Mirror) -> None:
        """Write down that the branch is at a commit now, before it is seen whom it reaches.

        Whoever is told of an older one later, or has it under way now, then knows that it was taken back or left alone.
        """
        names = (self.delivery.forge, self.merge.repository, self.merge.branch)
        environments = self.given.store.environments
        while True:
            before = environments.planned(*names)
            if before is not None and mirror.is_ahead(before, commit, branch=self.merge.branch):
                return
            if environments.plan(*names, commit, after=before):
                return

    def _plan_one(self, environment: Environment, commit: str, mirror: Mirror) -> bool:
        """Queue a deployment unless there is a reason not to; whether there is something to deploy now."""
        known = self._known(environment, commit, mirror)
        receipt = self._receipt()
        decision = decide(commit, known=known, receipt=receipt)
        if isinstance(decision, Trigger):
            request = self._request(environment, commit, decision, receipt)
            self._intake.accept(replace(request, note=self._taken_off(known.deployed, commit, mirror)))
            return True
        if decision.asked or known.last is None:  # or its commit has no word on it yet
            trigger = Trigger.REPLAY if decision.asked else Trigger.MERGE
            self._intake.end(self._request(environment, commit, trigger, receipt), State.SUPERSEDED, decision.reason)
        else:
            self._audit_skipped(environment, commit, decision.reason)
        return False

    def _receipt(self) -> Receipt | None:
        return self.given.store.deliveries.receipt(self.delivery.forge, self.delivery.id)

    def _known(self, environment: Environment, commit: str, mirror: Mirror) -> Known:
        state = self.given.store.environments.get(environment.key)
        branch = self.merge.branch
        if not all(mirror.has(runs) for runs in state.commits):
            mirror.fetch(branch)  # unless a forced push took it away, we have it then
        planned = self.given.store.environments.planned(self.delivery.forge, self.merge.repository, branch)
        passed = (planned,) if planned and state.deployed != commit else ()
        runs = (*state.commits, *passed)
        ahead = next((each for each in runs if mirror.is_ahead(each, commit, branch=branch)), None)
        last = self.given.store.deployments.latest(environment.key, commit)
        current = self.given.store.deployments.get(state.deployment) if state.deployment else None
        return Known(
            state.deployed,
            ahead,
            last,
            current=last is None or state.deployment == last.id,
            is_tip=last is None or mirror.tip(branch) == commit,
            rolled_back=current is not None and current.trigger is Trigger.ROLLBACK,
        )

    def _taken_off(self, deployed: str | None, commit: str, mirror: Mirror) -> str | None:
        """What to say when the branch does not contain any more what the environment runs."""
        branch = self.merge.branch
        if deployed is None or mirror.contains(commit, deployed) or mirror.contains(mirror.tip(branch), deployed):
            return None
        return f"a forced push took what was deployed ({deployed[:12]}) off {branch}"

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
        """Fail the merge where its commit has no word on it yet, or where somebody asked for it again."""
        commit, receipt = self.merge.commit, self._receipt()
        for environment in self.environments:
            last = self.given.store.deployments.latest(environment.key, commit)
            again = last is not None and receipt is not None and replayed(receipt, last)
            if last is None or again:
                trigger = Trigger.REPLAY if again else Trigger.MERGE
                self._intake.end(self._request(environment, commit, trigger, receipt), State.FAILED, reason)
            else:
                self._audit_skipped(environment, commit, reason)

    def _request(
        self, environment: Environment, commit: str, trigger: Trigger, receipt: Receipt | None = None
    ) -> Request:
        """What is asked for; a replay by whoever had it sent again, of whom a forge does not tell us the name."""
        again = (receipt.by if receipt else None) or f"redelivery by {self.delivery.forge}"
        actor = again if trigger is Trigger.REPLAY else self.merge.actor
        return Request(environment.key, commit, trigger, self.delivery.id, actor, self.merge.title)

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
