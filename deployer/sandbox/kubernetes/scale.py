"""The `scale` subresource: how many replicas, whatever the kind calls it.

https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/ (autoscaling/v1 Scale)
"""

from __future__ import annotations

from collections.abc import Callable

from deployer.sandbox.kubernetes.objects import Json, Object, at, clone, metadata
from deployer.sandbox.kubernetes.resources import Resource


def shown(resource: Resource, obj: Object) -> Object:
    """The Scale of an object."""
    wanted, current, selector = (_keys(path) for path in resource.scale_paths)
    selected = at(obj, *selector)
    meta = {key: metadata(obj).get(key) for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")}
    labels = selected.get("matchLabels", selected) if isinstance(selected, dict) else {}
    text = selected if isinstance(selected, str) else ",".join(f"{key}={value}" for key, value in labels.items())
    return {
        "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": meta,
        "spec": {"replicas": at(obj, *wanted) or 0},
        "status": {"replicas": at(obj, *current) or 0, "selector": text},
    }  # fmt: skip


def change_to(resource: Resource, change: Callable[[Object], Json]) -> Callable[[Object], Object]:
    """From a change of the Scale to a change of the object."""
    *parents, last = _keys(resource.scale_paths[0])

    def changed(old: Object) -> Object:
        new: Object = clone(old)
        parent = new
        for key in parents:
            parent = parent.setdefault(key, {})
        parent[last] = at(change(shown(resource, old)), "spec", "replicas")
        version = at(change(shown(resource, old)), "metadata", "resourceVersion")
        metadata(new)["resourceVersion"] = version or metadata(old).get("resourceVersion")
        return new

    return changed


def _keys(path: str) -> list[str]:
    return [key for key in path.split(".") if key]
