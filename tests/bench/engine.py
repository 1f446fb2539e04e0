"""Our side of the engine's measurement, in a process of its own so that its memory is its own.

python -m tests.bench.engine KUBECONFIG NAMESPACE FILE...   applies each file of manifests in turn, then looks for drift
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from deployer.cluster.apply import apply
from deployer.cluster.applyset import Scope, Stamp
from deployer.cluster.connection import Connection, connect
from deployer.cluster.link import THREADS, Answer, Call, Link
from deployer.cluster.plan import plan
from deployer.model import Action, Manifest, PrunePolicy
from deployer.settings import ClusterSettings, FileSecret
from deployer.source.manifests import parse

_READS = frozenset({"GET"})


def main() -> None:
    kubeconfig, namespace, *files = sys.argv[1:]
    scope = Scope(namespace, "deployer.bench.acme-shop", True, PrunePolicy())
    requests = _count_requests()
    measured: list[dict[str, Any]] = []
    with connect(ClusterSettings(kubeconfig=FileSecret(file=Path(kubeconfig)))) as connection:
        for file in files:
            manifests = parse(Path(file).read_bytes())
            stamp = Stamp("c" * 40, "bench", manifests.digest)
            measured.append(_timed(requests, partial(_apply, connection, manifests.objects, scope, stamp)))
        measured.append(_timed(requests, partial(_drift, connection, manifests.objects, scope)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"measured": measured, "peak_mb": peak}))


def _apply(connection: Connection, manifests: tuple[Manifest, ...], scope: Scope, stamp: Stamp) -> None:
    results = apply(connection, manifests, scope=scope, stamp=stamp)
    failed = [result for result in results if result.action in (Action.FAILED, Action.SKIPPED)]
    if failed:
        raise RuntimeError(str(failed[0]))


def _drift(connection: Connection, manifests: tuple[Manifest, ...], scope: Scope) -> None:
    with ThreadPoolExecutor(THREADS) as threads:
        found = plan(connection, manifests, scope=scope, threads=threads, closely=True)
    differing = [change for change in found.changes if change.differs]
    if differing:
        raise RuntimeError(str(differing[0]))


def _timed(requests: Counter[str], work: Callable[[], None]) -> dict[str, Any]:
    requests.clear()
    began = time.perf_counter()
    work()
    seconds = time.perf_counter() - began
    writes = sum(count for method, count in requests.items() if method not in _READS)
    return {"seconds": seconds, "requests": sum(requests.values()), "writes": writes}


def _count_requests() -> Counter[str]:
    """Counts what is sent by method; a dry run is no write."""
    counted: Counter[str] = Counter()
    send = Link.send

    def counting(self: Link, call: Call) -> Answer:
        counted["GET" if "dryRun=All" in call.target else call.method] += 1
        return send(self, call)

    Link.send = counting  # type: ignore[method-assign]
    return counted


if __name__ == "__main__":
    main()
