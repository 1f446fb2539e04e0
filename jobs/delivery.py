"""What a recorded delivery asks for, and planning that. A fault is tried again, or told on the commit."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta

import structlog
from redis.exceptions import RedisError
from rq.timeouts import JobTimeoutException

from deployer.asking import about
from deployer.model import (
    BranchKey,
    Command,
    Delivery,
    Environment,
    EnvironmentKey,
    Failure,
    Ignored,
    Merge,
    Permanent,
    PullRequestEvent,
    PullRequestKey,
    Rerun,
    Stage,
    Temporary,
    Trigger,
)
from deployer.planning import concerned
from deployer.retries import DEPLOYMENTS, REPORTS, Budget
from deployer.settings import SettingsError
from deployer.source.mirror import Mirror
from deployer.webhooks.receive import Refused, interpret
from jobs import commands, proposal, rerun
from jobs.admission import admission
from jobs.plan import Origin, Plan, broken, lease_name, turn
from jobs.resources import Resources

log = structlog.get_logger()

FULL = timedelta(seconds=1)
"""After this a delivery is looked at again for which there was no place at its forge."""

DEATHS = 3
"""A delivery that takes its worker along this often is not planned again."""
_DEADLY = f"its worker died {DEATHS} times while planning it (out of memory?)"


def plan_delivery(given: Resources, forge: str, delivery_id: str) -> list[EnvironmentKey]:
    """Plan one recorded delivery; safe to run any number of times.

    While somebody else plans its repository it stands back, also if that is this very delivery: a fetch may take longer
    than a claim lasts.

    Returns:
        The environments that have something to deploy.
    """
    asked = ask(given, forge, delivery_id)
    if isinstance(asked, Ignored):
        given.store.audit.add("ignored", at=given.clock(), forge=forge, delivery=delivery_id, reason=asked.reason)
        given.store.deliveries.planned(forge, delivery_id)
        return []
    if isinstance(asked, Wish) and (pause := asked.pause):
        return _put_off(given, asked.delivery, timedelta(seconds=pause))
    with admission(given, forge, wish=isinstance(asked, Wish)) as there:
        if there:
            return _grant(given, asked) if isinstance(asked, Wish) else _plan(given, asked)
    return _put_off(given, asked.delivery, FULL)


def _put_off(given: Resources, delivery: Delivery, wait: timedelta) -> list[EnvironmentKey]:
    """Whoever has a place at the forge, or the clock, comes back to it."""
    given.store.deliveries.put_off(delivery.forge, delivery.id, due=given.clock() + wait)
    return []


def _grant(given: Resources, wish: Wish) -> list[EnvironmentKey]:
    """A wish is nobody else's while its forge is asked, but holds up no merge of its repository."""
    forge, delivery_id = wish.delivery.forge, wish.delivery.id
    with given.store.leases.hold(f"wish:{forge}:{delivery_id}") as lease:
        if lease is None:
            return []
        if given.store.deliveries.begun(forge, delivery_id) <= DEATHS:
            return wish.plan()
        wish.give_up(_DEADLY)
    return []


def _plan(given: Resources, asked: Asked) -> list[EnvironmentKey]:
    with turn(given, asked.branch) as mine:
        if mine:
            return asked.plan()
    _stand_back(given, asked.branch, asked.delivery)
    return []


def _stand_back(given: Resources, branch: BranchKey, delivery: Delivery) -> None:
    """Somebody else is at the repository: be planned after that, unless it has ended just now."""
    given.store.deliveries.stand_back(delivery, repository=branch.repository)
    if not given.store.leases.held(lease_name(branch)):
        given.store.deliveries.wake(branch.forge, branch.repository, at=given.clock())


def ask(given: Resources, forge: str, delivery_id: str) -> Asked | Wish | Ignored:
    """What a delivery asks for. It was understood when it came in; the settings may have changed since."""
    delivery = given.store.deliveries.get(forge, delivery_id)
    if delivery is None:
        return Ignored("the delivery is not on record any more")
    settings = given.settings.forges.get(forge)
    if settings is None:
        return Ignored(f"forge {forge} is not in the settings any more")
    try:
        event = interpret(settings.kind, dict(delivery.headers), delivery.body)
    except Refused as error:
        return Ignored(f"the record cannot be read: {error}")
    if isinstance(event, Ignored):
        return event
    found = concerned(event, forge=forge, environments=given.settings.environments, app_id=settings.app_id)
    if isinstance(found, Ignored):
        return found
    return Asked(given, delivery, event, found) if isinstance(event, Merge) else Wish(given, delivery, event, found)


