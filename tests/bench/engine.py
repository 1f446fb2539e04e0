"""Our side of the engine's measurement, in a process of its own so that its memory is its own.

python -m tests.bench.engine KUBECONFIG NAMESPACE FILE...   applies each file of manifests in turn, then looks for drift
python -m tests.bench.engine --ten KUBECONFIG NAMESPACE FILE   applies the file to ten namespaces, then looks for drift
                                                               in each over a connection of its own, as in ten clusters
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
from deployer.cluster.drift import check
from deployer.cluster.link import THREADS, Answer, Call, Link
from deployer.model import Action, Manifest, PrunePolicy
from deployer.settings import ClusterSettings, FileSecret
from deployer.source.manifests import parse

_READS = frozenset({"GET"})


CLUSTERS = 10


def main() -> None:
    print(json.dumps(_ten(*sys.argv[2:]) if sys.argv[1] == "--ten" else _one(*sys.argv[1:])))


def _one(kubeconfig: str, namespace: str, *files: str) -> dict[str, Any]:
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
    return {"measured": measured, "peak_mb": peak}


def _ten(kubeconfig: str, namespace: str, file: str) -> dict[str, Any]:
    """`cpu` is what the checks took of the processor: all but the network and the API server."""
    manifests = parse(Path(file).read_bytes())
    settings = ClusterSettings(kubeconfig=FileSecret(file=Path(kubeconfig)))
    scopes = [Scope(f"{namespace}-{each}", "deployer.bench.acme-shop", True, PrunePolicy()) for each in range(CLUSTERS)]
    with connect(settings) as connection:
        for scope in scopes:
            _apply(connection, manifests.objects, scope, Stamp("c" * 40, "bench", manifests.digest))

    def check_all() -> None:
        for scope in scopes:
            with connect(settings) as connection:
                _drift(connection, manifests.objects, scope)

    requests = _count_requests()
    began = time.process_time()
    return _timed(requests, check_all) | {"cpu": time.process_time() - began}


def _apply(connection: Connection, manifests: tuple[Manifest, ...], scope: Scope, stamp: Stamp) -> None:
    results = apply(connection, manifests, scope=scope, stamp=stamp)
    failed = [result for result in results if result.action in (Action.FAILED, Action.SKIPPED)]
    if failed:
        raise RuntimeError(str(failed[0]))


def _drift(connection: Connection, manifests: tuple[Manifest, ...], scope: Scope) -> None:
    with ThreadPoolExecutor(THREADS) as threads:
        found = check(connection, manifests, scope=scope, threads=threads)
    if found:
        raise RuntimeError(str(found[0]))


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
