"""Small objects of the kinds that the tests write."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]


def config_map(name: str = "a", data: Object | None = None, **meta: Any) -> Object:
    body: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **meta}}
    return body if data is None else body | {"data": data}


def container(name: str = "web", **fields: Any) -> Object:
    return {"name": name, "image": "registry.invalid/web:1", **fields}


def deployment(name: str = "web", *containers: Object, **spec: Any) -> Object:
    pod = {"containers": list(containers) or [container()]}
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": pod}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": labels}, "template": template, **spec},
    }


def service(name: str = "web", **spec: Any) -> Object:
    ports = [{"port": 80, "protocol": "TCP"}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": ports, **spec},
    }


def managers(obj: Object) -> list[tuple[str, str]]:
    return sorted((entry["manager"], entry["operation"]) for entry in obj["metadata"].get("managedFields", []))


def owned(obj: Object, manager: str, operation: str = "Apply") -> Object:
    """The fields that a manager owns."""
    return next(
        entry["fieldsV1"]
        for entry in obj["metadata"]["managedFields"]
        if (entry["manager"], entry["operation"]) == (manager, operation)
    )
