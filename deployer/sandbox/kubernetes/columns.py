"""The columns in which `kubectl get` shows a kind. Kinds that are not in the table show name and age."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from deployer.sandbox.kubernetes.objects import Json, Object, at, each, metadata, name_of, section
from deployer.sandbox.kubernetes.resources import Resource

Cell = Callable[[Object, datetime], Json]
_NONE = "<none>"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its heading, its type, and what stands in it."""

    name: str
    type: str
    cell: Cell
    priority: int = 0


def age(obj: Object, now: datetime) -> str:
    """How long the object has been there: `12s`, `3m`, `5h`, `2d`."""
    text = metadata(obj).get("creationTimestamp")
    if not text:
        return "<unknown>"
    created = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    seconds = max(0, int((now - created).total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def columns_of(resource: Resource) -> tuple[Column, ...]:
    """The columns of a resource, in order."""
    between = _COLUMNS.get((resource.group, resource.kind)) or tuple(
        Column(name, kind, _path(path)) for name, kind, path in resource.columns if name.lower() != "age"
    )
    return (Column("Name", "string", lambda obj, _now: name_of(obj)), *between, Column("Age", "string", age))


def _path(text: str) -> Cell:
    """A cell that shows what a simple JSON path names."""
    keys = [key for key in text.split(".") if key]
    return lambda obj, _now: at(obj, *keys)


def _number(*path: str) -> Cell:
    return lambda obj, _now: at(obj, *path) or 0


def _text(*path: str) -> Cell:
    def cell(obj: Object, _now: datetime) -> str:
        value = at(obj, *path)
        return ",".join(map(str, value)) if isinstance(value, list) else str(value if value is not None else _NONE)

    return cell


def _ready(wanted: str) -> Cell:
    return lambda obj, _now: f"{at(obj, 'status', 'readyReplicas') or 0}/{at(obj, 'spec', wanted) or 0}"


def _count(key: str) -> Cell:
    return lambda obj, _now: len(section(obj, key))


def _ports(obj: Object, _now: datetime) -> str:
    shown = [f"{port.get('port')}/{port.get('protocol')}" for port in each(section(obj, "spec"), "ports")]
    return ",".join(shown) or _NONE


def _hosts(obj: Object, _now: datetime) -> str:
    return ",".join(str(rule.get("host", "*")) for rule in each(section(obj, "spec"), "rules")) or "*"


def _completions(obj: Object, _now: datetime) -> str:
    return f"{at(obj, 'status', 'succeeded') or 0}/{at(obj, 'spec', 'completions') or 1}"


_COLUMNS: dict[tuple[str, str], tuple[Column, ...]] = {
    ("", "ConfigMap"): (Column("Data", "integer", _count("data")),),
    ("", "Secret"): (Column("Type", "string", _text("type")), Column("Data", "integer", _count("data"))),
    ("", "Namespace"): (Column("Status", "string", _text("status", "phase")),),
    ("", "Service"): (
        Column("Type", "string", _text("spec", "type")),
        Column("Cluster-IP", "string", _text("spec", "clusterIP")),
        Column("External-IP", "string", _text("spec", "externalIPs")),
        Column("Port(s)", "string", _ports),
    ),
    ("", "PersistentVolumeClaim"): (Column("Status", "string", _text("status", "phase")),),
    ("", "Pod"): (Column("Status", "string", _text("status", "phase")),),
    ("apps", "Deployment"): (
        Column("Ready", "string", _ready("replicas")),
        Column("Up-to-date", "string", _number("status", "updatedReplicas")),
        Column("Available", "string", _number("status", "availableReplicas")),
    ),
    ("apps", "StatefulSet"): (Column("Ready", "string", _ready("replicas")),),
    ("apps", "DaemonSet"): (
        Column("Desired", "string", _number("status", "desiredNumberScheduled")),
        Column("Ready", "string", _number("status", "numberReady")),
    ),
    ("batch", "Job"): (Column("Completions", "string", _completions),),
    ("batch", "CronJob"): (
        Column("Schedule", "string", _text("spec", "schedule")),
        Column("Suspend", "string", _text("spec", "suspend")),
    ),
    ("networking.k8s.io", "Ingress"): (
        Column("Class", "string", _text("spec", "ingressClassName")),
        Column("Hosts", "string", _hosts),
    ),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): (
        Column("Created At", "date", _text("metadata", "creationTimestamp")),
    ),
}
