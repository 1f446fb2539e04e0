"""What overlays read: the graph of kustomizations, walked in a commit's tree without writing a file.

Each kustomization is read once, whatever number of overlays builds on it, and one wave of reading asks git, in few
goes, for all that the wave before has named. Judging what is found is not done here (`cage.py`).
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from deployer.process import MIB
from deployer.source.allowance import TooMuch, at_most
from deployer.source.finding import Fault, Finding
from deployer.source.node import Node, Place, Question, Reading, Visit, reading_of
from deployer.source.snapshot import Snapshot


class _Bounds(NamedTuple):
    """What a walk may use of this process, which has no limits of its own."""

    places: int
    """Folders and files."""
    text: int
    """Bytes of kustomizations."""
    values: int
    """Of YAML, in all that is parsed."""


_MOST: Final = _Bounds(50_000, 32 * MIB, 1_000_000)
"""For one overlay. The largest of real ones read a few thousand files, and of some hundred kilobytes they parse."""

_USUAL: Final = _Bounds(100, 64 * 1024, 2_000)
"""So much for each overlay is what all of them may use together."""

_AT_ONCE: Final = 50
"""Files that are held in memory together, each of them as large as a kustomization may be."""

Read = Callable[[Iterable[str]], Mapping[str, bytes]]
"""The contents of files by their hashes; without those that are larger than a kustomization may be."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What one overlay reads."""

    digest: str
    """SHA-256 over all of `paths` and what is in them: the same as long as nothing that is read changes."""
    paths: frozenset[str]
    """Files, links and folders with all that is in them, relative to the root; the root itself is the empty path."""
    findings: tuple[Finding, ...]
    watched: Mapping[str, str] = field(repr=False)
    """All that was looked at, by path, and how it was: as long as it is the same, so is the rest of this."""

    @property
    def remote(self) -> bool:
        """Whether what it renders to depends on more than the repository."""
        return any(finding.fault is Fault.REMOTE for finding in self.findings)

    @property
    def helm(self) -> bool:
        """Whether Helm is needed."""
        return any(finding.fault is Fault.HELM for finding in self.findings)


def inputs(snapshot: Snapshot, overlays: Iterable[str], *, read: Read) -> dict[str, Inputs]:
    """What each overlay reads.

    Args:
        snapshot: the commit's tree.
        overlays: folders, relative to the root.
        read: how to get at files; asked once for each wave.
    """
    places = {overlay: Place(posixpath.normpath(overlay)) for overlay in overlays}
    most = _Bounds(*(max(alone, each * len(places)) for alone, each in zip(_MOST, _USUAL, strict=True)))
    try:
        return _walked(snapshot, places, read, most=most)
    except TooMuch:
        if len(places) == 1:
            return {overlay: _endless(snapshot, overlay) for overlay in places}
    # One of them that reads too much must not stop the others.
    return {overlay: inputs(snapshot, [overlay], read=read)[overlay] for overlay in places}


def _walked(snapshot: Snapshot, places: Mapping[str, Place], read: Read, *, most: _Bounds) -> dict[str, Inputs]:
    walk = _Walk(snapshot, read, most)
    with at_most(most.values):
        walk.visit(places.values())
    return {overlay: walk.inputs(place) for overlay, place in places.items()}


def _endless(snapshot: Snapshot, overlay: str) -> Inputs:
    everything = {"": snapshot.state("")}
    finding = Finding(Fault.ENDLESS, "", "", overlay)
    return Inputs(_digest([f"{overlay} {everything}".encode()]), frozenset(), (finding,), everything)


class _Walk:
    def __init__(self, snapshot: Snapshot, read: Read, most: _Bounds) -> None:
        self._snapshot = snapshot
        self._places, self._text = most.places, most.text
        self._read = read
        self._readings: dict[Question, Reading] = {}
        self._nodes: dict[Place, Node] = {}

    def visit(self, places: Iterable[Place]) -> None:
        waiting = set(places)
        while waiting:
            self._spend(len(waiting))
            visits = {place: Visit(self._snapshot, place) for place in waiting}
            self._learn(visit.question for visit in visits.values() if visit.question)
            for place, visit in visits.items():
                self._nodes[place] = visit.node(self._readings)
                self._spend(len(self._nodes[place].reads) + len(self._nodes[place].watched))
            named = {place for each in visits for place in self._nodes[each].leads_to}
            waiting = named - self._nodes.keys()

    def _spend(self, places: int) -> None:
        self._places -= places
        if self._places < 0:
            raise TooMuch

    def inputs(self, place: Place) -> Inputs:
        nodes = [self._nodes[each] for each in self._reach(place)]
        findings = tuple(dict.fromkeys(finding for node in nodes for finding in node.findings))
        if any(finding.fault is Fault.UNKNOWN for finding in findings):
            everything = {"": self._snapshot.state("")}
            return Inputs(_digest([f"{place.path} {everything}".encode()]), frozenset(everything), findings, everything)
        paths = frozenset(path for node in nodes for path in node.reads)
        watched = {path: state for node in nodes for path, state in node.watched.items()}
        return Inputs(_digest(sorted(node.digest for node in nodes)), paths, findings, watched)

    def _reach(self, place: Place) -> list[Place]:
        reached = {place: None}
        waiting = [place]
        while waiting:
            for each in self._nodes[waiting.pop()].leads_to:
                if each not in reached:
                    reached[each] = None
                    waiting.append(each)
        return list(reached)

    def _learn(self, questions: Iterable[Question]) -> None:
        """Read the files of which nothing is known yet. Their texts are forgotten at once."""
        asked = list(set(questions) - self._readings.keys())
        for start in range(0, len(asked), _AT_ONCE):
            some = asked[start : start + _AT_ONCE]
            texts = self._read({question.hash for question in some})
            self._text -= sum(map(len, texts.values()))
            if self._text < 0:
                raise TooMuch
            self._readings |= {question: reading_of(question, texts.get(question.hash)) for question in some}


def _digest(parts: Iterable[bytes]) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()
