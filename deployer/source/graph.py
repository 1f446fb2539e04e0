"""What overlays read: the graph of kustomizations, walked in a commit's tree without writing a file.

Each kustomization is read once, whatever number of overlays builds on it, and one wave of reading asks git for all
that the wave before has named. Judging what is found is not done here (`cage.py`).
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from deployer.source.finding import Fault, Finding
from deployer.source.node import Node, Place, Question, Reading, Visit, reading_of
from deployer.source.snapshot import Snapshot

_MOST: Final = 50_000
"""Folders and files that one overlay may read; the largest of real ones have a few thousand."""

_USUAL: Final = 100
"""So many for each overlay are what all of them may read together."""

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
    try:
        return _walked(snapshot, places, read, most=max(_MOST, _USUAL * len(places)))
    except _TooMuch:
        return {overlay: _alone(snapshot, overlay, place, read) for overlay, place in places.items()}


def _walked(snapshot: Snapshot, places: Mapping[str, Place], read: Read, *, most: int) -> dict[str, Inputs]:
    walk = _Walk(snapshot, read, most)
    walk.visit(places.values())
    return {overlay: walk.inputs(place) for overlay, place in places.items()}


def _alone(snapshot: Snapshot, overlay: str, place: Place, read: Read) -> Inputs:
    """What one overlay reads, when all of them together read too much: one that does must not stop the others."""
    try:
        return _walked(snapshot, {overlay: place}, read, most=_MOST)[overlay]
    except _TooMuch:
        everything = {"": snapshot.state("")}
        finding = Finding(Fault.ENDLESS, "", "", overlay)
        return Inputs(_digest([f"{overlay} {everything}".encode()]), frozenset(), (finding,), everything)


class _TooMuch(Exception):  # noqa: N818 - reads as what is the matter
    """The walk met more places and files than anybody writes."""


class _Walk:
    def __init__(self, snapshot: Snapshot, read: Read, most: int) -> None:
        self._snapshot = snapshot
        self._left = most
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
        self._left -= places
        if self._left < 0:
            raise _TooMuch

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
        """Read the files of which nothing is known yet."""
        asked = set(questions) - self._readings.keys()
        texts = self._read({question.hash for question in asked})
        self._readings |= {question: reading_of(question, texts.get(question.hash)) for question in asked}


def _digest(parts: Iterable[bytes]) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()
