"""The counts of all processes as Prometheus metrics. They live in Redis, so any web process can show them all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from deployer.holding import Checked, DriftState, Step, refusal, stopped
from deployer.model import EnvironmentKey

_LABELS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "deployments": ("Deployments that ended, by their final state.", ("repository", "environment", "state")),
    "webhooks": ("Webhook requests, by what became of them.", ("forge", "result")),
    "webhooks_missed": ("Merges that no webhook told of, found by a look at the branch.", ("forge", "repository")),
    "drift_reverts": ("Deployments that put back what drifted.", ("repository", "environment")),
    "reports_failed": ("Commit statuses that a forge would not take.", ("forge",)),
}

Count = tuple[str, Mapping[str, str], int]
Look = tuple[EnvironmentKey, Checked]
"""An environment, and the last look for drift in what it runs."""

_KNOWN = (DriftState.IN_SYNC, DriftState.DRIFTED)
_DRIFT: tuple[tuple[str, str, Callable[[Checked], float | None]], ...] = (
    ("objects", "Objects that are not as git wants them.", lambda it: len(it.objects) if it.state in _KNOWN else None),
    ("known", "Whether the last look for drift could tell.", lambda it: float(it.state in _KNOWN)),
    (
        "checked_timestamp_seconds",
        "When drift was looked for last.",
        lambda it: it.checked_at.timestamp() if it.checked_at else None,
    ),
    (
        "stopped",
        "Whether somebody fights for what was put back.",
        lambda it: float(it.step is Step.STOP or bool(stopped(it))),
    ),
    ("refused", "Whether putting back what drifted fails.", lambda it: float(refusal(it) is not None)),
)


@dataclass(frozen=True, slots=True, eq=False)
class _Snapshot(Collector):
    counts: tuple[Count, ...]
    depths: Mapping[str, int]
    drift: tuple[Look, ...]

    def collect(self) -> Iterator[Metric]:
        for name, (text, labels) in _LABELS.items():
            family = CounterMetricFamily(f"deployer_{name}", text, labels=labels)
            for counted, values, count in self.counts:
                if counted == name:
                    family.add_metric([values.get(label, "") for label in labels], count)
            yield family
        waiting = GaugeMetricFamily("deployer_queue_jobs", "Jobs that wait in each queue.", labels=("queue",))
        for queue, depth in self.depths.items():
            waiting.add_metric([queue], depth)
        yield waiting
        yield from (self._drift(*gauge) for gauge in _DRIFT)

    def _drift(self, name: str, text: str, value: Callable[[Checked], float | None]) -> Metric:
        family = GaugeMetricFamily(f"deployer_drift_{name}", text, labels=("repository", "environment"))
        for key, checked in self.drift:
            if (measured := value(checked)) is not None:
                family.add_metric([key.repository, key.environment], measured)
        return family


def exposition(counts: Iterable[Count], depths: Mapping[str, int], drift: Iterable[Look] = ()) -> bytes:
    """Prometheus text of the counts (name, labels, count), of how many jobs wait in each queue, and of the drift."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot(tuple(counts), depths, tuple(drift)))
    return generate_latest(registry)
