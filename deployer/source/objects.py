"""What a commit is made of, read from the bare repository: its trees, its files, and chosen files written to a folder.

Objects are taken as they are stored, so that no attribute, filter or configuration changes them; there is no work tree.
What git does not know to be whole is repaired first (see `bare`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from deployer import process
from deployer.model import Permanent, Stage, Temporary
from deployer.process import Completed
from deployer.source.bare import Bare
from deployer.source.snapshot import Entry, Kind, Leaves, Odd, Snapshot, link_hashes
from deployer.source.tree import make_folders, make_links, private_folder, refused, write_file

LARGEST_TREE = 1024 * process.MIB
"""Bytes of the files that are written, above which they are refused: deployments are made of text."""

LARGEST_FILE = 256 * process.MIB
"""Bytes of one file that is written. It is held in memory meanwhile; forges take no file of half the size."""

MOST_ENTRIES = 500_000
"""Files, links and folders that are written. A few objects are enough to make up any number of folders."""

_LARGEST_TREES = 128 * process.MIB
"""Bytes of all tree objects of a commit: about two million files."""

_BATCH = 16 * process.MIB
"""Bytes of files that are held in memory at once, unless a single one is larger."""

_FEW = 1000
"""Files that are read without asking for their sizes first, which takes a process of its own."""

_HEADER = 100
"""Bytes, and some more, that git writes before and after an object."""

_EXTRACTING = "extracting files"

NOT_YET = "it is not in the repository, or not there yet: the forge may still be publishing it"


class _Object(NamedTuple):
    type: str
    content: memoryview


class Objects:
    """The contents of commits in `bare`, the mirror of the repository at `url`."""

    def __init__(self, bare: Bare, url: str) -> None:
        self._bare = bare
        self._url = url
        self.snapshot = lru_cache(maxsize=4)(self._snapshot)
        """See `Mirror.snapshot`. What a commit holds cannot change."""

    def blobs(self, hashes: Iterable[str], *, most: int) -> dict[str, bytes]:
        """See `Mirror.blobs`."""
        found = self._read(hashes, most)
        for hash_, item in found.items():
            if item.type != "blob":
                raise self._permanent(f"reading file {hash_}", f"this is a {item.type}, not a file")
        return {hash_: bytes(item.content) for hash_, item in found.items()}

    def texts(self, hashes: Iterable[str], *, largest: int) -> dict[str, bytes]:
        """See `Mirror.texts`."""
        asked = {hash_: [hash_] for hash_ in hashes}
        found = self._few(asked)
        if found is None:
            small = {hash_: size for hash_, (_, size) in self._look_up(asked).items() if size <= largest}
            batches = (self._read(batch, sum(small[hash_] for hash_ in batch)) for batch in _batches(small))
            found = {hash_: item for batch in batches for hash_, item in batch.items()}
        return {hash_: bytes(item.content) for hash_, item in found.items() if len(item.content) <= largest}

    def write(self, snapshot: Snapshot, paths: Iterable[str], into: Path) -> None:
        """See `Mirror.write`."""
        chosen = self._chosen(snapshot, paths)
        links = _links(snapshot, chosen)
        files = _by_hash(chosen)
        with self._writing(), private_folder(into):
            folder = Path(os.path.realpath(into))
            make_folders(folder, _folders(chosen))
            for path, content in self._contents(files):
                write_file(folder, path, content, executable=chosen[path].executable)
            make_links(folder, links)

    def require(self, commit: str) -> None:
        """Make sure that a commit is here, which is asked before it is looked into. Raises as `Mirror.snapshot`."""
        (found,) = self._bare.objects(commit)
        if found is None:
            raise self._temporary(f"reading commit {commit}", NOT_YET)
        if found.type != "commit":
            raise self._permanent(f"reading commit {commit}", f"this is a {found.type}, not a commit")

    def _snapshot(self, commit: str) -> Snapshot:
        # Each tree once, however often it occurs: `ls-tree` would list a folder for each path that leads to it.
        listed = self._bare.read(
            "rev-list", "--no-walk", "--objects", "--no-object-names", "--filter=blob:none", commit, most=_LARGEST_TREES
        )
        _, root, *others = listed.stdout.decode().split()
        trees = {hash_: bytes(item.content) for hash_, item in self._read([root, *others], _LARGEST_TREES).items()}
        try:
            texts = self.blobs(link_hashes(trees), most=64 * process.MIB)
        except Odd as error:
            raise self._permanent(f"reading commit {commit}", str(error)) from error
        return Snapshot(root, trees, {hash_: os.fsdecode(text) for hash_, text in texts.items()})

    def _chosen(self, snapshot: Snapshot, paths: Iterable[str]) -> dict[str, Entry]:
        """What stands at the paths, and all that is in the folders among them."""
        chosen: dict[str, Entry] = {}
        missing = []
        for path in sorted(set(paths)):
            name = str(PurePosixPath(path))
            if snapshot.get(name) is None:
                missing.append(path)
            for here, entry in snapshot.walk(name):
                chosen[here] = entry
                if len(chosen) > MOST_ENTRIES:
                    raise self._permanent(_EXTRACTING, f"it has more than {MOST_ENTRIES} files, links and folders")
        if missing:
            names = ", ".join(map(repr, missing))[:500]
            raise self._permanent(_EXTRACTING, f"it has no {names}; check the path in the settings")
        return chosen

    def _allowed(self, found: Mapping[str, tuple[str, int]], files: Mapping[str, list[str]]) -> dict[str, int]:
        """Bytes of each file by hash, given type and size; refused if they are too many altogether, or no files."""
        sizes = {}
        for hash_, (type_, size) in found.items():
            if type_ != "blob":
                raise refused(files[hash_][0], f"it is stored as a {type_}, not as a file")
            if size > LARGEST_FILE:
                raise refused(files[hash_][0], f"a file of more than {LARGEST_FILE // process.MIB} MiB")
            sizes[hash_] = size
        if sum(size * len(files[hash_]) for hash_, size in sizes.items()) > LARGEST_TREE:
            raise self._permanent(_EXTRACTING, f"its files exceed {LARGEST_TREE // process.MIB} MiB")
        return sizes

    def _look_up(self, hashes: Iterable[str]) -> dict[str, tuple[str, int]]:
        """Type and size of each object."""
        asked = list(hashes)
        if not asked:
            return {}
        answer = self._bare.read(
            "cat-file", "--batch-check", "--buffer", stdin="\n".join(asked).encode(), most=_HEADER * len(asked),
            sound=lambda answer: b" missing\n" not in answer.stdout,
        )  # fmt: skip
        rows = (line.split(" ") for line in answer.stdout.decode().splitlines())
        return {hash_: (type_, int(size)) for hash_, type_, size in rows}

    def _contents(self, files: Mapping[str, list[str]]) -> Iterator[tuple[str, memoryview]]:
        """What stands in each file, by its path: read in one go when that is little, else in as many as it takes."""
        batches: Iterable[Mapping[str, _Object]]
        if (few := self._few(files)) is not None:
            batches = [few]
        else:
            sizes = self._allowed(self._look_up(files), files)
            batches = (self._read(batch, sum(sizes[hash_] for hash_ in batch)) for batch in _batches(sizes))
        for batch in batches:
            for hash_, item in batch.items():
                for path in files[hash_]:
                    yield path, item.content

    def _few(self, files: Mapping[str, list[str]]) -> dict[str, _Object] | None:
        """All of the files, unless they are too many or too large to be read without a look at their sizes."""
        if len(files) > _FEW:
            return None
        try:
            found = self._read(files, _BATCH)
        except Permanent:
            return None
        self._allowed({hash_: (item.type, len(item.content)) for hash_, item in found.items()}, files)
        return found

    def _read(self, hashes: Iterable[str], most: int) -> dict[str, _Object]:
        """Objects that must be here, refused if they have more than `most` bytes together."""
        asked = set(hashes)
        found: dict[str, _Object] = {}

        def sound(answer: Completed) -> bool:
            found.update(_parse(answer.stdout))
            return found.keys() == asked

        if asked:
            self._bare.read(
                "cat-file", "--batch", "--buffer", stdin="\n".join(asked).encode(), most=most + _HEADER * len(asked),
                sound=sound,
            )  # fmt: skip
        if (size := sum(len(item.content) for item in found.values())) > most:
            raise self._permanent("reading files", f"they have {size} bytes, {most} at most can be deployed from")
        return found

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            problem = f"files could not be written ({error.strerror}); is the disk full?"
            raise self._temporary(_EXTRACTING, problem) from error

    def _temporary(self, doing: str, problem: str) -> Temporary:
        return Temporary(f"{doing} of {self._url}: {problem}", stage=Stage.FETCH)

    def _permanent(self, doing: str, problem: str) -> Permanent:
        return Permanent(f"{doing} of {self._url}: {problem}", stage=Stage.FETCH)


def _parse(answer: bytes) -> Iterator[tuple[str, _Object]]:
    """What `git cat-file --batch` wrote: a line of `hash type size`, the contents, a line break; or `name missing`."""
    view, at = memoryview(answer), 0
    while at < len(answer):
        start = answer.index(b"\n", at) + 1
        fields = answer[at:start].decode().split()
        at = start
        if len(fields) == 3:
            end = start + int(fields[2])
            yield fields[0], _Object(fields[1], view[start:end])
            at = end + 1


def _folders(chosen: Mapping[str, Entry]) -> Iterator[str]:
    """The folders to make, with that of each file and link."""
    for path, entry in chosen.items():
        is_folder = entry.kind in (Kind.FOLDER, Kind.SUBMODULE)
        yield path if is_folder else path.rpartition("/")[0]


def _links(snapshot: Snapshot, chosen: Mapping[str, Entry]) -> dict[str, str]:
    """The text of each link; refused if it leads out, be it through something that is not among the chosen."""
    links = {path: entry.target for path, entry in chosen.items() if entry.target is not None}
    for path in links:
        try:
            snapshot.follow(path)
        except Leaves as error:
            raise refused(path, f"a symbolic link that {error.reason}") from error
    return links


def _by_hash(chosen: Mapping[str, Entry]) -> dict[str, list[str]]:
    """The paths of each file's contents."""
    files: dict[str, list[str]] = {}
    for path, entry in chosen.items():
        if entry.kind is Kind.FILE:
            files.setdefault(entry.hash, []).append(path)
    return files


def _batches(sizes: Mapping[str, int]) -> Iterator[list[str]]:
    """The hashes in groups of bounded size."""
    batch: list[str] = []
    room = _BATCH
    for hash_, size in sizes.items():
        if batch and size > room:
            yield batch
            batch, room = [], _BATCH
        batch.append(hash_)
        room -= size
    if batch:
        yield batch
