"""A deployment's life, and what its commit is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from deployer.model.environment import EnvironmentKey
from deployer.model.failure import Stage


class State(StrEnum):
    """The state of a deployment. The last four are final."""

    QUEUED = "queued"
    RUNNING = "running"
    ROLLING_OUT = "rolling_out"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    HELD = "held"

    @property
    def final(self) -> bool:
        """Whether nothing will change this state any more."""
        return self in (State.SUCCEEDED, State.FAILED, State.SUPERSEDED, State.HELD)


class Trigger(StrEnum):
    """Why a deployment was made."""

    MERGE = "merge"
    REPLAY = "replay"
    SWEEP = "sweep"
    RERUN = "rerun"
    MANUAL = "manual"
    DRIFT = "drift"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class StageRecord:
    """One stage of one deployment, for people who ask where the time went."""

    stage: Stage
    started_at: datetime
    finished_at: datetime | None = None
    message: str = ""


ON_ITS_WAY = "on its way"
"""The summary of a deployment until there is something to say. One text for all of it, so that it is said once."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """One attempt to bring one environment to one commit."""

    id: str
    key: EnvironmentKey
    commit: str
    trigger: Trigger
    state: State
    summary: str
    """One line that says what happened, or what is happening."""
    created_at: datetime
    finished_at: datetime | None = None
    delivery: str | None = None
    """Id of the delivery that asked for it."""
    actor: str | None = None
    title: str | None = None
    superseded_by: str | None = None
    """Id of the deployment that runs instead."""
    previewed: str | None = None
    """Whether what it brings is what people were shown before the merge; None when they were shown nothing."""
    back_from: str | None = None
    """Of a rollback: the commit that was planned last when somebody asked for it. Whatever its history contains stays
    away; what is merged later goes ahead."""


class StatusState(StrEnum):
    """What a commit status can say, on any forge."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"
    CANCELED = "canceled"
    ERROR = "error"
    """It is not known; that is neither good nor bad."""


@dataclass(frozen=True, slots=True)
class CommitStatus:
    """One line on a commit, as a forge shows it."""

    repository: str
    commit: str
    context: str
    state: StatusState
    description: str
    target_url: str
    branch: str | None = None
    """The branch that the commit is on, for forges that show a status in one branch's pipeline. None: left to them."""
