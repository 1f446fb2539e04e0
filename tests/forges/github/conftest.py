"""A GitHub App with its key, and the check that everything asked of GitHub is in GitHub's own description."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from deployer.forges.connect import Forge
from deployer.forges.github.app import app_access
from tests.forges.github.description import Description, published
from tests.forges.github.hub import Hub, app
from tests.forges.recording import Answer, RecordingForge, Request


@pytest.fixture(autouse=True)
def described(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """After each test: every request that came is one that GitHub describes, if there is a description to look into."""
    description = published()
    asked: list[Request] = []
    receive = RecordingForge.receive

    def witness(forge: RecordingForge, request: Request) -> Answer:
        asked.append(request)
        return receive(forge, request)

    monkeypatch.setattr(RecordingForge, "receive", witness)
    yield
    if description is not None:
        assert mistakes(description, asked) == []


def mistakes(description: Description, requests: list[Request]) -> list[str]:
    # Where a renamed repository is found is GitHub's to say, in a redirect, and described nowhere.
    described = (each for each in requests if not each.route.startswith("/repositories/"))
    return [f"{each.method} {each.path}: {wrong}" for each in described for wrong in description.mistakes(each)]


@pytest.fixture(scope="session")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def key_file(tmp_path: Path, key: rsa.RSAPrivateKey) -> Path:
    path = tmp_path / "app.pem"
    path.write_bytes(pem(key))
    return path


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, password: bytes | None = None) -> bytes:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


@pytest.fixture(autouse=True)
def no_tokens_of_another_test() -> None:
    app_access.cache_clear()


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as recording:
        yield recording


@pytest.fixture
def client(hub: Hub, key_file: Path) -> Forge:
    """The App's client of `hub`."""
    return app(hub.url, key_file)
