from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
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
