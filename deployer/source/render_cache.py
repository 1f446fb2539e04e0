"""Keeps what was rendered, so that the same input is rendered once per machine and not once per deployment.

Generators make Secrets, so what is kept is this user's alone, and a folder that somebody else could have filled is not
used. It is a cache: deleting it at any time is safe, and nothing that goes wrong here fails a deployment.
docs/decisions/0008-render-cache.md says why no library does this.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import re
import secrets
import stat
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from deployer.process import MIB

_LOG: Final = logging.getLogger(__name__)

_KEY: Final = re.compile(r"[0-9a-f]{64}")
_MAGIC: Final = "deployer-render-1"
_HEADER_SIZE: Final = len(f"{_MAGIC} {64 * 'k'} {64 * 'd'}\n")

_BLOCK: Final = 4096
"""Bytes in which disks give out space: a file is counted as what it takes, or many small ones would fill the disk."""

_NEW: Final = ".new."
"""Begins the name of a file that is still being written."""
_LEDGER: Final = ".written"
"""Has a byte for each block that was written since the folder was last swept. A file, since each job is a process of
its own that puts one entry and ends; one that is only appended to, since that needs no lock."""

_TOUCHED_EVERY: Final = 60.0
_ABANDONED_AFTER: Final = 600.0
"""Seconds: how exactly the last use of an entry is known, and after how long a writer is taken for dead."""


class RenderCache:
    """Rendered manifests in a folder. Any number of processes of one user may use it at once; none waits for another.

    A file is a header with its key and the SHA-256 of what follows, which is compressed: zlib at its lowest level makes
    manifests four to eight times smaller and costs reading those of 1,000 objects one millisecond, and writing them
    three, where rendering them took seconds. The digest tells of damage; what keeps forgers out is the folder's owner
    and mode.

    Nothing is forced onto the disk (fsync): after a power cut a file may be cut short, and the digest will tell.
    """

    def __init__(self, folder: Path, *, most: int = 512 * MIB) -> None:
        """Nothing is read or written yet.

        Args:
            folder: where the entries are or will be; made with mode 0700 when needed.
            most: bytes on disk that all entries together may take. One that is larger than a quarter of this before
                it is compressed is not kept.
        """
        self._folder = folder.absolute()
        self._most = most
        self._largest = most // 4
        self._slack = most // 8
        """Bytes that may be written between two sweeps, so that not each `put` looks at all entries."""
        self._said: set[str] = set()

    def get(self, key: str) -> bytes | None:
        """The manifests that were put under `key`: 64 hexadecimal digits, lower case.

        Returns:
            None if they are not there, are damaged or not certainly ours (then they are removed), or cannot be read.

        Raises:
            ValueError: this cannot be a key.
        """
        _check(key)
        try:
            with self._opened() as folder:
                return self._read(folder, key)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._warn("is not read", error)
            return None

    def put(self, key: str, manifests: bytes) -> None:
        """Keep `manifests` under `key`, as `get` takes it; if that cannot be done, a warning in the log says why.

        Raises:
            ValueError: this cannot be a key.
        """
        _check(key)
        if _taken(len(manifests)) > self._largest:
            return
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._opened() as folder:
                self._write(folder, key, _seal(key, manifests))
        except OSError as error:
            self._warn("is not written to", error)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """A descriptor of the folder. What was checked is what is used, whatever takes its place meanwhile.

        Raises:
            OSError: it is not there, or must not be used.
        """
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            _make_private(folder)
            yield folder
        finally:
            os.close(folder)

    def _read(self, folder: int, key: str) -> bytes | None:
        with open(key, "rb", opener=_within(folder)) as file:
            status = os.fstat(file.fileno())
            content = file.read() if _is_private(status) and status.st_size <= self._most else b""
            manifests = _unseal(key, content, most=self._largest)
            if manifests is None:
                _LOG.warning("removing %s from the render cache: it is damaged, or others could write it", key)
                _remove(folder, key)
            elif abs(time.time() - status.st_mtime) > _TOUCHED_EVERY:
                with suppress(OSError):  # it was read, which is what counts
                    os.utime(file.fileno())
        return manifests

    def _write(self, folder: int, key: str, content: bytes) -> None:
        self._make_room(folder, _taken(len(content)))
        name = f"{_NEW}{secrets.token_hex(8)}"
        try:
            with open(name, "xb", opener=_within(folder)) as file:
                file.write(content)
            os.rename(name, key, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            _remove(folder, name)
            raise

    def _make_room(self, folder: int, size: int) -> None:
        """Note that `size` more bytes will be written, and sweep when that is due.

        The ledger is emptied before the folder is looked at, so that what others write meanwhile is noted or seen, but
        for a file that is half written just then: by so much `most` may be exceeded until the next sweep.
        """
        with open(_LEDGER, "ab", opener=_within(folder)) as ledger:
            ledger.write(bytes(size // _BLOCK))
            ledger.flush()
            if ledger.tell() * _BLOCK <= self._slack:
                return
            ledger.truncate(0)
        _sweep(folder, leave=self._most - self._slack - size)

    def _warn(self, effect: str, error: OSError) -> None:
        """Say it once: the next deployments will meet the same."""
        problem = f"the render cache {effect}, and everything is rendered anew: {self._folder}: {error.strerror}"
        if problem not in self._said:
            self._said.add(problem)
            _LOG.warning("%s", problem)


class _File(NamedTuple):
    used: float
    """Seconds since the epoch. First, since files are sorted by it."""
    name: str
    size: int


def _sweep(folder: int, *, leave: int) -> None:
    """Remove the least recently used files until at most `leave` bytes are taken, and what killed writers left.

    A file that is being written is nobody's to remove, even if others have put a whole cache since it was begun. The
    ledger is a file like others: the newest, and if it went, nothing but a count would be lost.
    """
    files = sorted(_files(folder))
    taken = sum(file.size for file in files)
    abandoned = time.time() - _ABANDONED_AFTER
    for file in files:
        due = file.used < abandoned if file.name.startswith(_NEW) else taken > leave
        if due:
            _remove(folder, file.name)
            taken -= file.size


def _files(folder: int) -> Iterator[_File]:
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # another process sweeps, too
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(status.st_mode):
                    yield _File(status.st_mtime, entry.name, _taken(status.st_size))


def _make_private(folder: int) -> None:
    """Close the folder to others, who until now may have looked at the names in it but not written.

    Raises:
        PermissionError: others could have written, so that nothing in it can be believed.
    """
    status = os.fstat(folder)
    remedy = "remove it, or give this user a DEPLOYER_DATA of its own"
    if status.st_uid != os.geteuid():
        raise PermissionError(errno.EPERM, f"it belongs to another user (id {status.st_uid}); {remedy}")
    mode = stat.S_IMODE(status.st_mode)
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PermissionError(errno.EPERM, f"other users may write into it (mode {mode:04o}); {remedy}")
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        os.fchmod(folder, mode & ~(stat.S_IRWXG | stat.S_IRWXO))


def _is_private(status: os.stat_result) -> bool:
    """Whether this is a file that nobody but this user can have read or written."""
    others = status.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and not others


def _within(folder: int) -> Callable[[str, int], int]:
    """How to open a name in `folder`: through no link, waiting for no pipe; a new file is this user's alone."""

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600, dir_fd=folder)

    return opener


