"""The mirror of a repository, from which commits are verified and extracted.

Runs nothing that the repository brings along, changes nothing in what it holds, and believes in a commit only if the
configured branch contains it.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from deployer import process
from deployer.model import Failure, Permanent, Stage, Temporary
from deployer.process import ProgramFailed, ProgramTimedOut
from deployer.source.bare import Bare
from deployer.source.git import Credential, check_branch, check_commit, parse_address
from deployer.source.remote import Remote, remote_tip
from deployer.source.tree import private_folder, unpack

__all__ = ["Credential", "Mirror", "mirror_path", "remote_tip"]

LARGEST_TREE = 1024 * process.MIB
"""Bytes of the extracted files, above which a commit is refused: deployments are made of text."""

_NOT_YET = "it is not in the repository, or not there yet: the forge may still be publishing it"

_LONGEST_COMMAND = 100_000
"""Characters of paths that are handed to git; the system's own limit is about twenty times that."""


def mirror_path(data: Path, url: str) -> Path:
    """The folder for the mirror of `url` below the data folder: always the same, and no other URL's."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", url.partition("://")[2] or url).strip("-")[-60:].strip("-")
    return data / "mirrors" / f"{readable}-{hashlib.sha256(url.encode()).hexdigest()[:20]}.git"


class Mirror:
    """The mirror of the repository at `url`, in `folder`. Any number of processes may use one folder at once."""

    def __init__(self, folder: Path, url: str, *, credential: Credential | None = None, seconds: float = 120) -> None:
        """Nothing is read or written yet.

        Args:
            folder: where the mirror is or will be; its parents are made when needed.
            url: where to fetch from, out of the settings and never out of a payload.
            credential: for HTTP; sent to the host of `url` only.
            seconds: what one run of git, or waiting for another process's fetch, may take.

        Raises:
            Permanent: the URL is refused.
        """
        self._url = url
        self._bare = Bare(folder.absolute(), Remote(parse_address(url), credential, seconds))
        self._verified: set[tuple[str, str]] = set()
        """Commit and branch, since the last fetch: each question to git is a process, and this one is asked twice."""
        self._ancestry: dict[tuple[str, str], bool] = {}
        """What `contains` found out about two commits that are here. It cannot change."""

    def fetch(self, branch: str) -> str:
        """Bring `branch` up to date, forced pushes included, and return the commit that it is at.

        Raises:
            Permanent: there is no such branch or repository, or the credentials were refused.
            Temporary: the remote could not be reached or is too slow; another fetch holds the lock for too long.
        """
        check_branch(branch)
        self._verified.clear()
        return self._bare.fetch(branch)

    def verify(self, commit: str, *, branch: str) -> None:
        """Make sure that `branch`, as last fetched, contains `commit`.

        Raises:
            Permanent: it is no full hash, no commit, or the branch does not contain it.
            Temporary: it is not there (yet).
        """
        check_commit(commit)
        check_branch(branch)
        if (commit, branch) in self._verified:
            return
        doing = f"verifying commit {commit}"
        kind, tip = self._bare.objects(commit, f"refs/heads/{branch}")
        if kind is None or tip is None:
            raise self._temporary(doing, _NOT_YET)
        if kind.hash != commit:
            raise self._permanent(doing, f"this abbreviates {kind.hash}; give the full hash")
        if kind.type != "commit":
            raise self._permanent(doing, f"this is a {kind.type}, not a commit")
        if kind.hash != tip.hash and not self._bare.contains(tip.hash, commit):
            raise self._permanent(
                doing, f"branch {branch!r} does not contain it; only what is merged there is deployed"
            )
        self._verified.add((commit, branch))

    def ensure(self, commit: str, *, branch: str) -> None:
        """As `verify`, but fetches if the branch as last fetched is not enough. No network when it is.

        Raises:
            Permanent, Temporary: as `fetch` and `verify` do.
        """
        check_commit(commit)
        try:
            if self._bare.exists:
                self.verify(commit, branch=branch)
                return
        except Failure:
            pass  # it may be new; and if not, the second look says the same
        self.fetch(branch)
        self.verify(commit, branch=branch)

    def extract(self, commit: str, into: Path, *, paths: Sequence[str] = ()) -> None:
        """Write the files of `commit` into the folder `into`, exactly as committed. Submodules stay empty folders.

        Args:
            commit: one that `verify` has let pass.
            into: new or empty; gets mode 0700; removed if this fails.
            paths: files and folders relative to the repository's root; none, or too many for a command line, means all.

        Raises:
            Permanent: a path is not in the commit; a file may not be written (see `tree.unpack`); it is too much.
            Temporary: the commit is not there, or the disk refuses.
            ValueError: `into` is not empty.
        """
        check_commit(commit)
        wanted = self._wanted(commit, paths)
        with self._writing(f"extracting commit {commit}"), private_folder(into):
            folder = Path(os.path.realpath(into))
            with tempfile.NamedTemporaryFile(dir=folder.parent, prefix=f".{into.name}.", suffix=".tar") as archive:
                self._archive(commit, wanted, Path(archive.name))
                unpack(Path(archive.name), folder)

    def tip(self, branch: str) -> str:
        """The commit that `branch` was at when it was last fetched.

        Raises:
            Temporary: it never was.
        """
        check_branch(branch)
        (found,) = self._bare.objects(f"refs/heads/{branch}")
        if found is None:
            raise self._temporary(f"looking up branch {branch!r}", "it was not fetched yet")
        return found.hash

    def has(self, commit: str) -> bool:
        """Whether a commit is here, on whichever branch.

        Raises:
            Permanent: it is no full hash.
            Temporary: the mirror is broken and cannot be repaired now.
        """
        check_commit(commit)
        return any(commit in pair for pair in self._ancestry) or self._bare.objects(commit) != [None]

    def contains(self, newer: str, older: str) -> bool:
        """Whether `newer` is `older` or has it in its history.

        Of a commit that is not here, such as one that a forced push took away, nothing is known, and so not this:
        `ensure` or `fetch` before you ask.

        Raises:
            Permanent: one of them is no full hash.
            Temporary: the mirror is broken and cannot be repaired now.
        """
        check_commit(newer)
        check_commit(older)
        if (newer, older) not in self._ancestry:
            if None in self._bare.objects(newer, older):
                return False
            self._ancestry[newer, older] = self._bare.contains(newer, older)
        return self._ancestry[newer, older]

    def is_ahead(self, newer: str, older: str, *, branch: str) -> bool:
        """Whether going from `newer` to `older` would be a step back along `branch`: it contains both, and they are not
        the same. What a forced push took off the branch is ahead of nothing; where it matters, the branch is fetched.

        Raises:
            Permanent, Temporary: as `contains` and `fetch`.
        """
        if newer == older or not self.contains(newer, older):
            return False
        return self.contains(self.fetch(branch), newer)

    def commit_title(self, commit: str) -> str:
        """The first line of a commit's message, at most 200 characters.

        Raises:
            Temporary: the commit is not there (yet).
        """
        check_commit(commit)
        if self._bare.objects(commit) == [None]:
            raise self._temporary(f"looking up commit {commit}", _NOT_YET)
        title = self._bare.read("log", "--max-count=1", "--format=%s", commit).stdout
        return title.decode(errors="replace").strip()[:200]

    def _wanted(self, commit: str, paths: Sequence[str]) -> list[str]:
        """The paths as git has them; empty for all. Refuses what no path in a repository that we deploy can be."""
        wanted = sorted({PurePosixPath(path) for path in paths})
        odd = [str(path) for path in wanted if path.is_absolute() or ".." in path.parts or not _askable(str(path))]
        if odd:
            raise self._missing(commit, odd)
        names = [str(path) for path in wanted]
        return [] if "." in names or sum(map(len, names)) > _LONGEST_COMMAND else names

    def _archive(self, commit: str, paths: Sequence[str], archive: Path) -> None:
        """Let git write the tar. It is given the tree, not the commit, and no working tree to read attributes from,
        so that `export-subst` and `export-ignore` in the repository change nothing (`man git-archive`).
        """
        command = ("archive", "--format=tar", "--worktree-attributes", f"--output={archive}",
                   "--end-of-options", f"{commit}^{{tree}}", *paths)  # fmt: skip
        try:
            self._bare.git(*command, most=LARGEST_TREE)
        except ProgramTimedOut as error:
            raise self._temporary(f"extracting commit {commit}", f"git {error.reason}") from error
        except ProgramFailed as error:
            if archive.stat().st_size >= LARGEST_TREE:
                raise self._permanent(
                    f"extracting commit {commit}", f"its files exceed {LARGEST_TREE // process.MIB} MiB"
                ) from error
            self._require(commit, paths)
            self._bare.repair_and_read(*command, most=LARGEST_TREE)

    def _require(self, commit: str, paths: Sequence[str]) -> None:
        """Raise for what is not there, and so is no fault of the mirror."""
        found, *there = self._bare.objects(commit, *(f"{commit}:{path}" for path in paths))
        if found is None:
            raise self._temporary(f"extracting commit {commit}", _NOT_YET)
        if missing := [path for path, item in zip(paths, there, strict=True) if item is None]:
            raise self._missing(commit, missing)

    def _missing(self, commit: str, paths: Sequence[str]) -> Permanent:
        names = ", ".join(map(repr, paths))[:500]
        return self._permanent(f"extracting commit {commit}", f"it has no {names}; check the path in the settings")

    @contextmanager
    def _writing(self, doing: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._temporary(doing, f"files could not be written ({error.strerror}); is the disk full?") from error

    def _temporary(self, doing: str, problem: str) -> Temporary:
        return Temporary(f"{doing} of {self._url}: {problem}", stage=Stage.FETCH)

    def _permanent(self, doing: str, problem: str) -> Permanent:
        return Permanent(f"{doing} of {self._url}: {problem}", stage=Stage.FETCH)


def _askable(path: str) -> bool:
    """Whether git can be given this path as an argument, and asked for it in a line of its own."""
    try:
        return not set(os.fsencode(path)) & set(b"\n\0")
    except UnicodeEncodeError:
        return False
