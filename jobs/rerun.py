"""Does what a person asks for with a check: "Re-run", "Re-run all checks", or the button that deploys once more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from deployer.asking import DEPLOYED, PREVIEWED, Denied, asked, wish
from deployer.forges.connect import Forge
from deployer.intake import Intake, Request
from deployer.model import (
    Delivery,
    Environment,
    EnvironmentKey,
    Ignored,
    Permanent,
    PullRequestKey,
    Rerun,
    Stage,
    State,
    Trigger,
)
from deployer.store.previews import Wanted
from jobs.plan import Origin, Plan
from jobs.proposal import ask_for, owe
from jobs.resources import Resources
from jobs.reviews import Reviewer, request_of
from jobs.rights import Person

log = structlog.get_logger()


def run_again(
    given: Resources, delivery: Delivery, event: Rerun, environments: tuple[Environment, ...]
) -> list[EnvironmentKey]:
    """Deploy or preview a commit once more where a person asks for that and may. Safe to run any number of times.

    Args:
        given: the resources.
        delivery: which one asks.
        event: what it asks for.
        environments: those that it may be about, at least one.

    Returns:
        The environments that have something to deploy.

    Raises:
        Permanent: the forge does not tell what the person may do.
        Temporary: the forge, or the repository, cannot be asked now.
    """
    forge = given.forge(delivery.forge)
    if forge is None:
        raise Permanent("there is neither a token nor an App to ask the forge who may do what", stage=Stage.RECEIVE)
    return _Again(given, delivery, event, forge).run(environments)


def give_up(given: Resources, delivery: Delivery, event: Rerun, environments: tuple[Environment, ...]) -> None:
    """What `run_again` could not do in all its tries is not done: have each check that waits for it get an end.

    For checks of deployments that is owed already. Those of previews get theirs with the next preview of their
    request, which is one that any push would get.
    """
    names = _previews(event, environments)
    for wanted in _requests(given, delivery.forge, event, environments):
        _reopen(given, wanted, names, event.commit)
        if any(commit == event.commit for _, commit in given.store.previews.unended(wanted.key)):
            owe(given, wanted)


def _previews(event: Rerun, environments: tuple[Environment, ...]) -> list[str]:
    """The checks of previews that are asked for."""
    return [f"{PREVIEWED}/{each.key.environment}" for each in environments if asked(event, PREVIEWED, each)]


def _requests(given: Resources, forge: str, event: Rerun, environments: tuple[Environment, ...]) -> list[Wanted]:
    """The requests of which previews are asked for: those at that commit, and the one that the check was about.

    If we have forgotten that one, it counts as closed until the forge says something else.
    """
    meant = [each for each in environments if asked(event, PREVIEWED, each)]
    if not meant:
        return []
    records, named = given.store.previews, request_of(event.external_id)
    numbers = {*records.requests(forge, event.repository, at=given.clock()), *([named] if named else [])}
    found: list[Wanted] = []
    for key in (PullRequestKey(forge, event.repository, number) for number in sorted(numbers)):
        known = records.get(key)
        if known is None and key.number == named:
            found.append(Wanted(key, meant[0].branch, event.commit, from_fork=False, closed=True))
        elif known is not None and (known.head == event.commit or key.number == named):
            found.append(known)
    return found


def _reopen(given: Resources, wanted: Wanted, names: Sequence[str], commit: str) -> None:
    """The forge shows checks of a request as queued: they are owed an end, even the one that they had."""
    for name in names:
        if wanted.version:
            given.store.previews.reopen(wanted.key, name, commit)
        else:
            given.store.previews.begin(wanted.key, name, commit)


@dataclass(frozen=True, slots=True)
class _Again:
    """A person's wish for checks of one commit."""

    given: Resources
    delivery: Delivery
    event: Rerun
    forge: Forge

    def run(self, environments: tuple[Environment, ...]) -> list[EnvironmentKey]:
        event = self.event
        person = Person(self.forge, event.repository, event.actor, event.actor_id)
        names = _previews(event, environments)
        requests = _requests(self.given, self.delivery.forge, event, environments)
        self._tell_again(tuple(each for each in environments if asked(event, DEPLOYED, each)))
        try:
            person.must_write()
        except (Denied, Permanent) as refusal:
            self._leave(requests, names)
            if isinstance(refusal, Permanent):
                raise
            self._audit("refused", None, str(refusal))
            return []
        for wanted in requests:
            self._preview(wanted, names)
        found = [self._deploy(person, each) for each in environments if self._is_meant(each)]
        return [key for key in found if key is not None]

    def _is_meant(self, environment: Environment) -> bool:
        """All checks of a commit are those that it has: of environments that it was planned for."""
        known = self.given.store.deployments.latest(environment.key, self.event.commit) is not None
        return asked(self.event, DEPLOYED, environment) and (known or bool(self.event.names))

    def _tell_again(self, environments: tuple[Environment, ...]) -> None:
        """Have it said anew how the commit stands. GitHub shows a check as queued once somebody asks for it again,
        whatever comes of that."""
        store, event = self.given.store, self.event
        for environment in environments:
            latest = store.deployments.latest(environment.key, event.commit)
            named = event.external_id or ""
            meant = store.deployments.get(named) if named.isalnum() else None
            for deployment in {each.id: each for each in (latest, meant) if each is not None}.values():
                if (deployment.key, deployment.commit) == (environment.key, event.commit):
                    store.showings.forget_said(deployment)
                    store.reports.owe(deployment, due=self.given.clock())
        self.given.queues.report()

    def _preview(self, wanted: Wanted, names: Sequence[str]) -> None:
        """Have a request previewed anew that brings the commit in."""
        forge, event = self.delivery.forge, self.event
        _reopen(self.given, wanted, names, event.commit)
        ignored: Ignored | None = Ignored("the request is at another commit")
        if wanted.head == event.commit or not wanted.version:
            meant = [name.partition("/")[2] for name in names if event.names]
            ignored = ask_for(self.given, forge, event.repository, wanted.key.number, environments=meant)
        if ignored:
            self._leave([wanted], names)
        self._audit("refused" if ignored else "granted", None, ignored.reason if ignored else None)

    def _leave(self, requests: Sequence[Wanted], names: Sequence[str]) -> None:
        """Show the checks of previews as they were, because there will be no new preview."""
        for wanted in requests:
            _reopen(self.given, wanted, names, self.event.commit)
            if not wanted.version:
                owe(self.given, wanted)
            for name in names:
                Reviewer(self.given, wanted).repeat(name, self.event.commit)

    def _deploy(self, person: Person, environment: Environment) -> EnvironmentKey | None:
        """Deploy the commit to an environment; the environment if there is something to deploy now."""
        try:
            person.must_deploy(environment)
        except Denied as denied:
            self._audit("refused", environment, str(denied))
            return None
        event, given = self.event, self.given
        receipt = given.store.deliveries.receipt(self.delivery.forge, self.delivery.id)
        origin = Origin(Trigger.RERUN, event.actor, None, self.delivery.id, receipt)
        try:
            mirror = given.mirror(environment)
            mirror.ensure(event.commit, branch=environment.branch)
            plan = Plan(given, origin, environment.branch_key, (environment,))
            deployment = plan.again(environment, event.commit, mirror)
        except Permanent as failure:
            request = Request(environment.key, event.commit, Trigger.RERUN, self.delivery.id, event.actor)
            intake = Intake(given.store, given.queues, given.clock)
            deployment = intake.end(request, State.FAILED, f"{Stage.PLAN}: {failure.message}")
        self._audit("granted", environment, None)
        return None if deployment.state.final else environment.key

    def _audit(self, what: str, environment: Environment | None, reason: str | None) -> None:
        event, delivery = self.event, self.delivery
        log.info("rerun", forge=delivery.forge, delivery=delivery.id, result=what, actor=event.actor, reason=reason)
        self.given.store.audit.add(
            what,
            at=self.given.clock(),
            forge=delivery.forge,
            repository=event.repository,
            environment=environment.key.environment if environment else None,
            commit=event.commit,
            delivery=delivery.id,
            actor=event.actor,
            asked=wish(event),
            reason=reason,
        )
