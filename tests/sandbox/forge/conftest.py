"""A forge with one repository of each kind, and something that receives its webhooks."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from deployer.model import ForgeKind
from deployer.sandbox.forge import App, SandboxForge
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


@pytest.fixture(scope="session")
def private_key() -> str:
    """One for all Apps that tests are: making one can take a second."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture
def app(forge: SandboxForge, private_key: str) -> App:
    return forge.create_app(private_key=private_key)


@pytest.fixture(scope="session")
def quiet_app(quiet_forge: SandboxForge, private_key: str) -> App:
    """For tests that change nothing."""
    return quiet_forge.create_app(private_key=private_key)


@pytest.fixture
def proposed(forge: SandboxForge) -> SandboxForge:
    """The forge with a pull request in each repository."""
    for name in (SHOP, TOOLS):
        forge.open_pull_request(name, "Raise", branch="raise", changes={"replicas": "3\n"}, author="grace")
    return forge


@pytest.fixture
def listening(proposed: SandboxForge, receiver: Receiver) -> SandboxForge:
    """The same, and a receiver of all its events."""
    for name in (SHOP, TOOLS):
        proposed.add_webhook(name, receiver.url, secret=secrets.token_hex(8))
    assert proposed.settle()
    receiver.requests.clear()
    return proposed
