"""Writing files of a commit into a folder that nobody else can look into, and nothing outside of it.

Names and links come from a repository that is not trusted: a link that leads out is refused, and so is a name that the
file system cannot keep apart from another. Messages name the path, never what a link points to or a file contains.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from deployer.model import Permanent, Stage

_DEEPEST = 200
"""Folders in each other. Whoever removes them may take a step on its stack for each."""


@contextmanager
def private_folder(folder: Path) -> Iterator[None]:
    """Make `folder` with mode 0700, and remove it with all its contents if the block fails.

    Raises:
        ValueError: it is there already and not empty.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty")
    folder.chmod(0o700)
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def make_folders(into: Path, paths: Iterable[str]) -> None:
    """Make folders below `into`, with those that they are in.

    Raises:
        Permanent: one is refused.
    """
    for folder in sorted({above for path in paths for above in _upwards(path)}):
        with _refusing(folder):
            os.mkdir(f"{into}/{folder}", 0o700)  # noqa: PTH102 - a Path takes longer than the folder, and there are many


def write_file(into: Path, path: str, content: bytes | memoryview, *, executable: bool) -> None:
    """Write a new file below `into`, in a folder that is there; no links are there yet.

    Raises:
        Permanent: it is refused.
    """
    mode = 0o700 if executable else 0o600
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with _refusing(path), os.fdopen(os.open(f"{into}/{path}", flags, mode), "wb") as file:
        file.write(content)


def make_links(into: Path, links: Mapping[str, str]) -> None:
    """Make symbolic links below `into`, after all else, so that no file is written through one; then follow each.

    Args:
        into: its path without symbolic links.
        links: what each points to.

    Raises:
        Permanent: one is refused.
    """
    for path, target in links.items():
        if not target:
            raise refused(path, "a symbolic link to nothing")
        with _refusing(path):
            _link(into / path, target)
    for path in links:
        _check(path, into)


def refused(path: str, reason: str) -> Permanent:
    """What to raise for a path that is not written."""
    return Permanent(f"extracting the repository: {path[:200]!r} is refused: {reason}", stage=Stage.FETCH)


@contextmanager
def _refusing(path: str) -> Iterator[None]:
    if ".." in path.split("/") or path.startswith("/"):
        raise refused(path, "a name that leads out of the repository")
    if path.count("/") > _DEEPEST:
        raise refused(path, f"it lies in more than {_DEEPEST} folders")
    try:
        yield
    except (FileExistsError, NotADirectoryError) as error:
        raise refused(path, "a name that occurs twice") from error
    except ValueError as error:
        raise refused(path, "a zero byte in a name or link") from error
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        raise refused(path, "a name or link that is too long") from error


def _upwards(path: str) -> Iterator[str]:
    """The path and each folder that it is in, short of the root."""
    while path:
        yield path
        path = path.rpartition("/")[0]


def _link(path: Path, target: str) -> None:
    """Make one link. Its folder must not itself be reached through another, which could lead anywhere."""
    if os.path.realpath(path.parent, strict=True) != str(path.parent):
        raise NotADirectoryError(path)
    path.symlink_to(target)


def _check(path: str, into: Path) -> None:
    """Follow one link, as far as it goes, as the kernel would.

    A path that grows too long or goes in circles is refused, since `realpath` then goes on by guesswork; one that ends
    at a missing file does no harm, as nothing can be read there.
    """
    try:
        end = Path(os.path.realpath(into / path, strict=True))
    except FileNotFoundError:
        return
    except OSError as error:
        raise refused(path, "a symbolic link that leads nowhere") from error
    if not end.is_relative_to(into):
        raise refused(path, "a symbolic link that leads out of the repository")
