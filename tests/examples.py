"""Values that many tests start from. `replace` makes them into others."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from deployer.model import ON_ITS_WAY, BranchKey, Deployment, Environment, EnvironmentKey, State, Trigger

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MAIN = BranchKey("github", "acme/shop", "main")
STAGING = EnvironmentKey("github", "acme/shop", "staging")
PRODUCTION = EnvironmentKey("github", "acme/shop", "production")
COMMIT = "1" * 40
NEWER = "2" * 40


def in_short(first: object, *others: object) -> Sequence[object]:
    """Values of a parameter of which the first is enough where there is little time."""
    return [first, *(pytest.param(each, marks=pytest.mark.thorough) for each in others)]


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def environment(key: EnvironmentKey = STAGING, *, branch: str = "main") -> Environment:
    return Environment(
        key=key,
        branch=branch,
        overlay=f"deploy/overlays/{key.environment}",
        cluster=key.environment,
        namespace="shop",
        force_conflicts=True,
        rollout_timeout=300,
    )


def deployment(
    deployment_id: str = "a1",
    *,
    key: EnvironmentKey = STAGING,
    commit: str = COMMIT,
    trigger: Trigger = Trigger.MERGE,
    state: State = State.QUEUED,
    created_at: datetime = NOON,
    finished_at: datetime | None = None,
) -> Deployment:
    return Deployment(
        id=deployment_id,
        key=key,
        commit=commit,
        trigger=trigger,
        state=state,
        summary=ON_ITS_WAY,
        created_at=created_at,
        finished_at=finished_at,
        delivery="d1",
        actor="ada",
        title="#7 Raise the replicas",
    )
