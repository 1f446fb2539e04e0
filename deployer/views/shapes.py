"""The JSON that people's programs rely on: one function for each thing that is shown. Names here never change."""

from __future__ import annotations

from datetime import UTC, datetime

from deployer.forges import drift_words
from deployer.holding import Checked
from deployer.model import JSON, Author, Deployment, Environment, FieldDrift, ObjectDrift, ObjectResult, StageRecord
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
        "superseded_by": found.superseded_by,
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
        "source": found.source or None,
    }


def drift(checked: Checked) -> dict[str, JSON]:
    """In what an environment differs from what it runs, by the last look at that."""
    return {
        "state": checked.state.value,
        "objects": [drifted(each) for each in checked.objects],
        "checked_at": time(checked.checked_at),
    }


def drifted(found: ObjectDrift) -> dict[str, JSON]:
    """One object that is not as git wants it. Of what is hidden there are no values."""
    return {
        "api_version": found.ref.api_version,
        "kind": found.ref.kind,
        "namespace": found.ref.namespace,
        "name": found.ref.name,
        "drift": found.kind.value,
        "fields": [drifted_field(each) for each in found.fields],
        "note": found.note,
        **_author(found.author),
    }


def drifted_field(each: FieldDrift) -> dict[str, JSON]:
    """One field of such an object."""
    values: dict[str, JSON] = {"git": None, "live": None} if each.hidden else {"git": each.git, "live": each.live}
    return {"path": each.path, **values, "hidden": each.hidden, **_author(each.author)}


def _author(found: Author | None) -> dict[str, JSON]:
    return {"manager": found.manager if found else None, "at": time(found.at) if found else None}


def environment(found: Environment, state: EnvironmentState, last: Checked) -> dict[str, JSON]:
    """An environment, what it runs, and in what the cluster differs from that."""
    checked = last.of(state.deployed)
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
        "drift": drift(checked),
        "drift_policy": found.drift.value,
        "drift_since": time(checked.since),
        "drift_summary": drift_words.said(checked),
    }
