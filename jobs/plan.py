"""Plans a commit of a branch: finds which environments it reaches and puts a deployment into the queue of each.

Whoever told of the commit, a delivery or our own look at the branch, it goes this one way.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from deployer.intake import Intake, Request
from deployer.model import BranchKey, Deployment, Environment, EnvironmentKey, Receipt, Stage, State, Trigger
from deployer.planning import Known, decide, fingerprint, older, reached, replayed
from deployer.source.mirror import Mirror
from deployer.source.overlay import reads
from jobs.resources import Resources


@dataclass(frozen=True, slots=True)
class Origin:
    """How we know of a commit: what its deployments, and the audit, say of why they are there."""

    trigger: Trigger
    """Unless it turns out to be a replay."""
    actor: str | None = None
    title: str | None = None
    delivery: str | None = None
    receipt: Receipt | None = None
    """Of the delivery."""


@contextmanager
def turn(given: Resources, branch: BranchKey) -> Iterator[bool]:
    """Take the repository's turn to be planned, until the block ends; False when it is somebody else's.

    One at a time: others would wait for the same fetch, and with one that hangs soon nobody would plan anything.
    Deliveries that stood back meanwhile are due afterwards.
    """
    mine = False
    try:
        with given.store.leases.hold(lease_name(branch)) as lease:
            mine = lease is not None
            yield mine
    finally:
        if mine:
            given.store.deliveries.wake(branch.forge, branch.repository, at=given.clock())


def broken(error: Exception) -> str:
    """What the commit says when planning it failed for a reason that nobody thought of."""
    return f"{Stage.PLAN}: internal error ({type(error).__name__}); the worker's log has the details"


def lease_name(branch: BranchKey) -> str:
    """What is held while a repository is planned."""
    return f"planning:{branch.forge}/{branch.repository}"


@dataclass(frozen=True, slots=True)
class Plan:
    """A commit on its way to the environments that it may reach (at least one)."""

    given: Resources
    origin: Origin
    branch: BranchKey
    environments: tuple[Environment, ...]

    def run(self, commit: str, mirror: Mirror) -> Iterator[EnvironmentKey]:
        """Queue what is to be deployed. Safe to run any number of times.

        Args:
            commit: one that the mirror has verified to be on the branch.
            mirror: of the repository.

        Returns:
            Each environment that has something to deploy, as soon as it has.

        Raises:
            Permanent: what an overlay reads cannot be found out.
            Temporary: the mirror cannot be read now.
        """
        self._move_on(commit, mirror)
        standings = self.given.store.environments.standings([each.key for each in self.environments], commit)
        lost = mirror.lost(self.branch.name, {now.deployed for now in standings if now.deployed})
        found = reads(mirror, commit, {environment.overlay for environment in self.environments})
        there = [
            environment
            for environment, now in zip(self.environments, standings, strict=True)
            if reached(
                fingerprint(environment, found[environment.overlay].digest),
                settled=now.settled, deployed=now.reads, seen=now.seen, lost=now.deployed in lost,
            )
        ]  # fmt: skip
        if not there:
            self._audit_skipped(None, commit, "changes nothing that an environment is deployed from")
        for environment in there:
            if self._plan_one(environment, commit, mirror, lost=lost):
                yield environment.key

    def again(self, environment: Environment, commit: str, mirror: Mirror) -> Deployment:
        """Queue a deployment that a person asked for by name, or end it at once where something newer is deployed.

        Args:
            environment: which one.
            commit: one that the mirror has verified to be on the branch.
            mirror: of the repository.

        Returns:
            It, or the one of the same commit that it joins. Asked once more because of the same delivery, unless that
            is a replay, it is what came of it the first time.

        Raises:
            Permanent, Temporary: the mirror cannot be read.
        """
        last, receipt = self.given.store.deployments.latest(environment.key, commit), self.origin.receipt
        if last is not None and last.delivery == self.origin.delivery and not (receipt and replayed(receipt, last)):
            return last
        origin = self.origin
        request = Request(environment.key, commit, origin.trigger, origin.delivery, origin.actor, origin.title)
        ahead = self._ahead(environment, commit, mirror)
        if ahead is not None:
            return self._intake.end(request, State.SUPERSEDED, older(ahead))
        return self._intake.accept(request)

    def refuse(self, commit: str, reason: str) -> None:
        """Fail the commit where it has no word on it yet, or where somebody asked for it again."""
        receipt = self.origin.receipt
        for environment in self.environments:
            last = self.given.store.deployments.latest(environment.key, commit)
            again = last is not None and receipt is not None and replayed(receipt, last)
            if last is None or again:
                trigger = Trigger.REPLAY if again else self.origin.trigger
                self._intake.end(self._request(environment, commit, trigger), State.FAILED, reason)
            else:
                self._audit_skipped(environment, commit, reason)

    def _move_on(self, commit: str, mirror: Mirror) -> None:
        """Write down that the branch is at a commit now, before it is seen whom it reaches.

        Whoever is told of an older one later, or has it under way now, then knows that it was taken back or left alone.
        """
        environments = self.given.store.environments
        while True:
            before = environments.planned(self.branch)
            if before is not None and not mirror.has(before):
                mirror.fetch(self.branch.name)  # another machine has planned it; unless a forced push took it away
            if before is not None and mirror.is_ahead(before, commit, branch=self.branch.name):
                return
            if environments.plan(self.branch, commit, after=before):
                return

    def _plan_one(self, environment: Environment, commit: str, mirror: Mirror, *, lost: frozenset[str]) -> bool:
        """Queue a deployment unless there is a reason not to; whether there is something to deploy now."""
        known = self._known(environment, commit, mirror)
        decision = decide(commit, known=known, receipt=self.origin.receipt)
        if isinstance(decision, Trigger):
            trigger = self.origin.trigger if decision is Trigger.MERGE else decision
            note = self._taken_off(known.deployed) if known.deployed in lost else None
            self._intake.accept(replace(self._request(environment, commit, trigger), note=note))
            return True
        if decision.asked or known.last is None:  # or its commit has no word on it yet
            trigger = Trigger.REPLAY if decision.asked else self.origin.trigger
            self._intake.end(self._request(environment, commit, trigger), State.SUPERSEDED, decision.reason)
        else:
            self._audit_skipped(environment, commit, decision.reason)
        return False

    def _known(self, environment: Environment, commit: str, mirror: Mirror) -> Known:
        ahead = self._ahead(environment, commit, mirror)
        state = self.given.store.environments.get(environment.key)
        last = self.given.store.deployments.latest(environment.key, commit)
        return Known(
            state.deployed,
            ahead,
            last,
            current=last is None or self._is_current(last, state.chosen),
            is_tip=last is None or mirror.tip(self.branch.name) == commit,
            rolled_back=self._held(state.back_from, commit, mirror),
        )

    def _held(self, back_from: str | None, commit: str, mirror: Mirror) -> bool:
        """Whether the branch held a commit already when somebody went back on it."""
        if not back_from:
            return False
        return back_from == commit or (mirror.has(back_from) and mirror.contains(back_from, commit))

    def _is_current(self, last: Deployment, chosen: str | None) -> bool:
        """Whether nothing else began after a deployment. Of one that failed before it began, the ids tell: they sort by
        time."""
        if chosen is None or chosen == last.id:
            return True
        unbegun = last.state is State.FAILED and not self.given.store.deployments.stages(last.id)
        return unbegun and chosen < last.id

    def _ahead(self, environment: Environment, commit: str, mirror: Mirror) -> str | None:
        """A commit further along the branch that the environment runs or was told to run, or that left it alone."""
        state = self.given.store.environments.get(environment.key)
        branch = self.branch.name
        if not all(mirror.has(runs) for runs in state.commits):
            mirror.fetch(branch)  # unless a forced push took it away, we have it then
        planned = self.given.store.environments.planned(self.branch)
        passed = (planned,) if planned and state.deployed != commit else ()
        runs = (*state.commits, *passed)
        return next((each for each in runs if mirror.is_ahead(each, commit, branch=branch)), None)

    def _taken_off(self, deployed: str | None) -> str:
        return f"a forced push took what was deployed ({(deployed or '')[:12]}) off {self.branch.name}"

    def _request(self, environment: Environment, commit: str, trigger: Trigger) -> Request:
        """What is asked for; a replay by whoever had it sent again, of whom a forge does not tell us the name."""
        origin = self.origin
        again = (origin.receipt.by if origin.receipt else None) or f"redelivery by {self.branch.forge}"
        actor = again if trigger is Trigger.REPLAY else origin.actor
        return Request(environment.key, commit, trigger, origin.delivery, actor, origin.title)

    @property
    def _intake(self) -> Intake:
        return Intake(self.given.store, self.given.queues, self.given.clock)

    def _audit_skipped(self, environment: Environment | None, commit: str, reason: str) -> None:
        self.given.store.audit.add(
            "skipped",
            at=self.given.clock(),
            forge=self.branch.forge,
            repository=self.branch.repository,
            environment=environment.key.environment if environment else None,
            commit=commit,
            trigger=self.origin.trigger.value,
            delivery=self.origin.delivery,
            actor=self.origin.actor,
            reason=reason,
        )
