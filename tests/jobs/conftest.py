from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from redis import Redis

from deployer.cluster.connection import Connection, connect
from deployer.model import JSON
from deployer.settings import ClusterSettings, FileSecret
from deployer.source.render_cache import RenderCache
from tests.forges.recording import RecordingForge
from tests.jobs.world import World, make_world


@pytest.fixture
def cluster_kubeconfig(sandbox_kubeconfig: Path) -> Path:
    """The cluster of the world; a module whose tests run on a real API server too has a fixture of this name."""
    return sandbox_kubeconfig


@pytest.fixture
def world(tmp_path: Path, redis: Redis, cluster_kubeconfig: Path, renders: RenderCache) -> Iterator[World]:
    namespace = f"jobs-{secrets.token_hex(4)}"
    with (
        connect(ClusterSettings(kubeconfig=FileSecret(file=cluster_kubeconfig))) as connection,
        RecordingForge() as forge,
    ):
        body: dict[str, JSON] = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        assert connection.request("POST", "/api/v1/namespaces", body=body).status == 201
        yield make_world(tmp_path, redis, forge, cluster_kubeconfig, namespace)
        connection.request("DELETE", f"/api/v1/namespaces/{namespace}")


@pytest.fixture(scope="session")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The private key of an App; making one can take a second."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path = tmp_path_factory.mktemp("app") / "app.pem"
    form = serialization.PrivateFormat.PKCS8
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return path


@pytest.fixture
def cluster(world: World) -> Iterator[Connection]:
    """Somebody else's way into the cluster of the world."""
    with connect(world.given.settings.clusters["test"]) as connection:
        yield connection
