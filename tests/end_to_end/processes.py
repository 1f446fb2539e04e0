"""The processes of the Procfile, as an operator would start them, against whatever a test gives them."""

from __future__ import annotations

import os
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import TypeVar

import yaml

from deployer.demo.stack import ROOT, procfile
from deployer.process import background
from tests.control_plane import free_port

T = TypeVar("T")
BIN = ROOT / ".venv" / "bin"


@dataclass(frozen=True)
class Deployer:
    """A running deployer."""

    url: str
    folder: Path
    processes: Mapping[str, Popen[bytes]]

    def log(self) -> str:
        """What the processes said, for a test that fails."""
        return "\n".join(f"--- {path.name}\n{path.read_text()[-4000:]}" for path in sorted(self.folder.glob("*.log")))


@contextmanager
def running(folder: Path, settings: Mapping[str, object], *, redis_url: str, **secrets: str) -> Iterator[Deployer]:
    """Start web, worker and clock with given settings and wait until the web process is ready.

    `{url}` in the settings' own `url` becomes the address of the web process.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    folder.mkdir(exist_ok=True)
    (folder / "deployer.yaml").write_text(yaml.safe_dump({**settings, "url": url}))
    environment = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "DEPLOYER_CONFIG": str(folder / "deployer.yaml"),
        "DEPLOYER_DATA": str(folder / "data"),
        "REDIS_URL": redis_url,
        **secrets,
    }
    with ExitStack() as stack:
        processes = {
            name: stack.enter_context(background(argv, cwd=ROOT, environment=environment, log=folder / f"{name}.log"))
            for name, argv in procfile(ROOT / "Procfile").items()
        }
        deployer = Deployer(url, folder, processes)
        eventually(lambda: ready(url), seconds=30, otherwise=deployer.log)
        yield deployer


def eventually(
    probe: Callable[[], T | None], *, seconds: float = 30, pause: float = 0.05, otherwise: Callable[[], str] = str
) -> T:
    """The first true answer of `probe`; fails with what `otherwise` says when there is none in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := probe():
            return answer
        time.sleep(pause)
    raise AssertionError(f"not within {seconds} s\n{otherwise()}")


def ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
