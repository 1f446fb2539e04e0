from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from redis import Redis

from deployer.cluster.connection import connect
from deployer.settings import ClusterSettings, FileSecret
from tests.forges.recording import RecordingForge
from tests.jobs.world import World, make_world


@pytest.fixture
def world(tmp_path: Path, redis: Redis, sandbox_kubeconfig: Path) -> Iterator[World]:
    namespace = f"jobs-{secrets.token_hex(4)}"
    with connect(ClusterSettings(kubeconfig=FileSecret(file=sandbox_kubeconfig))) as connection:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        connection.request("POST", "/api/v1/namespaces", body=body)
    with RecordingForge() as forge:
        yield make_world(tmp_path, redis, forge, sandbox_kubeconfig, namespace)


@pytest.fixture(scope="session")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The private key of an App; making one can take a second."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path = tmp_path_factory.mktemp("app") / "app.pem"
    form = serialization.PrivateFormat.PKCS8
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return path
