"""The mirror of a repository, in which commits are verified, looked at, and from which they are written out.

Runs nothing that the repository brings along, changes nothing in what it holds, and believes in a commit only if the
configured branch contains it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from deployer.model import Failure, Permanent, Stage, Temporary
from deployer.source.bare import Bare
from deployer.source.git import Credential, check_branch, check_commit, parse_address
from deployer.source.merging import Merging
from deployer.source.objects import NOT_YET, Objects
from deployer.source.remote import Remote, remote_tip
from deployer.source.snapshot import Snapshot

__all__ = ["Credential", "Mirror", "mirror_path", "remote_tip"]


MIRRORS = "mirrors"
"""The folder of all mirrors, below that of the caches."""


def mirror_path(data: Path, url: str) -> Path:
    """The folder for the mirror of `url` below the data folder: always the same, and no other URL's."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", url.partition("://")[2] or url).strip("-")[-60:].strip("-")
    return data / MIRRORS / f"{readable}-{hashlib.sha256(url.encode()).hexdigest()[:20]}.git"


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
        self._folder = folder.absolute()
        self._bare = Bare(folder.absolute(), Remote(parse_address(url), credential, seconds))
        self._objects = Objects(self._bare, url)
        self._verified: set[tuple[str, str]] = set()
        """Commit and branch, since the last fetch: each question to git is a process, and this one is asked twice."""
        self._ancestry: dict[tuple[str, str], bool] = {}
        """What `contains` found out about two commits that are here. It cannot change."""

    def beside(self, name: str) -> Path:
        """A file beside the mirror, for what can be found out from it again."""
        return self._folder.with_suffix(f".{name}")

    @property
    def merging(self) -> Merging:
        """What open requests would make of a branch. None of it becomes deployable by that."""
        return Merging(self._bare, self._url)

    def fetch(self, branch: str) -> str:
        """Bring `branch` up to date, forced pushes included, and return the commit that it is at.

        Raises:
            Permanent: there is no such branch or repository, or the credentials were refused.
            Temporary: the remote could not be reached or is too slow; another fetch holds the lock for too long.
        """
        check_branch(branch)
        self._verified.clear()
        tip = self._bare.fetch(branch)
        self._verified.add((tip, branch))
        return tip

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
            raise self._temporary(doing, NOT_YET)
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

    def snapshot(self, commit: str) -> Snapshot:
        """What the tree of a commit holds; nothing is written. The last few are kept.

        Args:
            commit: one that `verify` has let pass.

        Raises:
            Permanent: it is no commit; its tree is one that git would not write, or too large.
            Temporary: it is not there, or the mirror is broken and cannot be repaired now.
        """
        check_commit(commit)
        if not any(commit in pair for pair in tuple(self._verified)):  # others may fetch meanwhile
            self._objects.require(commit)
        return self._objects.snapshot(commit)

    def texts(self, hashes: Iterable[str], *, largest: int) -> dict[str, bytes]:
        """The contents of files by their hashes, without those that have more than `largest` bytes.

        Raises:
            Temporary: the mirror is broken and cannot be repaired now.
        """
        return self._objects.texts(hashes, largest=largest)

    def write(self, snapshot: Snapshot, paths: Iterable[str], into: Path) -> None:
        """Write what stands at the paths, and nothing else, exactly as committed. Submodules stay empty folders.

        Args:
            snapshot: of a commit in this mirror.
            paths: files, links and folders, relative to the repository's root; a folder means all that is in it. No
                link is followed.
            into: new or empty; gets mode 0700; removed if this fails.

        Raises:
            Permanent: a path is not in the commit; something may not be written (see `tree`); it is too much.
            Temporary: the mirror is broken and cannot be repaired now, or the disk refuses.
            ValueError: `into` is not empty.
        """
        self._objects.write(snapshot, paths, into)

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
        """Whether a commit is here, on whichever branch. Nothing is, where nothing was fetched yet.

        Raises:
            Permanent: it is no full hash.
            Temporary: the mirror is broken and cannot be repaired now.
        """
        check_commit(commit)
        if not self._bare.exists:
            return False
        return any(commit in pair for pair in tuple(self._ancestry)) or self._bare.objects(commit) != [None]

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

    def lost(self, branch: str, commits: Iterable[str]) -> frozenset[str]:
        """Those of `commits` that a forced push took off `branch`: it does not contain them, as last fetched.

        What is not here is fetched first. Runs git three times, however many commits, unless there are such.

        Raises:
            Permanent, Temporary: as `contains` and `fetch`.
        """
        asked = sorted(set(commits))
        for commit in asked:
            check_commit(commit)
        if not asked:
            return frozenset()
        found = self._bare.objects(*asked)
        if None in found:
            self.fetch(branch)
            found = self._bare.objects(*asked)
        here = [commit for commit, known in zip(asked, found, strict=True) if known]
        tip = self.tip(branch)
        beyond = "\n".join([*here, f"^{tip}"]).encode()
        if here and not self._bare.read("rev-list", "--max-count=1", "--stdin", stdin=beyond).stdout:
            return frozenset(asked) - set(here)
        return frozenset(commit for commit in asked if not self.contains(tip, commit))

    def commit_title(self, commit: str) -> str:
        """The first line of a commit's message, at most 200 characters.

        Raises:
            Temporary: the commit is not there (yet).
        """
        check_commit(commit)
        if self._bare.objects(commit) == [None]:
            raise self._temporary(f"looking up commit {commit}", NOT_YET)
        title = self._bare.read("log", "--max-count=1", "--format=%s", commit).stdout
        return title.decode(errors="replace").strip()[:200]

    def _temporary(self, doing: str, problem: str) -> Temporary:
        return Temporary(f"{doing} of {self._url}: {problem}", stage=Stage.FETCH)

    def _permanent(self, doing: str, problem: str) -> Permanent:
        return Permanent(f"{doing} of {self._url}: {problem}", stage=Stage.FETCH)
