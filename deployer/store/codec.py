"""How the project's values are written in Redis: flat hashes of UTF-8 strings, times as RFC 3339 in UTC.

Never pickles; a field that is absent is None.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from deployer.model import (
    Action,
    Deployment,
    EnvironmentKey,
    ObjectRef,
    ObjectResult,
    Stage,
    StageRecord,
    State,
    Trigger,
)


def write_time(at: datetime) -> str:
    """RFC 3339 in UTC with microseconds, as in `2026-11-23T10:00:00.000000Z`."""
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def read_time(written: str) -> datetime:
    """Read what `write_time` wrote."""
    return datetime.fromisoformat(written)


def text(raw: object) -> str:
    """One reply as redis-py gives it, decoded."""
    return raw.decode() if isinstance(raw, bytes) else str(raw)


def text_hash(raw: Mapping[bytes | str, bytes | str]) -> dict[str, str]:
    """A hash as redis-py gives it, decoded."""
    return {text(name): text(value) for name, value in raw.items()}


def write_deployment(deployment: Deployment) -> dict[str, str]:
    """The fields of a deployment's hash."""
    fields = {
        "id": deployment.id,
        "key": str(deployment.key),
        "commit": deployment.commit,
        "trigger": deployment.trigger.value,
        "state": deployment.state.value,
        "summary": deployment.summary,
        "created_at": write_time(deployment.created_at),
        "finished_at": write_time(deployment.finished_at) if deployment.finished_at else None,
        "delivery": deployment.delivery,
        "actor": deployment.actor,
        "title": deployment.title,
        "superseded_by": deployment.superseded_by,
        "previewed": deployment.previewed,
        "back_from": deployment.back_from,
    }
    return {name: value for name, value in fields.items() if value is not None}


def read_deployment(fields: Mapping[str, str]) -> Deployment:
    """Read what `write_deployment` wrote."""
    finished = fields.get("finished_at")
    return Deployment(
        id=fields["id"],
        key=EnvironmentKey.parse(fields["key"]),
        commit=fields["commit"],
        trigger=Trigger(fields["trigger"]),
        state=State(fields["state"]),
        summary=fields["summary"],
        created_at=read_time(fields["created_at"]),
        finished_at=read_time(finished) if finished else None,
        delivery=fields.get("delivery"),
        actor=fields.get("actor"),
        title=fields.get("title"),
        superseded_by=fields.get("superseded_by"),
        previewed=fields.get("previewed"),
        back_from=fields.get("back_from"),
    )


def write_stage(record: StageRecord) -> str:
    """One stage as JSON."""
    return json.dumps(
        {
            "stage": record.stage.value,
            "started_at": write_time(record.started_at),
            "finished_at": write_time(record.finished_at) if record.finished_at else None,
            "message": record.message,
        }
    )


def read_stage(written: bytes | str) -> StageRecord:
    """Read what `write_stage` wrote."""
    value = json.loads(written)
    finished = value["finished_at"]
    return StageRecord(
        stage=Stage(value["stage"]),
        started_at=read_time(value["started_at"]),
        finished_at=read_time(finished) if finished else None,
        message=value["message"],
    )


def write_result(result: ObjectResult) -> dict[str, str | None]:
    """One object's result, as the API shows it too."""
    return {
        "api_version": result.ref.api_version,
        "kind": result.ref.kind,
        "namespace": result.ref.namespace,
        "name": result.ref.name,
        "action": result.action.value,
        "message": result.message,
        "source": result.source,
    }


def read_result(value: Mapping[str, str | None]) -> ObjectResult:
    """Read what `write_result` wrote."""
    ref = ObjectRef(str(value["api_version"]), str(value["kind"]), value["namespace"], str(value["name"]))
    return ObjectResult(ref, Action(str(value["action"])), str(value["message"]), str(value.get("source") or ""))
