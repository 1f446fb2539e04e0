"""The demo as somebody runs it who has just cloned the repository: one command, and nothing left behind."""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.end_to_end.processes import BIN, eventually
from tests.sandbox.forge.browser import Browser

pytestmark = pytest.mark.thorough

SECONDS = 40
PULL = r"(http://127\.0\.0\.1:\d+)(/acme/shop/pull/2)"


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

    @property
    def acts(self) -> tuple[str, str]:
        """What was shown until the second pull request was opened, and from then on."""
        first, opens, second = self.output.partition("grace opens pull request #2")
        return first, opens + second


@dataclass(frozen=True)
class Place:
    """Where a demo runs. All of its processes carry a mark in their PATH, which they all inherit."""

    home: Path
    files: Path
    mark: str

    @property
    def environment(self) -> Mapping[str, str]:
        path = os.pathsep.join((str(BIN), os.environ["PATH"], self.mark))
        return {"PATH": path, "HOME": str(self.home), "TMPDIR": str(self.files), "TERM": "dumb", "COLUMNS": "200"}

    @property
    def left(self) -> tuple[str, ...]:
        strangers = [path.name for path in self.home.iterdir() if path.name not in ("out", "err")]
        return (*marked(self.mark), *(path.name for path in self.files.iterdir()), *strangers)

    def said(self, name: str = "out") -> str:
        return (self.home / name).read_text()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    home, files = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("files")
    return Place(home, files, f"/nowhere/{secrets.token_hex(16)}")


@contextmanager
def started(place: Place, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A running demo, which is dead after the block."""
    argv = [BIN / "deployer", "demo", *arguments]
    with (place.home / "out").open("w") as out, (place.home / "err").open("w") as err:
        process = subprocess.Popen(argv, cwd=place.files, env=place.environment, stdout=out, stderr=err)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def demo(place: Place) -> Demo:
    """One run of `deployer demo --once`."""
    began, most = time.monotonic(), 0
    with started(place, "--once") as process:
        while process.poll() is None and time.monotonic() < began + 2 * SECONDS:
            most = max(most, len(marked(place.mark)))
            time.sleep(0.1)
    seconds = time.monotonic() - began
    return Demo(process.returncode, place.said(), place.said("err"), seconds, most, place.left)


def marked(mark: str) -> list[str]:
    """The command lines of all processes that carry a mark."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark.encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_text().replace("\0", " "))
    return found


def test_it_ends_well_and_soon(demo: Demo) -> None:
    assert demo.exit_code == 0, f"{demo.output}\n{demo.errors}"
    assert demo.seconds < SECONDS


def test_it_says_nothing_but_what_it_shows(demo: Demo) -> None:
    assert demo.errors == ""
    assert "\x1b" not in demo.output
    assert "Traceback" not in demo.output


def test_it_shows_each_merge_and_a_green_check_for_each_environment(demo: Demo) -> None:
    for number, act in enumerate(demo.acts, 1):
        assert f"merges pull request #{number}" in act
        for environment in ("staging", "production"):
            (line,) = re.findall(rf"^{environment} .* success .*healthy.*$", act, re.MULTILINE)
            assert re.search(r"✔ \d+ objects, \d+ changed", line)
            assert line.rstrip().endswith("; as previewed in #2") is (number == 2)


def test_it_shows_what_the_second_merge_would_change_and_where_to_read_it(demo: Demo) -> None:
    act = demo.acts[1].partition("grace merges")[0]
    assert re.search(rf"opens pull request #2: {PULL}$", act, re.MULTILINE)
    for environment in ("staging", "production"):
        foreseen = rf"^{environment} +success +1 to create, 1 to change, 1 to delete\s*$"
        assert re.search(foreseen, act, re.MULTILINE), act


def test_it_shows_what_runs_on_each_cluster(demo: Demo) -> None:
    versions = {"staging": ("1.4.1-rc.1", "1.4.1"), "production": ("1.4.0", "1.4.1")}
    for act, number in zip(demo.acts, (0, 1), strict=True):
        for cluster, version in versions.items():
            image = re.escape(f"acme/shop-web:{version[number]}")
            assert re.search(rf"^{cluster} +web +{image} +\d/\d", act, re.MULTILINE), act


def test_it_names_the_page_of_each_deployment(demo: Demo) -> None:
    pages = re.findall(r"^http://127\.0\.0\.1:\d+/deployments/([0-9a-f]+)\s*$", demo.output, re.MULTILINE)
    assert len(set(pages)) == 4


def test_it_leaves_nothing_behind(demo: Demo) -> None:
    assert demo.most_processes >= 5, "itself, Redis, web, worker and clock"
    assert demo.left == ()


def test_a_person_reads_the_preview_merges_and_deploys_again_by_the_buttons_of_the_page(place: Place) -> None:
    with started(place) as process:
        asks = eventually(lambda: re.search(rf"press Merge: {PULL} ", place.said()), seconds=SECONDS)
        secrets_kept = [path for path in place.files.rglob("*") if path.suffix in (".pem", ".kubeconfig")]
        assert {(path.name, path.stat().st_mode & 0o077) for path in secrets_kept} == {
            ("app.pem", 0), ("staging.kubeconfig", 0), ("production.kubeconfig", 0),
        }  # fmt: skip
        with Browser(asks[1]) as browser:
            page = browser.look(asks[2])
            for piece in ("What merging this would change", "<td><code>staging</code></td>", '<div class="added">+'):
                assert piece in page
            browser.press(asks[2], "Merge")
            eventually(lambda: place.said().count("as previewed in #2") == 2, seconds=SECONDS, otherwise=place.said)
            page = browser.look(asks[2])
            assert {"deploy/staging", "deploy/production"} <= set(re.findall(r'id="check-([^"]+)"', page))
            deployment = page.partition('id="check-deploy/staging"')[2]
            run = re.search(r'href="(/acme/shop/runs/\d+)"', deployment)
            assert run
            browser.press(run[1], "Redeploy")
            eventually(lambda: "nothing to change" in place.said(), seconds=SECONDS, otherwise=place.said)
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 0, place.said("err")
    assert place.said().endswith("stopping…\n")
    assert place.left == ()
