"""How a row of the audit is written: by the audit itself, and by the scripts that do a thing and say so in one step.

Nothing in a row may be secret: reasons come from failures, which hold no secret, and of objects there are names only.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from deployer.model import Deployment
from deployer.store import chain
from deployer.store.codec import write_time

STREAM = "deployer:audit"
HEAD = "deployer:audit:head"
"""The head after the last row."""
KEYS = (STREAM, HEAD)
"""What each script that writes a row has among its keys."""

Value = str | int | Sequence[str]
Row = tuple[str, str]
"""A row as JSON, and its digest: two arguments of a script."""

_encode = json.JSONEncoder(separators=(",", ":")).encode


def write_row(what: str, *, at: datetime, **fields: Value | None) -> Row:
    """A row for a script; fields that are None are left out."""
    known = {name: value for name, value in fields.items() if value is not None}
    row = _encode({"what": what, "at": write_time(at), **known})
    return row, chain.digest(row.encode())


def write_step(deployment: Deployment, what: str, *, at: datetime, **fields: Value | None) -> Row:
    """A row about a deployment, for a script."""
    return write_row(
        what,
        at=at,
        forge=deployment.key.forge,
        repository=deployment.key.repository,
        environment=deployment.key.environment,
        commit=deployment.commit,
        trigger=deployment.trigger.value,
        delivery=deployment.delivery,
        actor=deployment.actor,
        deployment=deployment.id,
        **fields,
    )