def _remove(folder: int, name: str) -> None:
    """Remove a file. If it cannot be, it is gone already, or the next writer is told why."""
    with suppress(OSError):
        os.unlink(name, dir_fd=folder)


def _seal(key: str, manifests: bytes) -> bytes:
    compressed = zlib.compress(manifests, 1)
    return _header(key, compressed) + compressed


def _unseal(key: str, content: bytes, *, most: int) -> bytes | None:
    """The manifests in a file, or None if it was not sealed under this key or holds more than `most` bytes.

    Nothing is decompressed before its digest was found right.
    """
    compressed = content[_HEADER_SIZE:]
    if content[:_HEADER_SIZE] != _header(key, compressed):
        return None
    inflater = zlib.decompressobj()
    try:
        manifests = inflater.decompress(compressed, most)
    except zlib.error:
        return None
    return manifests if inflater.eof else None


def _header(key: str, compressed: bytes) -> bytes:
    return f"{_MAGIC} {key} {hashlib.sha256(compressed).hexdigest()}\n".encode()


def _taken(size: int) -> int:
    """The bytes that a file of this size takes on disk, never none: its entry takes some, too."""
    return max(1, -(-size // _BLOCK)) * _BLOCK


def _check(key: str) -> None:
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key[:80]!r} is no key of the render cache; it takes the hexadecimal digits of a SHA-256")
