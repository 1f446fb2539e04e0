"""Private folders for as long as a block needs them, and the removal of those whose process was killed.

A folder is locked while it is in use, and the lock ends with its process: what nobody holds is nobody's any more,
whatever container the process ran in. `man 2 flock`
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_PREFIX: Final = "deployer-scratch-"
_NEW: Final = 60.0
"""Seconds in which whoever made a folder locks it."""


@contextmanager
def folder() -> Iterator[Path]:
    """A folder that this user alone can read, gone with all that is in it after the block."""
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as made:
        lock = _lock(Path(made))
        try:
            yield Path(made)
        finally:
            os.close(lock)


def sweep() -> int:
    """Remove what killed processes of this user left, as far as possible. How many folders that were."""
    left = [path for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*") if _is_abandoned(path)]
    for path in left:
        with suppress(RecursionError):
            shutil.rmtree(path, ignore_errors=True)
    return sum(not path.exists() for path in left)


def _is_abandoned(path: Path) -> bool:
    with suppress(OSError):  # gone meanwhile, not ours, or no folder; or somebody holds it
        status = path.lstat()
        if status.st_uid == os.geteuid() and time.time() - status.st_mtime > _NEW:
            os.close(_lock(path))
            return True
    return False


def _lock(path: Path) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
