"""The JSON that people's programs rely on: one function for each thing that is shown. Names here never change."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from deployer.model import JSON, Deployment, Environment, ObjectResult, StageRecord
from deployer.store.environments import EnvironmentState


def time(at: datetime | None) -> str | None:
    """RFC 3339 in UTC."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None


def deployment(found: Deployment) -> dict[str, JSON]:
    """A deployment as lists show it."""
    return {
        "id": found.id,
        "forge": found.key.forge,
        "repository": found.key.repository,
        "environment": found.key.environment,
        "commit": found.commit,
        "trigger": found.trigger.value,
        "state": found.state.value,
        "summary": found.summary,
        "created_at": time(found.created_at),
        "finished_at": time(found.finished_at),
        "delivery": found.delivery,
        "actor": found.actor,
        "title": found.title,
    }


def stage(record: StageRecord) -> dict[str, JSON]:
    """One stage of a deployment."""
    return {
        "stage": record.stage.value,
        "started_at": time(record.started_at),
        "finished_at": time(record.finished_at),
        "message": record.message,
    }


def result(found: ObjectResult) -> dict[str, JSON]:
    """What happened to one object."""
    return {
        "api_version": found.ref.api_version,
        "kind": found.ref.kind,
        "namespace": found.ref.namespace,
        "name": found.ref.name,
        "action": found.action.value,
        "message": found.message,
    }


def environment(found: Environment, state: EnvironmentState) -> dict[str, JSON]:
    """An environment and what it runs. Drift is not looked for yet, and says so."""
    drift: Mapping[str, JSON] = {"state": "unchecked", "objects": [], "checked_at": None}
    return {
        "forge": found.key.forge,
        "repository": found.key.repository,
        "environment": found.key.environment,
        "branch": found.branch,
        "cluster": found.cluster,
        "namespace": found.namespace,
        "desired": state.desired,
        "deployed": state.deployed,
        "deployment": state.deployment,
        "drift": dict(drift),
    }
