"""A settings file that is right, to be spoiled in one place by each test."""

from __future__ import annotations

import base64
import copy
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployer.settings import SettingsError, load

Content = dict[str, Any]
Complain = Callable[..., tuple[str, ...]]

RIGHT: Content = {
    "url": "https://deployer.example.com",
    "forges": {
        "github": {"kind": "github", "webhook_secrets": [{"env": "HOOK"}], "token": {"env": "TOKEN"}},
        "gitlab": {"kind": "gitlab", "signing_secrets": [{"env": "SIGNING"}]},
    },
    "clusters": {"staging": {"kubeconfig": {"file": "staging.kubeconfig"}}, "production": {"in_cluster": True}},
    "repositories": [
        {
            "name": "acme/shop",
            "forge": "github",
            "environments": {
                "staging": {"overlay": "deploy/overlays/staging", "cluster": "staging", "namespace": "shop"}
            },
        }
    ],
}


@pytest.fixture
def content() -> Content:
    return copy.deepcopy(RIGHT)


@pytest.fixture(scope="session")
def environ() -> dict[str, str]:
    return {
        "HOOK": secrets.token_hex(),
        "TOKEN": secrets.token_hex(),
        "SIGNING": "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode(),
    }


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Content | str | bytes], Path]:
    def write(content: Content | str | bytes) -> Path:
        path = tmp_path / "deployer.yaml"
        if isinstance(content, dict):
            content = yaml.safe_dump(content, sort_keys=False)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def complain(write: Callable[[Content | str | bytes], Path], environ: dict[str, str]) -> Complain:
    """Give the mistakes of a settings file; none, if it is right."""

    def complain(content: Content | str | bytes, **more: str) -> tuple[str, ...]:
        try:
            load(write(content), environ=environ | more)
        except SettingsError as error:
            return error.mistakes
        return ()

    return complain


def environment(content: Content) -> Content:
    """Give the one environment of a right file, to be spoiled."""
    found: Content = content["repositories"][0]["environments"]["staging"]
    return found
