"""Runs a program that sees nothing of this machine but what it is given: no network, no other file, few processes.

By namespaces (`man 1 unshare`), which need no privilege where the system allows them. Where it does not, `works` says
so, and whoever asks has to do with less.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from deployer import process, scratch
from deployer.process import Limits, ProgramFailed

TREE: Final = "repository"
"""What the folder is called inside, directly below the root."""

_MOST_PROCESSES: Final = 256
"""Threads count as processes here; kustomize and Helm have a few dozen."""


@functools.cache
def without_network() -> tuple[str, ...]:
    """What to put before a command so that it has no network and few processes; nothing where that is not allowed."""
    unshare, prlimit = shutil.which("unshare"), shutil.which("prlimit")
    if unshare is None:
        return ()
    few = (prlimit, f"--nproc={_MOST_PROCESSES}:{_MOST_PROCESSES}", "--") if prlimit else ()
    command = (unshare, "--map-root-user", "--net", "--", *few)  # a limit outside would count all of this user's
    return command if _ends_well((*command, unshare, "--version")) else ()


@functools.cache
def works(program: str) -> bool:
    """Whether a program can be run with a root of its own here; it must not need libraries."""
    if not without_network():
        return False
    with scratch.folder() as folder:
        (tree := folder / TREE).mkdir()
        with inside(tree, programs=[program]) as (root, environment):
            return _ends_well((*_prefix(root), f"/{Path(program).name}", "--help"), environment)


@contextmanager
def inside(tree: Path, *, programs: Sequence[str]) -> Iterator[tuple[Path, Mapping[str, str]]]:
    """A root with a folder, some programs, a home and room for temporary files. The folder is back in its place after.

    Args:
        tree: will be `/repository`.
        programs: paths of programs; each will be in `/` by its name.

    Yields:
        The root, and the environment for what runs in it.
    """
    with tempfile.TemporaryDirectory(dir=tree.parent, prefix=".jail-") as folder:
        root = Path(folder)
        for program in programs:
            _link(program, root / Path(program).name)
        for name in ("home", "tmp"):
            (root / name).mkdir(mode=0o700)
        tree.rename(root / TREE)
        try:
            yield root, {"HOME": "/home", "TMPDIR": "/tmp"}  # noqa: S108 - of the jail
        finally:
            (root / TREE).rename(tree)


def run(root: Path, argv: Sequence[str], *, environment: Mapping[str, str], limits: Limits) -> bytes:
    """What a program in a root prints. Raises as `process.run`."""
    return process.run((*_prefix(root), *argv), cwd=Path("/"), environment=environment, limits=limits).stdout


def _prefix(root: Path) -> tuple[str, ...]:
    return (*without_network(), shutil.which("unshare") or "unshare", f"--root={root}", "--")


def _ends_well(argv: Sequence[str], environment: Mapping[str, str] | None = None) -> bool:
    try:
        process.run(argv, cwd=Path("/"), environment=environment or {}, limits=Limits(seconds=10))
    except ProgramFailed:
        return False
    return True


def _link(program: str, into: Path) -> None:
    """Put a program into a root: by a link, which costs nothing, if need be from a copy on the same file system."""
    real = os.path.realpath(program)
    try:
        os.link(real, into)
    except OSError:  # another file system, or another owner
        try:
            os.link(_copy(real), into)
        except OSError:
            shutil.copy2(real, into)


@functools.cache
def _copy(program: str) -> str:
    """A copy of a program where temporary files are, gone with this process."""
    kept = ExitStack()
    atexit.register(kept.close)
    return str(shutil.copy2(program, kept.enter_context(scratch.folder())))
