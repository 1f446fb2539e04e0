"""Accepts deployments: the one place where a deployment begins, whoever asked for it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from deployer.model import ON_ITS_WAY, Deployment, Environment, EnvironmentKey, State, Trigger
from deployer.planning import ASKED
from deployer.store import Store
from jobs.queue import Queues


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for, by whom and why."""

    key: EnvironmentKey
    commit: str
    trigger: Trigger
    delivery: str | None = None
    actor: str | None = None
    title: str | None = None
    note: str | None = None
    """What else there is to know about it."""
    back_from: str | None = None
    """Of a rollback: the commit that was planned last."""


@dataclass(frozen=True, slots=True)
class Intake:
    """Turns requests into queued deployments."""

    store: Store
    queues: Queues
    clock: Callable[[], datetime]

    def accept(self, request: Request) -> Deployment:
        """Queue a deployment and have it reported. The caller runs it or has it run; the clock does if the caller dies.

        Returns:
            The new deployment; or the one of the same commit that has not ended yet, which the request joins. What
            somebody asked for by name does not join one that is applied and only waited for: it supersedes that.
        """
        asked = self._deployment(request)
        accepted = self.store.deployments.queue(asked, anew=request.trigger in ASKED, note=request.note)
        if accepted.id == asked.id and request.note:
            self.store.deployments.log(accepted.id, request.note, at=self.clock())
        self.queues.report()
        return accepted

    def go_back(self, environment: Environment, commit: str, *, actor: str | None) -> Deployment:
        """Queue a rollback. What was planned of the branch by now stays away from then on; what is merged later goes
        ahead.

        Returns:
            As `accept`.
        """
        planned = self.store.environments.planned(environment.branch_key)
        return self.accept(Request(environment.key, commit, Trigger.ROLLBACK, actor=actor, back_from=planned))

    def end(self, request: Request, state: State, reason: str) -> Deployment:
        """Record a deployment that ends before it begins, so that its commit says why.

        Returns:
            It; or the one of the same commit that has not ended yet, which is left to whoever runs it.
        """
        ended = replace(self._deployment(request), state=state, summary=reason, finished_at=self.clock())
        accepted = self.store.deployments.queue(ended, note=reason)
        if accepted.id == ended.id:
            self.queues.report()
            key = request.key
            self.store.counters.add(
                "deployments", repository=key.repository, environment=key.environment, state=state.value
            )
        return accepted

    def _deployment(self, request: Request) -> Deployment:
        return Deployment(
            id=new_id(self.clock()),
            key=request.key,
            commit=request.commit,
            trigger=request.trigger,
            state=State.QUEUED,
            summary=ON_ITS_WAY,
            created_at=self.clock(),
            delivery=request.delivery,
            actor=request.actor,
            title=request.title,
            back_from=request.back_from,
        )


def new_id(at: datetime) -> str:
    """An id that sorts by time and cannot be guessed: it is what opens the deployment's page."""
    return f"{int(at.timestamp() * 1000):012x}{secrets.token_hex(8)}"
