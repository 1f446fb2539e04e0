"""Writing the files of an archive into a folder that nobody else can look into, and nothing outside of it.

The archive comes from git, its contents from a repository that is not trusted: a name or a link that leads out, a
device, or a name that occurs twice is refused. Messages name the path, never what a link points to or a file contains.
"""

from __future__ import annotations

import errno
import os
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from deployer.model import Permanent, Stage


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


def unpack(archive: Path, into: Path) -> None:
    """Write the directories, regular files and symbolic links of a tar archive into an empty folder.

    Links are made last, so that no file is written through one, and then followed to see where they really lead.

    Args:
        archive: the tar file.
        into: an empty folder, its path without symbolic links.

    Raises:
        Permanent: an entry is refused.
    """
    links: dict[PurePosixPath, str] = {}
    with tarfile.open(archive, "r:", encoding="utf-8", errors="surrogateescape") as entries:
        for entry in entries:
            path = PurePosixPath(entry.name)
            with _refusing(path):
                if entry.issym():
                    _plan(links, path, entry.linkname)
                else:
                    _write(entries, entry, into / path)
    for path, target in links.items():
        with _refusing(path):
            _link(into / path, target)
    for path in links:
        _check(path, into)


@contextmanager
def _refusing(path: PurePosixPath) -> Iterator[None]:
    if path.is_absolute() or ".." in path.parts:
        raise _refused(path, "a name that leads out of the repository")
    try:
        yield
    except (FileExistsError, NotADirectoryError) as error:
        raise _refused(path, "a name that occurs twice") from error
    except ValueError as error:
        raise _refused(path, "a zero byte in a name or link") from error
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        raise _refused(path, "a name or link that is too long") from error


def _write(entries: tarfile.TarFile, entry: tarfile.TarInfo, target: Path) -> None:
    if entry.isdir():
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        return
    content = entries.extractfile(entry) if entry.isreg() else None
    if content is None:
        raise _refused(PurePosixPath(entry.name), "neither a file, a folder nor a symbolic link")
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with content, target.open("xb") as file:
        shutil.copyfileobj(content, file)
    target.chmod(0o700 if entry.mode & 0o100 else 0o600)


def _plan(links: dict[PurePosixPath, str], path: PurePosixPath, target: str) -> None:
    if PurePosixPath(target).is_absolute():
        raise _refused(path, "a symbolic link to an absolute path")
    if path in links:
        raise FileExistsError(path)
    links[path] = target


def _link(path: Path, target: str) -> None:
    """Make one link. Its folder must not itself be reached through another, which could lead anywhere."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.path.realpath(path.parent, strict=True) != str(path.parent):
        raise NotADirectoryError(path)
    path.symlink_to(target)


def _check(path: PurePosixPath, into: Path) -> None:
    """Follow one link, as far as it goes, as the kernel would.

    A path that grows too long or goes in circles is refused, since `realpath` then goes on by guesswork; one that ends
    at a missing file does no harm, as nothing can be read there, and is judged by its text from there on.
    """
    try:
        end = os.path.realpath(into / path, strict=True)
    except FileNotFoundError:
        end = os.path.realpath(into / path)
    except OSError as error:
        raise _refused(path, "a symbolic link that leads nowhere") from error
    if not PurePosixPath(end).is_relative_to(into):
        raise _refused(path, "a symbolic link that leads out of the repository")


def _refused(path: PurePosixPath, reason: str) -> Permanent:
    return Permanent(f"extracting the repository: {str(path)[:200]!r} is refused: {reason}", stage=Stage.FETCH)