@dataclass(frozen=True, slots=True)
class Asked:
    """What one delivery asks for: a merge, to the environments that it may reach (at least one)."""

    given: Resources
    delivery: Delivery
    merge: Merge
    environments: tuple[Environment, ...]

    @property
    def branch(self) -> BranchKey:
        """What was merged to."""
        return self.environments[0].branch_key

    def plan(self) -> list[EnvironmentKey]:
        """Queue what is to be deployed; on a fault, try again later or fail the deployments with the reason.

        Returns:
            The environments that have something to deploy.
        """
        forge, delivery_id, commit = self.delivery.forge, self.delivery.id, self.merge.commit
        planned: list[EnvironmentKey] = []
        plan = Plan(self.given, self._origin(), self.branch, self.environments)
        if self.merge.number is not None:
            proposal.merged(self.given, PullRequestKey(forge, self.merge.repository, self.merge.number), commit)
        try:
            self._refuse_deadly()
            mirror = self.given.mirror(self.environments[0])
            for key in plan.run(self._tip(mirror), mirror):
                planned.append(key)  # what there is when it breaks off counts
        except Temporary as fault:
            if _postponed(self.given, self.delivery, fault, budget=DEPLOYMENTS):
                return planned
            plan.refuse(commit, f"{Stage.PLAN}: {fault.message}")
        except Permanent as failure:
            plan.refuse(commit, f"{Stage.PLAN}: {failure.message}")
        except SettingsError as error:
            plan.refuse(commit, f"settings: {error}")
        except (RedisError, JobTimeoutException):
            raise  # nothing can be written down now, or this job's time is up: it is owed as it was
        except Exception as error:
            log.exception("internal error", forge=forge, delivery=delivery_id)
            plan.refuse(commit, broken(error))
        self.given.store.deliveries.planned(forge, delivery_id, receipt=plan.origin.receipt)
        log.info("plan", forge=forge, delivery=delivery_id, commit=commit, environments=list(map(str, planned)))
        return planned

    def _refuse_deadly(self) -> None:
        if self.given.store.deliveries.begun(self.delivery.forge, self.delivery.id) > DEATHS:
            raise Permanent(_DEADLY, stage=Stage.PLAN)

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

    def _origin(self) -> Origin:
        receipt = self.given.store.deliveries.receipt(self.delivery.forge, self.delivery.id)
        return Origin(Trigger.MERGE, self.merge.actor, self.merge.title, self.delivery.id, receipt)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asks for with one delivery, about environments of one repository (at least one)."""

    given: Resources
    delivery: Delivery
    event: PullRequestEvent | Rerun | Command
    environments: tuple[Environment, ...]

    @property
    def pause(self) -> float:
        """Seconds for which the forge wants to be asked nothing. Previews keep to that by themselves."""
        return 0.0 if isinstance(self.event, PullRequestEvent) else self.given.store.posted.hushed(self.delivery.forge)

    def plan(self) -> list[EnvironmentKey]:
        """Do what is asked for if the person may ask for it; on a fault, try again later or give it up with the reason.

        In doubt nothing is done.

        Returns:
            The environments that have something to deploy.
        """
        planned: list[EnvironmentKey] = []
        try:
            planned = self._do()
        except Temporary as fault:
            if fault.retry_after:
                self.given.store.posted.hush(self.delivery.forge, seconds=fault.retry_after)
            # People wait for an answer; a preview waits for its forge, as it does once it is owed.
            budget = REPORTS if isinstance(self.event, PullRequestEvent) else DEPLOYMENTS
            if not _postponed(self.given, self.delivery, fault, budget=budget):
                self.give_up(fault.message)
        except Permanent as failure:
            self.give_up(failure.message)
        except SettingsError as error:
            self.give_up(f"settings: {error}")
        except (RedisError, JobTimeoutException):
            raise  # as for a merge
        except Exception as error:
            log.exception("internal error", forge=self.delivery.forge, delivery=self.delivery.id)
            self.give_up(broken(error))
        else:
            self.given.store.deliveries.planned(self.delivery.forge, self.delivery.id)
        return planned

    def _do(self) -> list[EnvironmentKey]:
        match self.event:
            case PullRequestEvent():
                if ignored := proposal.ask(self.given, self.delivery.forge, self.event):
                    self._audit("ignored", ignored.reason)
                return []
            case Rerun():
                return rerun.run_again(self.given, self.delivery, self.event, self.environments)
            case Command():
                return commands.obey(self.given, self.delivery, self.event, self.environments)

    def give_up(self, reason: str) -> None:
        """Let go of what is asked for, and say so where the person looks, as far as the forge lets us."""
        log.warning("not done", forge=self.delivery.forge, delivery=self.delivery.id, error=reason)
        self._audit("failed", reason)
        match self.event:
            case Rerun():
                rerun.give_up(self.given, self.delivery, self.event, self.environments)
            case Command():
                commands.give_up(self.given, self.delivery, self.event)
        self.given.store.deliveries.planned(self.delivery.forge, self.delivery.id)

    def _audit(self, what: str, reason: str) -> None:
        delivery, event = self.delivery, self.event
        self.given.store.audit.add(
            what,
            at=self.given.clock(),
            forge=delivery.forge,
            delivery=delivery.id,
            repository=event.repository,
            actor=event.actor,
            asked=about(event),
            reason=reason,
        )


def _postponed(given: Resources, delivery: Delivery, fault: Temporary, *, budget: Budget) -> bool:
    """Whether what a delivery asks for is tried once more, after a while."""
    attempt = given.store.deliveries.attempt(delivery.forge, delivery.id)
    delay = budget.delay(attempt, fault, dice=random.random)
    if delay is None:
        return False
    log.warning("plan", delivery=delivery.id, retry=budget.announce(attempt, delay, fault))
    given.store.deliveries.owe(delivery.forge, delivery.id, due=given.clock() + timedelta(seconds=delay))
    given.queues.plan(delay=delay)
    return True
