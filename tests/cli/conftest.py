"""A terminal with everything behind it, and one from which Redis cannot be reached."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog
from redis import Redis

from deployer.cluster.connection import connect
from deployer.model import JSON
from deployer.settings import ClusterSettings, FileSecret
from deployer.source.render_cache import RenderCache
from tests.cli.terminal import Terminal, forget, surround
from tests.control_plane import free_port
from tests.forges.recording import Answer, RecordingForge, Request
from tests.jobs.world import make_world


def answer(request: Request) -> Answer:
    if (request.method, request.path) == ("GET", "/user"):
        return Answer(200, {"login": "deployer-bot"})
    return Answer(201, {"id": 1})


@pytest.fixture(autouse=True)
def logs() -> Iterator[None]:
    """What a command says of logs holds for its own process, which here is that of all tests."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.fixture
def terminal(
    tmp_path: Path,
    redis: Redis,
    *,
    redis_url: str,
    sandbox_kubeconfig: Path,
    renders: RenderCache,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Terminal]:
    namespace, hidden = f"cli-{secrets.token_hex(4)}", (secrets.token_hex(), secrets.token_hex())
    with connect(ClusterSettings(kubeconfig=FileSecret(file=sandbox_kubeconfig))) as connection:
        body: dict[str, JSON] = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        connection.request("POST", "/api/v1/namespaces", body=body)
    with RecordingForge(answer) as forge:
        world = make_world(tmp_path, redis, forge, sandbox_kubeconfig, namespace)
        world.clock.now = datetime.now(UTC)
        settings = tmp_path / "deployer.yaml"
        surround(monkeypatch, DEPLOYER_CONFIG=str(settings), REDIS_URL=redis_url, DEPLOYER_DATA=str(tmp_path / "data"))
        surround(monkeypatch, HOOK=hidden[0], TOKEN=hidden[1])
        yield Terminal(world, settings, hidden)
        forget()


@pytest.fixture
def alone(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal from which Redis cannot be reached."""
    surround(monkeypatch, REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")
    return terminal
