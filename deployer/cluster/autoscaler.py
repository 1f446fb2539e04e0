"""Whose replicas an autoscaler sets: then these are not git's, even if git names a number. Nothing is written here.

https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor

from deployer.cluster.applyset import group_kind
from deployer.cluster.connection import Connection
from deployer.cluster.identity import metadata
from deployer.cluster.resources import Resource
from deployer.cluster.target import Name
from deployer.model import JSON, Manifest

REPLICAS = "/spec/replicas"
_KIND = "HorizontalPodAutoscaler"
_AUTOSCALERS = Resource("autoscaling/v1", "horizontalpodautoscalers", namespaced=True)
"""The version that every release serves; all name their target in the same way."""


def in_git(manifests: Iterable[Manifest]) -> frozenset[Name]:
    """What the autoscalers among some manifests scale."""
    scalers = (each.content for each in manifests if each.ref.kind == _KIND)
    return frozenset(filter(None, map(_scaled, scalers)))


def in_cluster(connection: Connection, namespaces: Iterable[str], *, threads: Executor) -> frozenset[Name]:
    """What the autoscalers in some namespaces scale; nothing where they may not be listed."""
    found = threads.map(lambda namespace: list(_listed(connection, namespace)), namespaces)
    return frozenset(name for names in found for name in names)


def differs(live: Mapping[str, JSON], wanted: Manifest) -> bool:
    """Whether git names another number of replicas than the live object does."""
    here, there = live.get("spec"), wanted.content.get("spec")
    if not (isinstance(here, dict) and isinstance(there, dict)):
        return False
    return there.get("replicas") is not None and here.get("replicas") != there.get("replicas")


def _listed(connection: Connection, namespace: str) -> Iterator[Name]:
    response = connection.request("GET", _AUTOSCALERS.path(namespace))
    items = response.body.get("items") if response.status == 200 and isinstance(response.body, dict) else None
    for item in items if isinstance(items, list) else []:
        if isinstance(item, dict) and (name := _scaled(item)) is not None:
            yield name


def _scaled(scaler: Mapping[str, JSON]) -> Name | None:
    spec, namespace = scaler.get("spec"), metadata(scaler).get("namespace")
    target = spec.get("scaleTargetRef") if isinstance(spec, dict) else None
    if not isinstance(target, dict):
        return None
    kind = group_kind(str(target.get("apiVersion") or ""), str(target.get("kind")))
    return kind, str(namespace) if namespace else None, str(target.get("name"))
