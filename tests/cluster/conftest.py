"""A connection to each kind of cluster, and a namespace of its own for each test."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployer.cluster.connection import Connection, connect
from deployer.model import Manifest
from deployer.retries import Budget
from deployer.settings import ClusterSettings, FileSecret

QUICK = Budget(attempts=4, first=0.02, longest=0.05)


@pytest.fixture
def connection(kubeconfig: Path) -> Iterator[Connection]:
    settings = ClusterSettings(kubeconfig=FileSecret(file=kubeconfig))
    with connect(settings, name="test", patience=replace(QUICK, attempts=6, longest=0.5)) as made:
        yield made


@pytest.fixture
def namespace(connection: Connection) -> Iterator[str]:
    name = f"test-{secrets.token_hex(4)}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    assert connection.request("POST", "/api/v1/namespaces", body=body).status == 201
    yield name
    connection.request("DELETE", f"/api/v1/namespaces/{name}")


@pytest.fixture
def clean(connection: Connection) -> Iterator[Callable[[str], None]]:
    """Takes paths of objects outside the test's namespace, to delete them when the test is over."""
    paths: list[str] = []
    yield paths.append
    for path in reversed(paths):
        connection.request("DELETE", path)


@pytest.fixture
def owned_by_other(connection: Connection, namespace: str) -> Callable[[Manifest], None]:
    """Applies a manifest in the test's namespace as the field manager `other`."""

    def apply_as_other(manifest: Manifest) -> None:
        plural = {"ConfigMap": "configmaps", "Secret": "secrets"}[manifest.ref.kind]
        response = connection.request(
            "PATCH",
            f"/api/v1/namespaces/{namespace}/{plural}/{manifest.ref.name}",
            query={"fieldManager": "other"},
            body=manifest.content,
            content_type="application/apply-patch+yaml",
        )
        assert response.status in (200, 201), response.body

    return apply_as_other


@pytest.fixture
def to_kubeconfig(tmp_path: Path) -> Callable[..., ClusterSettings]:
    """Writes a kubeconfig: settings for it."""

    def write(document: dict[str, Any], **settings: Any) -> ClusterSettings:
        path = tmp_path / f"kubeconfig-{secrets.token_hex(3)}"
        path.write_text(yaml.safe_dump(document))
        return ClusterSettings(kubeconfig=FileSecret(file=path), **settings)

    return write


def kubeconfig_for(server: str, *, cluster: dict[str, Any] | None = None, **user: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "main",
        "clusters": [{"name": "c", "cluster": {"server": server, **(cluster or {})}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "main", "context": {"cluster": "c", "user": "u"}}],
    }
