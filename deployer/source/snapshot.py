"""What the tree of a commit holds, and where a path in it leads.

Pure: git's own tree objects are read from memory, and only those of folders that somebody asks about. A name that git
would not write is refused for the whole commit; nothing here says what a link points to or a file contains.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Iterator, Mapping

from deployer.source.following import Entry, Followed, Follower, Kind, Leaves

__all__ = ["Entry", "Followed", "Kind", "Leaves", "Odd", "Snapshot", "link_hashes"]

_DEEP = 50
"""Folders in each other from which a path is not remembered, but looked up part by part."""

_RECORD = rb"0*((?:4|1[026])[0-7]{4}) (?!\.{1,2}\0|(?i:\.git)\0)([^\0/]+)\0(.{%d})"
"""An entry of a tree object, as git would write one: mode, name and binary hash
(https://git-scm.com/book/en/v2/Git-Internals-Git-Objects#_tree_objects). A slash in a name, `..` and the like are what
`git fsck` calls errors; through them a file could stand in a folder whose hash says nothing of it, or in none."""

_RECORDS = {length: re.compile(_RECORD % (length // 2), re.DOTALL) for length in (40, 64)}
_TREE = {length: re.compile(rb"(?:" + _RECORD % (length // 2) + rb")*+", re.DOTALL) for length in (40, 64)}
"""By the length of a hash in digits, SHA-1 or SHA-256."""


_KINDS = {0o10: Kind.FILE, 0o12: Kind.LINK, 0o4: Kind.FOLDER, 0o16: Kind.SUBMODULE}
"""By all but the last four digits of a mode."""


class Odd(ValueError):  # noqa: N818 - reads as what the tree is
    """A tree that git itself would not write. The message says what is odd."""


class Snapshot:
    """The tree of one commit."""

    def __init__(self, tree: str, trees: Mapping[str, bytes], targets: Mapping[str, str]) -> None:
        """Nothing is looked at yet.

        Args:
            tree: hash of the root's tree object.
            trees: the tree objects of all folders by hash, which `link_hashes` has looked at.
            targets: the text of every link by hash.
        """
        self.tree = tree
        self._trees = trees
        self._targets = targets
        self._folders: dict[str, dict[str, Entry]] = {}
        self._plain: dict[str, Mapping[str, Entry]] = {}
        """What is in folders that were reached without links, by path."""
        self._follower = Follower(Entry(Kind.FOLDER, tree), self._inside)

    def get(self, path: str) -> Entry | None:
        """What stands at a path, itself; no link is followed.

        Args:
            path: relative to the root, without `.`, `..` or a slash too many; empty or `.` for the root.
        """
        if (plain := self._without_links(path)) is not None:
            return plain
        entry: Entry | None = Entry(Kind.FOLDER, self.tree)
        for name in () if path in ("", ".") else path.split("/"):
            if entry is None:
                break
            entry = self._inside(entry).get(name)
        return entry

    def state(self, path: str) -> str:
        """What stands at a path in one line, which differs when anything in it differs; empty when nothing does."""
        entry = self.get(path)
        return f"{entry.kind} {entry.hash}" if entry else ""

    def children(self, path: str) -> tuple[str, ...]:
        """The names in a folder; none in anything else."""
        entry = self.get(path)
        return () if entry is None else tuple(self._inside(entry))

    def walk(self, path: str, *, without: Collection[str] = ()) -> Iterator[tuple[str, Entry]]:
        """What stands at a path, and all that is in it, each with its path; a folder comes before its contents.

        Args:
            path: as `get` takes it.
            without: paths that are left out, with all that is in them.
        """
        entry = self.get(path)
        waiting = [] if entry is None else [("" if path == "." else path, entry)]
        while waiting:
            here, entry = waiting.pop()
            if here in without:
                continue
            yield here, entry
            waiting += [(_join(here, name), child) for name, child in self._inside(entry).items()]

    def follow(self, path: str) -> Followed:
        """Resolve a path as the kernel does, one part after the other, with every link on the way and at its end.

        What lies behind a missing part is judged by its text alone.

        Raises:
            Leaves: it, or a link on the way, is absolute, leads out, or goes in circles.
        """
        if path.startswith("/"):
            raise Leaves(path, "is absolute")
        if (plain := self._without_links(path)) is not None:
            return Followed(path, plain)
        return self._follower.follow(path)

    def _without_links(self, path: str) -> Entry | None:
        """What stands at a path that goes through no link; None if there is none such, or it must be looked at closely.

        Most paths are like that, and most of them share their folder with others.
        """
        folder, slash, name = path.rpartition("/")
        if (slash and not folder) or path.count("/") > _DEEP:
            return None
        if folder not in self._plain:
            above = self._without_links(folder) if folder else Entry(Kind.FOLDER, self.tree)
            self._plain[folder] = {} if above is None or "." in folder.split("/") else self._inside(above)
        entry = self._plain[folder].get(name)
        return None if entry is None or entry.kind is Kind.LINK else entry

    def _inside(self, entry: Entry) -> Mapping[str, Entry]:
        if entry.kind is not Kind.FOLDER:
            return {}
        if entry.hash not in self._folders:
            records = _RECORDS[len(entry.hash)].findall(self._trees[entry.hash])
            self._folders[entry.hash] = {os.fsdecode(name): self._entry(mode, hash_) for mode, name, hash_ in records}
        return self._folders[entry.hash]

    def _entry(self, mode: bytes, raw: bytes) -> Entry:
        bits, hash_ = int(mode, 8), raw.hex()
        kind = _KINDS[bits >> 12]
        target = self._targets[hash_] if kind is Kind.LINK else None
        return Entry(kind, hash_, kind is Kind.FILE and bool(bits & stat.S_IXUSR), target)


def link_hashes(trees: Mapping[str, bytes]) -> set[str]:
    """Look at all tree objects of a commit, and return the hashes of the texts of its links.

    Args:
        trees: raw objects by hash.

    Raises:
        Odd: git would not write one of them.
    """
    found: set[str] = set()
    for hash_, raw in trees.items():
        records = _records(hash_, raw)
        if b"12" in raw:  # few folders hold links, and all are looked at
            found.update(target.hex() for mode, _, target in records if mode.startswith(b"12"))
    return found


def _records(hash_: str, raw: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """Mode, name and binary hash of each entry of a tree object."""
    sound = _TREE[len(hash_)].match(raw)
    if sound is None or sound.end() < len(raw):
        odd = os.fsdecode(raw[sound.end() if sound else 0 :].split(b"\0")[0][:200])
        raise Odd(f"{odd!r} is refused: a name or mode that git would not write")
    records: list[tuple[bytes, bytes, bytes]] = _RECORDS[len(hash_)].findall(raw)
    if len({name for _, name, _ in records}) < len(records):
        raise Odd("a folder is refused: a name that occurs twice")
    return records


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
