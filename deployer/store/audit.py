"""The audit: one row for each thing that was asked, decided or done, in the order in which it happened."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from redis import Redis

from deployer.model import Deployment, State
from deployer.store.codec import read_time, text, write_time

STREAM = "deployer:audit"
ROWS_KEPT = 100_000
_PAGE = 500


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One row. `fields` name the forge, delivery, repository, environment, commit, actor… as far as they are known."""

    at: datetime
    what: str
    fields: Mapping[str, str]


class Audit:
    """An append-only stream of rows. Nothing in it is secret."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def add(self, what: str, *, at: datetime, **fields: str | None) -> None:
        """Append a row; fields that are None are left out."""
        row = write_row(what, at=at, **fields)
        self._redis.xadd(STREAM, {"row": row}, maxlen=ROWS_KEPT, approximate=True)

    def rows(self) -> Iterator[AuditRow]:
        """All rows, oldest first."""
        start = "-"
        while page := self._redis.xrange(STREAM, min=start, count=_PAGE):
            for _, fields in page:
                row = json.loads((fields or {})[b"row"])
                yield AuditRow(read_time(row.pop("at")), row.pop("what"), row)
            start = f"({text(page[-1][0])}"


def write_row(what: str, *, at: datetime, **fields: str | None) -> str:
    """A row as JSON."""
    known = {name: value for name, value in fields.items() if value is not None}
    return json.dumps({"what": what, "at": write_time(at), **known})


def write_step(deployment: Deployment, state: State, *, at: datetime, reason: str | None = None) -> str:
    """A row that says which state a deployment has reached, for the scripts that write both in one step."""
    return write_row(
        state.value,
        at=at,
        forge=deployment.key.forge,
        repository=deployment.key.repository,
        environment=deployment.key.environment,
        commit=deployment.commit,
        trigger=deployment.trigger.value,
        delivery=deployment.delivery,
        actor=deployment.actor,
        deployment=deployment.id,
        reason=reason,
    )
