"""What the demo shows in the terminal: a preview, a merge on its way, its checks, and what runs on each cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from deployer.model import Deployment, Stage, StageRecord, State

STAGES = (Stage.FETCH, Stage.RENDER, Stage.APPLY, Stage.ROLLOUT)
PENDING, SUCCESS = "pending", "success"
_LOOKS = {State.SUCCEEDED: ("✔", "green"), State.FAILED: ("✘", "red"), State.SUPERSEDED: ("–", "dim")}


@dataclass(frozen=True, slots=True)
class Row:
    """One environment: its deployment of the commit (once there is one), its stages, its check on the commit."""

    environment: str
    deployment: Deployment | None
    stages: Sequence[StageRecord]
    check: str | None

    @property
    def over(self) -> bool:
        """Whether the deployment has ended and its check says so."""
        return self.check not in (None, PENDING) and self.deployment is not None and self.deployment.state.final


@dataclass(frozen=True, slots=True)
class Journey:
    """A merge on its way through its environments."""

    title: str
    commit: str
    rows: Sequence[Row]

    @property
    def deployments(self) -> tuple[str, ...]:
        """The ids of the deployments that are shown."""
        return tuple(row.deployment.id for row in self.rows if row.deployment)

    @property
    def over(self) -> bool:
        """Whether there is nothing more to come."""
        return all(row.over for row in self.rows)

    @property
    def well(self) -> bool:
        """Whether all of it is deployed, and all checks are green."""
        return self.over and all(row.check == SUCCESS for row in self.rows)

    def kept(self, promise: str) -> bool:
        """Whether all went well, and each deployment says `promise` of what its preview had shown."""
        return self.well and all(row.deployment and row.deployment.previewed == promise for row in self.rows)

    def drawn(self, seconds: float) -> RenderableType:
        """As it stands after so many seconds."""
        table = _table("environment", *map(str, STAGES), "commit", "")
        for row in self.rows:
            table.add_row(row.environment, *(_stage(row, stage) for stage in STAGES), _check(row.check), _summary(row))
        return Group(_heading("merged ", self.title, self.commit, seconds), table)


@dataclass(frozen=True, slots=True)
class Foreseen:
    """One environment: the check of its preview, and what that says."""

    environment: str
    check: str | None
    words: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What merging a pull request would change."""

    title: str
    head: str
    rows: Sequence[Foreseen]
    commented: bool
    """Whether the comment with the diffs is there."""

    @property
    def over(self) -> bool:
        """Whether there is nothing more to come."""
        return self.commented and all(row.check not in (None, PENDING) for row in self.rows)

    @property
    def well(self) -> bool:
        """Whether all of it could be foreseen, and people can read it."""
        return self.commented and all(row.check == SUCCESS for row in self.rows)

    def drawn(self, seconds: float) -> RenderableType:
        """As it stands after so many seconds."""
        table = _table("environment", "preview", "")
        for row in self.rows:
            table.add_row(row.environment, _check(row.check), Text(row.words))
        return Group(_heading("preview of ", self.title, self.head, seconds), table)


@dataclass(frozen=True, slots=True)
class Workload:
    """One Deployment as a cluster has it."""

    name: str
    image: str
    ready: int
    replicas: int


def running(clusters: Mapping[str, Sequence[Workload]]) -> RenderableType:
    """What runs on each cluster."""
    table = _table("cluster", "deployment", "image", "ready")
    for cluster, workloads in clusters.items():
        for workload in workloads:
            table.add_row(cluster, workload.name, workload.image, f"{workload.ready}/{workload.replicas}")
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for column in columns:
        table.add_column(column, header_style="dim", no_wrap=bool(column))  # what happened may take several lines
    return table


def _heading(what: str, title: str, commit: str, seconds: float) -> Text:
    return Text.assemble((what, "dim"), (title, "bold"), (f"  {commit[:12]}  {seconds:.1f} s", "dim"))


def _stage(row: Row, stage: Stage) -> Text:
    record = next((record for record in row.stages if record.stage is stage), None)
    if record is None:
        return Text("·", "dim")
    if record.finished_at is None:
        return Text("●", "yellow")
    return Text(f"{(record.finished_at - record.started_at).total_seconds():.2f} s", "green")


def _check(state: str | None) -> Text:
    style = {SUCCESS: "green", PENDING: "yellow", None: "dim"}.get(state, "red")
    return Text(state or "·", style)


def _summary(row: Row) -> Text:
    if row.deployment is None:
        return Text("·", "dim")
    mark, style = _LOOKS.get(row.deployment.state, ("●", "yellow"))
    return Text(f"{mark} {row.deployment.summary}", style)
