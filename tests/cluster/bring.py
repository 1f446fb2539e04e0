"""Applying with the policy that most tests want, short to write."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from deployer.cluster import drift
from deployer.cluster.apply import SETTLE, apply
from deployer.cluster.applyset import Scope, Stamp
from deployer.cluster.connection import Connection
from deployer.cluster.plan import Plan, plan
from deployer.model import Allow, DriftRule, Manifest, ObjectDrift, ObjectRef, ObjectResult, PrunePolicy

INVENTORY = "deployer.test.acme-shop"
HALF = PrunePolicy()


def scope(
    namespace: str,
    *,
    force: bool = True,
    prune: PrunePolicy | None = HALF,
    allow: Allow | None = None,
    ignore: tuple[DriftRule, ...] = (),
    hold: bool = False,
    resting: frozenset[ObjectRef] | None = None,
) -> Scope:
    return Scope(namespace, INVENTORY, force, prune, allow, ignore, hold, resting)


def bring(
    connection: Connection,
    manifests: Iterable[Manifest],
    *,
    namespace: str,
    force: bool = True,
    prune: PrunePolicy | None = HALF,
    allow: Allow | None = None,
    ignore: tuple[DriftRule, ...] = (),
    hold: bool = False,
    resting: frozenset[ObjectRef] | None = None,
    on_result: Callable[[ObjectResult], None] = lambda _: None,
    check: Callable[[], None] = lambda: None,
    settle: float = SETTLE,
    **rest: Any,
) -> tuple[ObjectResult, ...]:
    connection.guard = check
    return apply(
        connection,
        tuple(manifests),
        scope=scope(namespace, force=force, prune=prune, allow=allow, ignore=ignore, hold=hold, resting=resting),
        on_result=on_result,
        settle=settle,
        **{"stamp": Stamp("c" * 40, "one", "d" * 64), **rest},
    )


def planned(connection: Connection, manifests: Iterable[Manifest], *, namespace: str, **policy: Any) -> Plan:
    with ThreadPoolExecutor(4) as threads:
        return plan(connection, tuple(manifests), scope=scope(namespace, **policy), threads=threads, closely=True)


def drifted(
    connection: Connection, manifests: Iterable[Manifest], *, namespace: str, **policy: Any
) -> tuple[ObjectDrift, ...]:
    with ThreadPoolExecutor(4) as threads:
        return drift.check(connection, tuple(manifests), scope=scope(namespace, **policy), threads=threads)
