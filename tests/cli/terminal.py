"""Where an operator types: a real Valkey, real git and a sandbox cluster; a thread works."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from deployer import cli
from deployer.model import Deployment
from jobs.deploy import deploy_with
from jobs.resources import resources
from tests.examples import PRODUCTION, STAGING
from tests.jobs.world import SHOP, World


@dataclass
class Terminal:
    """Where an operator types. Nothing that is shown there may hold one of `hidden`."""

    world: World
    settings: Path
    hidden: tuple[str, ...]

    def __call__(self, *arguments: str) -> Result:
        result = CliRunner().invoke(cli.main, arguments, catch_exceptions=False)
        assert not any(secret in result.output for secret in self.hidden)
        return result

    def fails(self, *arguments: str) -> str:
        """What a command says that fails; on standard error, in one message, and nothing else."""
        result = self(*arguments)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith("Error: ")
        return result.stderr.removeprefix("Error: ").rstrip("\n")

    def rewrite(self, change: Callable[[dict[str, Any]], object]) -> None:
        content = yaml.safe_load(self.settings.read_text())
        change(content)
        self.settings.write_text(yaml.safe_dump(content))

    @contextmanager
    def worker(self) -> Iterator[None]:
        """Runs what is queued, as a worker does, until the block ends."""
        stop = threading.Event()
        thread = threading.Thread(target=_work, args=(stop,))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def deployed(self) -> None:
        """Both environments run the first commit."""
        for name in ("staging", "production"):
            with self.worker():
                assert self("deploy", SHOP, name, "--wait").exit_code == 0

    def newest(self) -> Deployment:
        return self.world.given.store.deployments.newest(most=1)[0]


def _work(stop: threading.Event) -> None:
    while not stop.wait(0.02):
        for key in (STAGING, PRODUCTION):
            if resources().store.deployments.queued(key):
                deploy_with(resources(), key)


def surround(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def forget() -> None:
    """Let go of the resources that commands have left behind in this process."""
    if resources.cache_info().currsize:
        resources().redis.close()
    resources.cache_clear()
