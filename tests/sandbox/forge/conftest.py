"""A forge with one repository of each kind, and something that receives its webhooks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployer.model import ForgeKind
from deployer.sandbox.forge import SandboxForge
from tests.sandbox.forge.receiver import Receiver, receiving

SHOP = "acme/shop"
TOOLS = "acme/platform/tools"


@contextlib.contextmanager
def stocked(folder: Path) -> Iterator[SandboxForge]:
    with SandboxForge(folder) as forge:
        forge.create_repository(SHOP, {"README.md": "# shop\n", "replicas": "2\n"})
        forge.create_repository(TOOLS, {"README.md": "# tools\n"}, kind=ForgeKind.GITLAB)
        yield forge


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[SandboxForge]:
    with stocked(tmp_path / "repositories") as forge:
        yield forge


@pytest.fixture(scope="session")
def quiet_forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxForge]:
    """For tests that change nothing."""
    with stocked(tmp_path_factory.mktemp("quiet")) as forge:
        yield forge


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver
