"""What the command line prints: rows of environments and of the audit, for people and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime

from deployer.forges import drift_words, report
from deployer.holding import Checked, DriftState
from deployer.model import BranchKey, Deployment, Environment, EnvironmentKey, Place
from deployer.store.audit import AuditRow
from deployer.store.codec import write_time
from deployer.store.environments import EnvironmentState
from deployer.store.rows import Value
from deployer.store.tips import Trouble
from deployer.views import shapes

StatusRow = tuple[Environment, EnvironmentState, tuple[Deployment, ...], Checked]
"""An environment, what it runs, its last deployment if there was one, and the last look for drift."""


LeftBehind = Mapping[EnvironmentKey, tuple[Place, ...]]
"""Environments that the settings have no more, and where they were."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """What our own looks at the branches found."""

    missed: Sequence[tuple[str, str, int, datetime]] = ()
    """Forge, repository, how many merges no webhook told of, and when the last of them was found."""
    troubles: Mapping[BranchKey, Trouble] = field(default_factory=dict)
    """The branches that are not followed, and why."""


def status(rows: Iterable[StatusRow], left: LeftBehind, sweep: Sweep = Sweep()) -> str:
    """One line per environment: what it runs, and how the last deployment went; then what needs a look."""
    rows = list(rows)
    lines = [("ENVIRONMENT", "DEPLOYED", "STATE", "DRIFT", "SUMMARY"), *map(_status_line, rows)]
    return "\n".join([aligned(lines), *_drift_lines(rows), *_left_lines(left), *_sweep_lines(sweep)])


def status_json(rows: Iterable[StatusRow], left: LeftBehind, sweep: Sweep = Sweep()) -> str:
    """What the API shows of environments, with the last deployment in full; and what needs a look."""
    environments = [
        shapes.environment(environment, state, checked) | {"last": shapes.deployment(last[0]) if last else None}
        for environment, state, last, checked in rows
    ]
    behind = [
        {"forge": key.forge, "repository": key.repository, "environment": key.environment, **asdict(place)}
        for key, places in left.items()
        for place in places
    ]
    shown = {"environments": environments, "left_behind": behind, **_sweep_shapes(sweep)}
    return json.dumps(shown, indent=2)


def audit(row: AuditRow) -> str:
    """One row of the audit on one line."""
    fields = " ".join(f"{name}={_cell(value)}" for name, value in row.fields.items())
    return f"{row.number} {shapes.time(row.at)} {row.what} {fields}"


def audit_json(row: AuditRow) -> str:
    """One row of the audit as a JSON object: as it is written, after its number and what it is chained by."""
    written = {"what": row.what, "at": write_time(row.at), **row.fields}
    return json.dumps({"number": row.number, "chain": row.chain, **written})


def aligned(lines: Iterable[tuple[str, ...]]) -> str:
    """Columns as wide as their widest cell; the last one as it is."""
    rows = list(lines)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    return "\n".join("  ".join([*map(str.ljust, row, widths), row[-1]]) for row in rows)


def _cell(value: Value) -> str:
    return str(value) if isinstance(value, str | int) else ",".join(value)


def drift(looks: Iterable[tuple[Environment, EnvironmentState, Checked]]) -> str:
    """One line per environment: how it stands to git; then one for each difference."""
    lines: list[str] = []
    for environment, state, last in looks:
        checked = last.of(state.deployed)
        lines.append(f"{environment.key}: {drift_words.said(checked)}")
        lines.extend(
            f"  {told}"
            for told in drift_words.told(checked.objects, day=checked.checked_at.date() if checked.checked_at else None)
        )
    return "\n".join(lines)


def drift_json(looks: Iterable[tuple[Environment, EnvironmentState, Checked]]) -> str:
    """The same, as the API shows environments."""
    return json.dumps({"environments": [shapes.environment(*look) for look in looks]}, indent=2)


def _drift_lines(rows: Iterable[StatusRow]) -> Iterator[str]:
    for environment, state, _, last in rows:
        checked = last.of(state.deployed)
        if checked.state is DriftState.UNKNOWN:
            yield f"{environment.key} drift: {drift_words.said(checked)}"
        if checked.state is DriftState.DRIFTED:
            since = f" since {checked.since:{drift_words.TIME}}" if checked.since else ""
            yield f"{environment.key} drift{since}: {drift_words.said(checked)}"


def _left_lines(left: LeftBehind) -> Iterator[str]:
    for key, places in left.items():
        yield from (report.left_behind(key, place) for place in places)


def _sweep_lines(sweep: Sweep) -> Iterator[str]:
    for forge, repository, count, last in sweep.missed:
        told = f"{count} merge{'' if count == 1 else 's'} that no webhook told of, the last found {shapes.time(last)}"
        yield f"{forge}/{repository}: {told}; check its webhook"
    for branch, trouble in sweep.troubles.items():
        yield f"{branch} is not followed since {shapes.time(trouble.since)}: {report.line(trouble.message)}"


def _sweep_shapes(sweep: Sweep) -> Mapping[str, list[dict[str, object]]]:
    missed: list[dict[str, object]] = [
        {"forge": forge, "repository": repository, "count": count, "last_at": shapes.time(last)}
        for forge, repository, count, last in sweep.missed
    ]
    troubles: list[dict[str, object]] = [
        {
            "forge": branch.forge, "repository": branch.repository, "branch": branch.name,
            "since": shapes.time(trouble.since), "reason": trouble.message,
        }
        for branch, trouble in sweep.troubles.items()
    ]  # fmt: skip
    return {"webhooks_missed": missed, "not_followed": troubles}


def _status_line(row: StatusRow) -> tuple[str, ...]:
    environment, state, last, checked = row
    deployed, drift = (state.deployed or "-")[:12], checked.of(state.deployed).state.value.replace("_", " ")
    if not last:
        return str(environment.key), deployed, "-", drift, "nothing was deployed yet"
    return str(environment.key), deployed, last[0].state.value, drift, last[0].summary
