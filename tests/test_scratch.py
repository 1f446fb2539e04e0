"""Private folders, in use, left behind and swept."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from deployer import scratch

HOLD = (
    "import time\nfrom deployer import scratch\nwith scratch.folder() as made: print(made, flush=True); time.sleep(60)"
)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def aged(path: Path) -> Path:
    os.utime(path, (1, 1))
    return path


def killed(temporary: Path) -> Path:
    """A folder with a file in it, whose process was killed."""
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True, env=environment) as holder:
        assert holder.stdout is not None
        made = Path(holder.stdout.readline().strip())
        (made / "secret").write_text("x")
        assert scratch.sweep() == 0
        assert aged(made).exists()
        assert scratch.sweep() == 0, "it is in use"
        holder.send_signal(signal.SIGKILL)
    return made


def test_a_folder_is_private_and_gone_after_the_block() -> None:
    with scratch.folder() as made:
        assert stat.S_IMODE(made.stat().st_mode) == 0o700
        (made / "file").touch()
    assert not made.exists()


def test_what_a_killed_process_left_is_removed_and_nothing_else(temporary: Path) -> None:
    made = killed(temporary)
    with scratch.folder() as used:
        others = [temporary / "deployer-notes", temporary / f"{made.name}.txt", used]
        others[0].mkdir()
        others[1].touch()
        for path in (*others, made):
            aged(path)
        assert scratch.sweep() == 1
        assert not made.exists()
        assert all(path.exists() for path in others)


def test_one_that_was_made_a_moment_ago_is_left_alone(temporary: Path) -> None:
    (new := temporary / "deployer-scratch-new").mkdir()
    assert scratch.sweep() == 0
    assert scratch.sweep() == 0
    assert aged(new).exists()
    assert scratch.sweep() == 1


def test_no_link_is_followed(temporary: Path) -> None:
    (temporary / "kept").mkdir()
    (temporary / "deployer-scratch-link").symlink_to(temporary / "kept")
    os.utime(temporary / "deployer-scratch-link", (1, 1), follow_symlinks=False)
    assert scratch.sweep() == 0
    assert aged(temporary / "kept").exists()
