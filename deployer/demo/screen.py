"""What the demo shows in the terminal: a merge on its way, its checks, and what runs on each cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from deployer.model import Deployment, Stage, StageRecord, State

STAGES = (Stage.FETCH, Stage.RENDER, Stage.APPLY, Stage.ROLLOUT)
_LOOKS = {State.SUCCEEDED: ("✔", "green"), State.FAILED: ("✘", "red"), State.SUPERSEDED: ("–", "dim")}


@dataclass(frozen=True, slots=True)
class Row:
    """One environment: its deployment of the commit (once there is one), its stages, its check on the commit."""

    environment: str
    deployment: Deployment | None
    stages: Sequence[StageRecord]
    check: str | None


@dataclass(frozen=True, slots=True)
class Workload:
    """One Deployment as a cluster has it."""

    name: str
    image: str
    ready: int
    replicas: int


def journey(title: str, commit: str, rows: Sequence[Row], *, seconds: float) -> RenderableType:
    """A merge on its way through its environments."""
    table = Table(box=None, padding=(0, 2), pad_edge=False)
    for column in ("environment", *STAGES, "commit", ""):
        table.add_column(str(column), header_style="dim", no_wrap=bool(column))  # what happened may take several lines
    for row in rows:
        table.add_row(row.environment, *(_stage(row, stage) for stage in STAGES), _check(row.check), _summary(row))
    return Group(
        Text.assemble(("merged ", "dim"), (title, "bold"), (f"  {commit[:12]}  {seconds:.1f} s", "dim")), table
    )


def running(clusters: Mapping[str, Sequence[Workload]]) -> RenderableType:
    """What runs on each cluster."""
    table = Table(box=None, padding=(0, 2), pad_edge=False)
    for column in ("cluster", "deployment", "image", "ready"):
        table.add_column(column, header_style="dim")
    for cluster, workloads in clusters.items():
        for workload in workloads:
            table.add_row(cluster, workload.name, workload.image, f"{workload.ready}/{workload.replicas}")
    return table


def _stage(row: Row, stage: Stage) -> Text:
    record = next((record for record in row.stages if record.stage is stage), None)
    if record is None:
        return Text("·", "dim")
    if record.finished_at is None:
        return Text("●", "yellow")
    return Text(f"{(record.finished_at - record.started_at).total_seconds():.2f} s", "green")


def _check(state: str | None) -> Text:
    style = {"success": "green", "pending": "yellow", None: "dim"}.get(state, "red")
    return Text(state or "·", style)


def _summary(row: Row) -> Text:
    if row.deployment is None:
        return Text("·", "dim")
    mark, style = _LOOKS.get(row.deployment.state, ("●", "yellow"))
    return Text(f"{mark} {row.deployment.summary}", style)
