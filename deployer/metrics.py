"""The counts of all processes as Prometheus metrics. They live in Redis, so any web process can show them all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_LABELS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "deployments": ("Deployments that ended, by their final state.", ("repository", "environment", "state")),
    "webhooks": ("Webhook requests, by what became of them.", ("forge", "result")),
    "reports_failed": ("Commit statuses that a forge would not take.", ("forge",)),
}

Count = tuple[str, Mapping[str, str], int]


@dataclass(frozen=True, slots=True, eq=False)
class _Snapshot(Collector):
    counts: tuple[Count, ...]
    depths: Mapping[str, int]

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


def exposition(counts: Iterable[Count], depths: Mapping[str, int]) -> bytes:
    """Prometheus text of the counts (name, labels, count) and of how many jobs wait in each queue."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot(tuple(counts), depths))
    return generate_latest(registry)
