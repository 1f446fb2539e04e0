"""Clients for the tests of the sandbox cluster: one for both kinds of cluster, one for the sandbox alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.kubernetes.client import Client


@pytest.fixture
def api(kubeconfig: Path) -> Iterator[Client]:
    """A client of the sandbox and, where there is one, of a real API server: what a test says holds on both."""
    client = Client(kubeconfig)
    yield client
    client.close()


@pytest.fixture
def sandbox(sandbox_kubeconfig: Path) -> Iterator[Client]:
    """A client of the sandbox, for what the real API server at hand cannot do."""
    client = Client(sandbox_kubeconfig)
    yield client
    client.close()


@pytest.fixture
def namespace(api: Client) -> str:
    return api.make_namespace()


@pytest.fixture
def config_maps(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps"


@pytest.fixture
def deployments(namespace: str) -> str:
    return f"/apis/apps/v1/namespaces/{namespace}/deployments"
