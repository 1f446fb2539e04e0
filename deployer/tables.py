"""What the command line prints: rows of environments and of the audit, for people and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict

from deployer.forges import report
from deployer.model import Deployment, Environment, EnvironmentKey, Place
from deployer.store.audit import AuditRow
from deployer.store.environments import EnvironmentState
from deployer.views import shapes

StatusRow = tuple[Environment, EnvironmentState, tuple[Deployment, ...]]
"""An environment, what it runs, and its last deployment if there was one."""


LeftBehind = Mapping[EnvironmentKey, tuple[Place, ...]]
"""Environments that the settings have no more, and where they were."""


def status(rows: Iterable[StatusRow], left: LeftBehind) -> str:
    """One line per environment: what it runs, and how the last deployment went; then what was left behind."""
    lines = [("ENVIRONMENT", "DEPLOYED", "STATE", "SUMMARY"), *map(_status_line, rows)]
    return "\n".join([aligned(lines), *_left_lines(left)])


def status_json(rows: Iterable[StatusRow], left: LeftBehind) -> str:
    """What the API shows of environments, with the last deployment in full; and what was left behind."""
    environments = [
        shapes.environment(environment, state) | {"last": shapes.deployment(last[0]) if last else None}
        for environment, state, last in rows
    ]
    behind = [
        {"forge": key.forge, "repository": key.repository, "environment": key.environment, **asdict(place)}
        for key, places in left.items()
        for place in places
    ]
    return json.dumps({"environments": environments, "left_behind": behind}, indent=2)


def audit(row: AuditRow) -> str:
    """One row of the audit on one line."""
    fields = " ".join(f"{name}={value}" for name, value in row.fields.items())
    return f"{shapes.time(row.at)} {row.what:<10} {fields}"


def audit_json(row: AuditRow) -> str:
    """One row of the audit as a JSON object."""
    return json.dumps({"at": shapes.time(row.at), "what": row.what, **row.fields})


def aligned(lines: Iterable[tuple[str, ...]]) -> str:
    """Columns as wide as their widest cell; the last one as it is."""
    rows = list(lines)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    return "\n".join("  ".join([*map(str.ljust, row, widths), row[-1]]) for row in rows)


def _left_lines(left: LeftBehind) -> Iterator[str]:
    for key, places in left.items():
        yield from (report.left_behind(key, place) for place in places)


def _status_line(row: StatusRow) -> tuple[str, ...]:
    environment, state, last = row
    deployed = (state.deployed or "-")[:12]
    if not last:
        return str(environment.key), deployed, "-", "nothing was deployed yet"
    return str(environment.key), deployed, last[0].state.value, last[0].summary
