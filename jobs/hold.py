"""Holds one environment to git: compares it with the commit that it runs, and sees to what follows from that.

Nothing is written to a cluster here. What is to be put back is queued as a deployment like any other.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Container
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

import structlog

from deployer.cluster import drift
from deployer.cluster.applyset import Scope
from deployer.cluster.connection import IMPATIENT, connect
from deployer.cluster.link import THREADS
from deployer.forges import drift_words as words
from deployer.holding import Checked, DriftState, Step, decide, lasting, refusal, retold
from deployer.intake import Intake, Request
from deployer.model import Drift, Environment, Failure, Manifests, ObjectDrift, Stage, Temporary, Trigger
from deployer.reverts import Memory, among, attempted, settled
from deployer.settings import SettingsError
from deployer.source.mirror import Mirror
from deployer.source.overlay import parse, render
from deployer.store.environments import EnvironmentState
from jobs.drift_report import DriftReport
from jobs.resources import Resources

log = structlog.get_logger()

BUSY = timedelta(seconds=15)
"""An environment that is being deployed is looked at this much later, or when that has succeeded."""
MOST_AUDITED = 50

_RENDERING = threading.Lock()
"""One at a time: kustomize is for all, and what runs was rendered before, so nobody waits for long. Nothing is fetched
under it: a server may be silent for minutes."""


class Asked(StrEnum):
    """Who may keep a look waiting."""

    NOBODY = "nobody"
    REPOSITORY = "its repository"
    ELSEWHERE = "a place in its allow_remote"
    CLUSTER = "the cluster"


def repository_of(environment: Environment) -> str:
    """What environments have in common that come from one repository."""
    return f"{environment.key.forge}/{environment.key.repository}"


class Unanswered(Exception):  # noqa: N818 - reads as what happened
    """The cluster did not answer: there is no use in asking it about its other environments now."""


@dataclass(frozen=True, slots=True)
class Hold:
    """One look at one environment."""

    given: Resources
    environment: Environment
    wanted: Callable[[], bool] = lambda: True
    """Whether somebody still waits for what comes of it; otherwise nothing is written down."""
    asking: Callable[[Asked], None] = lambda _: None
    """Told who is about to be asked."""
    silent: Container[str] = ()
    """Repositories, as `repository_of` names them, whose server has not answered a moment ago: it is not asked."""

    def look(self) -> None:
        """Look once, unless it is being deployed or was never deployed.

        Raises:
            Unanswered: the cluster did not answer; that is written down.
        """
        with self.given.store.leases.hold(f"drift:{self.environment.key}") as lease:
            if lease is not None:
                self._look()

    def let_go(self) -> None:
        """Forget what is known of it, and have a commit on which something was said of its drift say so."""
        last = self.given.store.drift.get(self.environment.key)
        if last.commit is not None:
            DriftReport(self.given, self.environment).leave(last.commit)
        self.given.store.drift.forget(self.environment.key)

    def unknown(self, reason: str) -> None:
        """Write down that nothing could be found out, which is no drift.

        Nothing follows from it but a word on the commit, if it lasts: whatever was said there may be wrong by now.
        """
        state = self._state()
        if state.deployed is None:
            return
        last, now = self.given.store.drift.get(self.environment.key), self.given.clock()
        before = last.of(state.deployed)
        since = before.begun(DriftState.UNKNOWN, now=now)
        blind = Checked(
            DriftState.UNKNOWN, state.deployed, now, reason=reason, since=since, step=before.step, memory=before.memory
        )
        self._keep(last, self._lasting(blind, state))
        self._come_back(now)
        if before.state is not DriftState.UNKNOWN:
            self._audit("drift unknown", state.deployed, reason=reason)
            log.warning("drift", environment=str(self.environment.key), unknown=reason)

    def _lasting(self, blind: Checked, state: EnvironmentState) -> Checked:
        """The look itself; with another step, if the commit says by now that nothing is known."""
        unsaid = blind.step is not Step.BLIND and self.environment.drift is not Drift.IGNORE
        told = replace(blind, step=Step.BLIND)
        if unsaid and lasting(blind, interval=self.environment.drift_interval) and self._tell(told, about=state.chosen):
            return told
        return blind

    def _look(self) -> None:
        now, state = self.given.clock(), self._state()
        if self._busy():
            self._look_again(now + BUSY)
        elif state.deployed is None:
            self._come_back(now)
        elif reason := self._between(state):
            self.unknown(reason)
        else:
            self._compare(state, state.deployed)

    def _compare(self, state: EnvironmentState, deployed: str) -> None:
        try:
            mirror = self._fetched(deployed)
            if not self.wanted():
                return
            desired = self._manifests(deployed, mirror)
        except (Failure, SettingsError) as failure:
            if self.wanted():
                self.unknown(f"{Stage.RENDER}: {failure}")
            return
        try:
            self.asking(Asked.CLUSTER)
            found = self._found(desired)
        except (Failure, SettingsError) as failure:
            if self.wanted():
                self.unknown(str(failure))
            if isinstance(failure, Temporary):
                raise Unanswered(str(failure)) from failure
            return
        if not self.wanted():
            return
        if self._busy() or self._state() != state:
            self._look_again(self.given.clock() + BUSY)
        else:
            self._conclude(state, deployed, found)

    def _fetched(self, commit: str) -> Mirror:
        """The mirror, in which the commit is by now."""
        self.asking(Asked.REPOSITORY)
        mirror = self.given.mirror(self.environment)
        if not mirror.has(commit):
            if repository_of(self.environment) in self.silent:
                raise Temporary(f"{Asked.REPOSITORY} did not answer a moment ago", stage=Stage.FETCH)
            mirror.ensure(commit, branch=self.environment.branch)
        return mirror

    def _manifests(self, commit: str, mirror: Mirror) -> Manifests:
        fetches = bool(self.environment.allow_remote)
        self.asking(Asked.ELSEWHERE if fetches else Asked.NOBODY)
        with nullcontext() if fetches else _RENDERING:
            rendered = render(self.environment, commit, mirror=mirror, cache=self.given.renders, anew=False)
            return parse(rendered, self.given.renders)

    def _found(self, desired: Manifests) -> tuple[ObjectDrift, ...]:
        name = self.environment.cluster
        with (
            connect(
                self.given.settings.clusters[name],
                name=name,
                service_account=self.environment.service_account,
                patience=IMPATIENT,
            ) as connection,
            ThreadPoolExecutor(THREADS, thread_name_prefix="drift") as threads,
        ):
            scope = replace(Scope.of(self.environment), digest=desired.digest if desired.fetched else None)
            return drift.check(connection, desired.objects, scope=scope, threads=threads)

    def _conclude(self, state: EnvironmentState, deployed: str, found: tuple[ObjectDrift, ...]) -> None:
        last, policy, now = self.given.store.drift.get(self.environment.key), self.environment.drift, self.given.clock()
        before = last.of(deployed)
        found = retold(found, before)
        decision = decide(found, policy=policy, memory=self._settled(before.memory), since=state.chosen, now=now)
        seen = DriftState.DRIFTED if found else DriftState.IN_SYNC
        checked = Checked(
            seen, deployed, now, found, since=before.begun(seen, now=now),
            step=decision.step, again=decision.again, memory=decision.memory,
        )  # fmt: skip
        self._keep(last, checked)  # before it is put back: the cool-down is to be known, whoever is killed
        self._note(before, checked)
        reverting = self._revert(checked, deployed) if checked.step is Step.REVERT else None
        self._come_back(now, latest=decision.again)
        if policy is not Drift.IGNORE:
            why = refusal(checked)
            self._tell(checked, about=why.deployment if why else reverting or state.chosen)

    def _keep(self, last: Checked, checked: Checked) -> None:
        """Write down a look; the commit of the last one is seen to if it does not run any more."""
        if last.commit is not None and last.commit != checked.commit:
            DriftReport(self.given, self.environment).leave(last.commit)
        self.given.store.drift.keep(self.environment.key, checked)

    def _settled(self, memory: Memory) -> Memory:
        """What is remembered, once it is counted what the last revert did."""
        if memory.attempt is None:
            return memory
        deployments, name = self.given.store.deployments, memory.attempt.deployment
        after = settled(memory, deployments.get(name), deployments.objects(name))
        if after.reverts != memory.reverts:
            key = self.environment.key
            self.given.store.counters.add("drift_reverts", repository=key.repository, environment=key.environment)
        return after

    def _revert(self, checked: Checked, deployed: str) -> str:
        """Queue a deployment that puts back what drifted; its id, or that of the one of the commit that it joins."""
        note = f"puts back what drifted: {'; '.join(words.without_values(checked.objects)[:MOST_AUDITED])}"
        request = Request(self.environment.key, deployed, Trigger.DRIFT, note=note)
        deployment = Intake(self.given.store, self.given.queues, self.given.clock).accept(request)
        self.given.queues.deploy()
        if deployment.trigger is Trigger.DRIFT:
            memory = attempted(checked.objects, checked.memory, deployment=deployment.id)
            self.given.store.drift.keep(self.environment.key, replace(checked, memory=memory))
        return deployment.id

    def _tell(self, checked: Checked, *, about: str | None) -> bool:
        return DriftReport(self.given, self.environment).tell(checked, checked.commit or "", about=about)

    def _note(self, before: Checked, now: Checked) -> None:
        """Say what is new, in the audit and in the log."""
        commit, key = now.commit or "", str(self.environment.key)
        objects = words.without_values(now.objects)
        news = (before.state, words.without_values(before.objects)) != (now.state, objects)
        first = before.state is not DriftState.DRIFTED and now.state is DriftState.IN_SYNC
        back = before.state is DriftState.UNKNOWN
        if news and (not first or back):
            self._audit(
                "drifted" if now.objects else "in_sync", commit, objects=objects[:MOST_AUDITED], found=len(objects)
            )
            log.info("drift", environment=key, commit=commit, state=now.state.value, found=len(objects))
        given_up = now.memory.stopped.keys() - before.memory.stopped.keys()
        if fought := [part for drift in now.objects if (part := among(drift, given_up)) is not None]:
            named = words.without_values(fought)[:MOST_AUDITED]
            self._audit("revert stopped", commit, objects=named, reason=words.fight(now))
            log.warning("drift", environment=key, commit=commit, not_reverted=words.fight(now))

    def _come_back(self, now: datetime, *, latest: datetime | None = None) -> None:
        """Look again after the interval, a quarter more or less, so that not all are looked at together."""
        due = now + timedelta(seconds=self.environment.drift_interval * (0.75 + random.random() / 2))  # noqa: S311
        self._look_again(min(due, latest) if latest else due)

    def _look_again(self, due: datetime) -> None:
        if self.environment.drift is not Drift.IGNORE:
            self.given.store.drift.look_at(self.environment.key, due=due)

    def _busy(self) -> bool:
        """Whether it is being deployed, or about to be."""
        key = self.environment.key
        return self.given.store.leases.held(str(key)) or bool(self.given.store.deployments.queued(key))

    def _between(self, state: EnvironmentState) -> str | None:
        """Why the cluster is not at one commit, if it may have been left between two."""
        if state.desired == state.deployed or state.chosen is None:
            return None
        if not any(record.stage is Stage.APPLY for record in self.given.store.deployments.stages(state.chosen)):
            return None
        return f"the deployment of {(state.desired or '')[:12]} did not succeed, so what runs may be of two commits"

    def _state(self) -> EnvironmentState:
        return self.given.store.environments.get(self.environment.key)

    def _audit(self, what: str, commit: str, **fields: str | int | tuple[str, ...]) -> None:
        key = self.environment.key
        self.given.store.audit.add(
            what,
            at=self.given.clock(),
            forge=key.forge,
            repository=key.repository,
            environment=key.environment,
            commit=commit,
            **fields,
        )
