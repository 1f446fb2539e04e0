"""One place in the graph of kustomizations: what is read there, and where it leads.

A visit looks for the file that is to be read, and once that was read follows what it names. Nothing is written, and
git is asked by whoever walks (`graph.py`).
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from deployer.source import kustomization
from deployer.source.allowance import spend
from deployer.source.finding import Fault, Finding
from deployer.source.goyaml import Unreadable
from deployer.source.reference import Reference, Role
from deployer.source.snapshot import Entry, Kind, Leaves, Snapshot

FILE_NAMES: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")
"""What a kustomization may be called."""

_LONGEST_PATH: Final = 4096
"""As in the kernel."""

LARGEST: Final = 1024 * 1024
"""Bytes of a kustomization; it is read by this process, which has no limits of its own."""

_FETCHED: Final = re.compile(r"(?i)https?:")
"""How a file begins that kustomize fetches (`FileLoader.Load`)."""
_CLONED: Final = re.compile(
    r"(?is)https?:|(git::)?((https?|ssh|file)://|([a-z][a-z0-9-]*@[^/:]*|github\.com)[/:].*(/|\.git))"
)
"""How those spellings begin that kustomize clones before it looks for a folder of that name (`NewRepoSpecFromURL`)."""
_MEANT_REMOTE: Final = re.compile(
    r"(?i)\.git(/|\?|$)|\?(ref|version|timeout|submodules)=|^[\w-]+(\.[\w-]+)*\.[a-z]{2,}(:\d+)?/.*//"
    r"|^(git|oci|gh):|^(ssh\.)?github\.com[/:]|^[a-z][a-z0-9-]*@[^/]*:"
)
"""What is nothing here, and looks like something elsewhere."""

Reading = tuple[Reference, ...] | str
"""What a file names; a text when it cannot be read, and why."""


class Place(NamedTuple):
    """A folder with a kustomization, or something with configurations of plugins."""

    path: str
    of: str | None = None
    """The folder to which the paths in configurations are relative; None for a kustomization that is built."""


class Node(NamedTuple):
    digest: bytes
    reads: tuple[str, ...]
    watched: Mapping[str, str]
    """What else could change it: the folder as a whole stands for all that is in it."""
    leads_to: tuple[Place, ...]
    findings: tuple[Finding, ...]


class Question(NamedTuple):
    """A file whose references are wanted."""

    hash: str
    plugins: bool


def reading_of(question: Question, text: bytes | None) -> Reading:
    """What a file names; `text` is None when it was too large to be read."""
    if text is None:
        return f"is larger than {LARGEST // 1024} KiB"
    try:
        return kustomization.of_plugins(text) if question.plugins else kustomization.of_kustomization(text)
    except Unreadable as error:
        return f"cannot be read: {error}"


class Visit:
    """One place on the walk: first it is looked for, then read, then followed."""

    def __init__(self, snapshot: Snapshot, place: Place) -> None:
        self.place = place
        self._snapshot = snapshot
        self._reads: dict[str, str] = {}
        self._seen: dict[str, str] = {}
        self._findings: list[Finding] = []
        self._leads_to: list[Place] = []
        self._file = ""
        self._root: str | None = None
        self.question = self._look()

    def node(self, readings: Mapping[Question, Reading]) -> Node:
        """What is at the place, given what the files say."""
        if self.question is not None:
            found = readings[self.question]
            if isinstance(found, str):
                self._find(Fault.UNREADABLE, "", found)
            else:
                self._follow(found)
        return Node(
            _digest_of(self._reads, self.place),
            tuple(path for path, content in self._reads.items() if content),
            self._watched(),
            tuple(self._leads_to),
            tuple(self._findings),
        )

    def _watched(self) -> dict[str, str]:
        if self._root is None:
            return self._seen
        within = f"{self._root}/" if self._root else ""
        outside = {path: state for path, state in self._seen.items() if not path.startswith(within)}
        return {**outside, self._root: self._snapshot.state(self._root)}

    def _look(self) -> Question | None:
        """The file to read; None, and a finding, where there is none."""
        path, entry = self._arrive(self.place.path, "", self.place.path)
        if entry is not None and entry.kind is Kind.FILE and self.place.of is not None:
            self._file = path
            return Question(entry.hash, plugins=True)
        if entry is None or entry.kind is not Kind.FOLDER:
            if entry is not None or not self._findings:
                self._find(Fault.NO_FOLDER if entry else Fault.MISSING, "", self.place.path)
            return None
        self._root = path
        names = set(self._snapshot.children(path)).intersection(FILE_NAMES)
        named = [self._arrive(posixpath.join(path, name), "", name, optional=True) for name in sorted(names)]
        there = [(file, entry) for file, entry in named if entry is not None and entry.kind is Kind.FILE]
        if len(there) != 1:
            self._find(Fault.AMBIGUOUS if there else Fault.EMPTY, "", self.place.path)
            return None
        self._file, entry = there[0]
        return Question(entry.hash, plugins=False)

    def _follow(self, references: Iterable[Reference]) -> None:
        for reference in references:
            self._follow_one(reference)

    def _follow_one(self, reference: Reference) -> None:
        if reference.role in _NO_PLACE:
            self._find(_NO_PLACE[reference.role], reference.field, reference.path)
        elif reference.role is Role.REMOTE:
            if not (reference.unless and self._is_there(reference.unless)):
                self._find(Fault.REMOTE, reference.field, reference.path)
        elif (_FETCHED if reference.role in (Role.FILE, Role.CHARTS) else _CLONED).match(reference.path):
            self._find(Fault.REMOTE, reference.field, reference.path)
        else:
            self._step_into(reference)

    def _step_into(self, reference: Reference) -> None:
        charts = reference.role is Role.CHARTS
        path, entry = self._arrive(
            posixpath.join(self._folder, reference.path),
            reference.field,
            reference.path,
            optional=reference.optional or charts,
        )
        if charts:
            self._follow_links(path, reference.field)
        if entry is None or self._is_no_base(path, entry, reference):
            return
        if self.place.of is not None and reference.role not in (Role.FILE, Role.CHARTS) and self._is_kustomization:
            self._leads_to.append(Place(path, self.place.of))
        elif entry.kind is Kind.FOLDER and reference.role in (Role.FOLDER, Role.RESOURCE):
            self._leads_to.append(Place(path))
        elif reference.role is Role.PLUGIN:
            if entry.kind is Kind.FOLDER:  # what another kustomization makes of them is not known before it is built
                self._find(Fault.UNKNOWN, reference.field, reference.path)
            self._leads_to.append(Place(path, self._folder))

    def _follow_links(self, folder: str, field: str) -> None:
        """Helm goes through links within a chart, and reads what they lead to."""
        waiting, walked = [folder], set[str]()
        while waiting:
            here = waiting.pop()
            if walked.isdisjoint(_upwards(here)):
                waiting += self._linked(here, field, walked)
                walked.add(here)

    def _linked(self, folder: str, field: str, walked: Collection[str]) -> Iterator[str]:
        """The folders to which links in a folder lead; without what was walked."""
        for path, entry in self._snapshot.walk(folder, without=walked):
            spend(1)
            if entry.kind is Kind.LINK:
                where, there = self._arrive(path, field, path, optional=True)
                if there is not None and there.kind is Kind.FOLDER:
                    yield where

    def _is_no_base(self, path: str, entry: Entry, reference: Reference) -> bool:
        """Whether it is a folder of which nobody knows what to build; told here, where the line is known."""
        if entry.kind is not Kind.FOLDER or reference.role not in (Role.FOLDER, Role.RESOURCE, Role.PLUGIN):
            return False
        names = set(self._snapshot.children(path)).intersection(FILE_NAMES)
        if len(names) != 1:
            self._find(Fault.AMBIGUOUS if names else Fault.EMPTY, reference.field, reference.path)
            self._note(path)
        return len(names) != 1

    @property
    def _is_kustomization(self) -> bool:
        return self.question is not None and not self.question.plugins

    @property
    def _folder(self) -> str:
        """What the paths in the file are relative to."""
        return self._root or "" if self.place.of is None or self._is_kustomization else self.place.of

    def _is_there(self, path: str) -> bool:
        _, entry = self._arrive(posixpath.join(self._folder, path), "", path, optional=True)
        return entry is not None and entry.kind is Kind.FOLDER

    def _arrive(self, path: str, field: str, text: str, *, optional: bool = False) -> tuple[str, Entry | None]:
        """Where a path really leads, noting all that is read on the way. Cleaned first and then through links, as
        kustomize does it: `link/..` is not where the link leads.
        """
        clean = posixpath.normpath(path)
        if text.startswith("/") or clean.startswith("../") or clean == ".." or "\0" in path:
            self._find(Fault.LEAVES, field, text)
            return clean, None
        if len(clean) > _LONGEST_PATH:
            if not optional:
                self._find(Fault.MISSING, field, text)
            return clean, None
        try:
            found = self._snapshot.follow(clean)
        except Leaves:
            self._find(Fault.LEAVES, field, text)
            return clean, None
        for link in found.links:
            self._note(link)
        self._seen[found.path] = self._snapshot.state(found.path)
        if found.entry is None:
            self._reads.setdefault(found.path, "")
            if not optional:
                self._find(Fault.REMOTE if _MEANT_REMOTE.search(text) else Fault.MISSING, field, text)
        elif found.entry.kind is Kind.FILE or optional:
            self._note(found.path)
        return found.path, found.entry

    def _note(self, path: str) -> None:
        self._reads[path] = self._seen[path] = self._snapshot.state(path)

    def _find(self, fault: Fault, field: str, text: str) -> None:
        self._findings.append(Finding(fault, self._file, field, text))


_NO_PLACE: Final = {Role.HELM: Fault.HELM, Role.FUNCTION: Fault.FUNCTION, Role.UNKNOWN: Fault.UNKNOWN}


def _upwards(path: str) -> Iterator[str]:
    """A path, and every folder that it is in, the root among them."""
    yield path
    while path:
        path = path.rpartition("/")[0]
        yield path


def _digest_of(reads: Mapping[str, str], place: Place) -> bytes:
    """Over the place, what is read there and what is missing there."""
    lines = [f"{place.path}\0{place.of}", *(f"{path}\0{content}" for path, content in sorted(reads.items()))]
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).digest()
