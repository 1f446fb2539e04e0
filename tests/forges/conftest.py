"""A recording forge, and an environment in which nothing but it can answer."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from tests.forges.recording import RecordingForge


@pytest.fixture
def forge() -> Iterator[RecordingForge]:
    with RecordingForge() as recording:
        yield recording


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> str:
    """A token, in the environment variable `FORGE_TOKEN` as the settings refer to it."""
    value = secrets.token_hex(20)
    monkeypatch.setenv("FORGE_TOKEN", value)
    return value


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
