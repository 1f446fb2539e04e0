"""The demo as somebody runs it who has just cloned the repository: one command, and nothing left behind."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.end_to_end.processes import BIN

SECONDS = 30


@dataclass(frozen=True)
class Demo:
    """A demo that has ended."""

    exit_code: int
    output: str
    errors: str
    seconds: float
    most_processes: int
    left: tuple[str, ...]
    """What of its processes and files is still there."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One run of `deployer demo --once`, all of whose processes carry a mark in their PATH, which they all inherit."""
    home, files = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("files")
    mark = f"/nowhere/{secrets.token_hex(16)}"
    environment = {
        "PATH": os.pathsep.join((str(BIN), os.environ["PATH"], mark)),
        "HOME": str(home),
        "TMPDIR": str(files),
        "TERM": "dumb",
        "COLUMNS": "160",
    }
    began, most = time.monotonic(), 0
    with (home / "out").open("w+") as out, (home / "err").open("w+") as err:
        process = subprocess.Popen(
            [BIN / "deployer", "demo", "--once"], cwd=files, env=environment, stdout=out, stderr=err
        )
        try:
            while process.poll() is None and time.monotonic() < began + 2 * SECONDS:
                most = max(most, len(marked(mark)))
                time.sleep(0.1)
        finally:
            process.kill()
            process.wait()
        seconds = time.monotonic() - began
        left = (*marked(mark), *(path.name for path in files.iterdir()), *strangers(home))
        yield Demo(process.returncode, (home / "out").read_text(), (home / "err").read_text(), seconds, most, left)


def marked(mark: str) -> list[str]:
    """The command lines of all processes that carry a mark."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark.encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_text().replace("\0", " "))
    return found


def strangers(home: Path) -> list[str]:
    return [path.name for path in home.iterdir() if path.name not in ("out", "err")]


def test_it_ends_well_and_soon(demo: Demo) -> None:
    assert demo.exit_code == 0, f"{demo.output}\n{demo.errors}"
    assert demo.seconds < SECONDS


def test_it_says_nothing_but_what_it_shows(demo: Demo) -> None:
    assert demo.errors == ""
    assert "\x1b" not in demo.output
    assert "Traceback" not in demo.output


def test_it_shows_the_merge_and_a_green_check_for_each_environment(demo: Demo) -> None:
    assert "merges pull request #1" in demo.output
    for environment in ("staging", "production"):
        (line,) = re.findall(rf"^{environment} .* success .*$", demo.output, re.MULTILINE)
        assert re.search(r"✔ \d+ objects, \d+ changed", line)


def test_it_shows_what_runs_on_each_cluster(demo: Demo) -> None:
    for cluster, image in (("staging", "acme/shop-web:1.4.1-rc.1"), ("production", "acme/shop-web:1.4.0")):
        assert re.search(rf"^{cluster} +web +{re.escape(image)} +\d/\d", demo.output, re.MULTILINE), demo.output


def test_it_names_the_page_of_each_deployment(demo: Demo) -> None:
    pages = re.findall(r"^http://127\.0\.0\.1:\d+/deployments/([0-9a-f]+)\s*$", demo.output, re.MULTILINE)
    assert len(set(pages)) == 2


def test_it_leaves_nothing_behind(demo: Demo) -> None:
    assert demo.most_processes >= 5, "itself, Redis, web, worker and clock"
    assert demo.left == ()
