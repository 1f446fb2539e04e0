"""The bare repository that a mirror keeps on disk: made, fetched into under a lock, read from, and repaired.

It is a cache. Whatever a killed process, a full disk or a person did to it, one fetch later it is right again; who is
to blame is found out by asking the remote, and by trying again, not by reading git's mind.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import filelock

from deployer import process
from deployer.model import Permanent, Stage, Temporary
from deployer.process import Completed, ProgramFailed, ProgramTimedOut, ProgramWroteTooMuch
from deployer.source import aside
from deployer.source.git import without_userinfo
from deployer.source.remote import LARGEST_ANSWER, Remote

_LOG = logging.getLogger(__name__)

LARGEST_PACK = 4096 * process.MIB
"""Bytes of one file that a fetch may write: beyond any repository that is deployed from, short of filling a disk."""

_LEFTOVERS = ("*.lock", "refs/**/*.lock", "objects/info/*.lock", "objects/pack/*.lock", "objects/pack/tmp_*",
              "objects/??/tmp_obj_*")  # fmt: skip
"""What a killed git leaves behind. Under our lock nobody is using it."""

_MANY_LOOSE, _MANY_PACKS = 27, 50
"""As in `git gc --auto`: 27 files in one of the 256 folders mean about 6,700 loose objects."""

Sound = Callable[[Completed], bool]


class Object(NamedTuple):
    """What a name stands for."""

    hash: str
    type: str


def _quiet(answer: Completed) -> bool:
    """Whether git complained of nothing. It does of a broken object, calls it missing, and ends well."""
    return not any(line.startswith("error:") for line in answer.stderr.splitlines())


class Bare:
    """The bare repository in `folder`, filled from `remote`."""

    def __init__(self, folder: Path, remote: Remote) -> None:
        self._folder = folder
        self._remote = remote
        self._branches: set[str] = set()
        """Those that were fetched: they must be here, and are fetched again into a new repository."""

    @property
    def exists(self) -> bool:
        """Whether there is something to read, sound or not."""
        return (self._folder / "HEAD").is_file()

    def fetch(self, branch: str) -> str:
        """Fetch `branch` and return its tip. Raises as `Mirror.fetch` does."""
        with self.locked():
            tip = self._fetch_or_repair(branch)
        self._branches.add(branch)
        return tip

    def fetch_aside(self, ref: str, *, into: str) -> str:
        """Fetch one ref that is no branch into a private one, and return the commit that it is at.

        Nothing is repaired: `fetch` a branch first, which does that.

        Raises:
            Permanent: the credentials were refused.
            Temporary: it is not there (yet), or the remote could not be reached.
        """
        with self.locked(beside=True):
            try:
                before = self._identity()
                with aside.fetched(ref, mirror=self._folder, remote=self._remote, most=LARGEST_PACK) as (commit, packs):
                    with self.locked():
                        if self._identity() != before:
                            raise self._made_anew(ref)
                        aside.hand_over(packs, self._folder)
                        self.git("update-ref", into, commit)
                    return commit
            except ProgramFailed as error:
                raise self._remote.failure(f"fetching {ref} of {self._remote.address}", error) from error

    def _identity(self) -> tuple[int, int]:
        """Something else when the repository was made anew: only then is this file written."""
        head = (self._folder / "HEAD").stat()
        return head.st_ino, head.st_mtime_ns

    def _made_anew(self, ref: str) -> Temporary:
        doing = f"fetching {ref} of {self._remote.address}"
        return Temporary(f"{doing}: its mirror was made anew meanwhile; this is tried again", stage=Stage.FETCH)

    def git(self, *command: str, stdin: bytes = b"", most: int = LARGEST_ANSWER) -> Completed:
        """Run one git command here, once. Raises ProgramFailed."""
        return self._remote.git(*command, folder=self._folder, stdin=stdin, most=most)

    def read(
        self, *command: str, stdin: bytes = b"", most: int = LARGEST_ANSWER, sound: Sound | None = None
    ) -> Completed:
        """Run a git command that changes nothing and cannot fail on a sound repository; if it does, wait for whoever is
        repairing it, fetch what is missing, start over.

        Args:
            command: what to run.
            stdin: what it reads.
            most: bytes that it may answer with, if more than `LARGEST_ANSWER`; complaints need room too.
            sound: whether an answer, in which git complains of nothing, shows no damage either.

        Raises:
            Permanent: the answer is larger than `most`.
            Temporary: it failed again after all that, or took too long.
        """
        most = max(most, LARGEST_ANSWER)
        if answer := self._try(*command, stdin=stdin, most=most, sound=sound):
            return answer
        with self.locked():
            for repair in (self._leave, self._fetch_again, self._start_over):
                repair()
                if answer := self._try(*command, stdin=stdin, most=most, sound=sound):
                    return answer
        raise Temporary(
            f"reading the mirror of {self._remote.address}: git {command[0]} failed, also after repairing it;"
            " it is fetched again next time",
            stage=Stage.FETCH,
        )

    def objects(self, *names: str) -> list[Object | None]:
        """What each name, free of line breaks, stands for; None for what is not here. Runs git once."""
        refs = [f"refs/heads/{branch}" for branch in sorted(self._branches)]

        def sound(answer: Completed) -> bool:
            return None not in _objects(answer)[len(names) :]

        answer = self.read(
            "cat-file", "--batch-check=%(objectname) %(objecttype)",
            stdin=os.fsencode("\n".join([*names, *refs])), sound=sound,
        )  # fmt: skip
        return _objects(answer)[: len(names)]

    def contains(self, newer: str, older: str) -> bool:
        """Whether the history of `newer` contains `older`. Both are commits that are here."""
        return not self.read("rev-list", "--max-count=1", older, f"^{newer}").stdout

    def _try(self, *command: str, stdin: bytes, most: int, sound: Sound | None) -> Completed | None:
        """The answer, or None if there is none or it shows damage."""
        doing = f"reading the mirror of {self._remote.address}"
        try:
            answer = self.git(*command, stdin=stdin, most=most)
        except ProgramTimedOut as error:
            raise self._remote.failure(doing, error) from error
        except ProgramWroteTooMuch as error:
            problem = f"git {command[0]} answers with more than {most} bytes, which is too much to deploy from"
            raise Permanent(f"{doing}: {problem}", stage=Stage.FETCH) from error
        except ProgramFailed as error:
            _log("reading a mirror failed", self._folder, error)
            return None
        return answer if _quiet(answer) and (sound is None or sound(answer)) else None

    def _leave(self) -> None:
        """Another process may have repaired it while we waited for the lock."""

    def _fetch_again(self) -> None:
        for branch in sorted(self._branches):
            self._fetch_or_repair(branch)

    def _start_over(self) -> None:
        _remove(self._folder)
        self._fetch_again()

    @contextmanager
    def locked(self, *, beside: bool = False) -> Iterator[None]:
        """Hold the lock across processes, or the one of fetching aside, which is taken first. It lies beside the
        repository, which may be removed meanwhile."""
        doing = f"locking and writing the mirror of {self._remote.address}"
        name = f"{self._folder}.aside" if beside else str(self._folder)
        lock = filelock.FileLock(f"{name}.lock", timeout=self._remote.seconds)
        try:
            self._folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with lock.acquire(poll_interval=0.01):
                yield
        except filelock.Timeout as error:
            problem = f"another fetch holds it for more than {self._remote.seconds:g} s; this is tried again"
            raise Temporary(f"{doing}: {problem}", stage=Stage.FETCH) from error
        except OSError as error:
            problem = f"{self._folder} cannot be written ({error.strerror}): check the folder in DEPLOYER_DATA"
            raise Temporary(f"{doing}: {problem}", stage=Stage.FETCH) from error

    def _fetch_or_repair(self, branch: str) -> str:
        """Fetch; if that fails see whether the remote is to blame, then try again, then with a new repository."""
        try:
            tip = self._attempt(branch)
            if tip is None:
                expected = self._remote.tip(branch)
                tip = self._attempt(branch)
            if tip is None:
                self._make("sha1" if len(expected) == 40 else "sha256")
                self._fetch(branch)
                tip = self._fetched()
        except ProgramFailed as error:
            raise self._remote.failure(f"fetching branch {branch!r} of {self._remote.address}", error) from error
        self._pack()
        return tip

    def _attempt(self, branch: str) -> str | None:
        """The tip, or None if the fetch failed or shows damage. Raises ProgramTimedOut."""
        if (self._folder / "HEAD").is_file():
            self._remove_leftovers()
        else:
            self._make("sha1")
        try:
            answer = self._fetch(branch)
        except ProgramTimedOut:
            raise
        except ProgramFailed as error:
            _log("fetching into a mirror failed", self._folder, error)
            return None
        return self._fetched() if _quiet(answer) else None

    def _fetch(self, branch: str) -> Completed:
        ref = f"refs/heads/{branch}"
        return self.git(
            "fetch", "--quiet", "--no-tags", "--no-recurse-submodules",
            "--end-of-options", self._remote.address.url, f"+{ref}:{ref}",
            most=LARGEST_PACK,
        )  # fmt: skip

    def _fetched(self) -> str:
        """The tip that was fetched last; the file saves one run of git."""
        return (self._folder / "FETCH_HEAD").read_text(errors="replace").split(maxsplit=1)[0]

    def _make(self, object_format: str) -> None:
        """An empty repository in place of whatever is there."""
        _remove(self._folder)
        self._folder.mkdir(mode=0o700)
        self.git("init", "--quiet", "--bare", "--template=", f"--object-format={object_format}")

    def _remove_leftovers(self) -> None:
        for pattern in _LEFTOVERS:
            for leftover in self._folder.glob(pattern):
                _remove(leftover)

    def _pack(self) -> None:
        """Join loose objects and small packs when there are many; git before 2.32 cannot, and only grows slower."""
        loose = len(list(self._folder.glob("objects/17/*")))
        packs = len(list(self._folder.glob("objects/pack/*.pack")))
        if loose > _MANY_LOOSE or packs > _MANY_PACKS:
            with suppress(ProgramFailed):
                self.git("repack", "--geometric=2", "-d", "--quiet", most=LARGEST_PACK)


def _objects(answer: Completed) -> list[Object | None]:
    """Read a line each of `hash type`, or `name missing`, where the name may contain spaces."""
    fields = (line.split(" ") for line in answer.stdout.decode(errors="replace").splitlines())
    return [None if field[-1] == "missing" else Object(field[0], field[1]) for field in fields]


def _log(event: str, folder: Path, error: ProgramFailed) -> None:
    _LOG.warning(event, extra={"mirror": folder.name, "error": without_userinfo(str(error))[:500]})


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
