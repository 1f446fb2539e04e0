"""Where a path in a commit's tree leads, through links, as the kernel has it (`man 7 path_resolution`). Pure.

Where a link leads is found out once, however many paths go through it, so a few links that are full of detours cost
what their text costs and not that times each path.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from deployer.source.allowance import TooMuch, spend

MOST_LINKS = 40
"""Links that one path may go through, as in the kernel."""

LONGEST_LINK = 4095
"""Bytes of a link's text, as in the kernel."""

_NOWHERE = f"leads nowhere: in circles, or through more than {MOST_LINKS} links"


class Kind(StrEnum):
    """What stands at a path."""

    FILE = "file"
    LINK = "link"
    FOLDER = "folder"
    SUBMODULE = "submodule"


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands at a path: `hash` names its contents, for a folder all that is in it."""

    kind: Kind
    hash: str
    executable: bool = False
    target: str | None = None
    """The text of a link."""


class Leaves(ValueError):  # noqa: N818 - reads as what the path does
    """A path leads out of the repository, or in circles.

    `reason` completes "a path that …"; `link` is the path of the link through which it does so, None without any.
    """

    def __init__(self, path: str, reason: str, *, link: str | None = None) -> None:
        through = "" if link is None else f", through the link {link[:200]!r}"
        super().__init__(f"{path[:200]!r} {reason}{through}")
        self.path = path
        self.reason = reason
        self.link = link


@dataclass(frozen=True, slots=True)
class Followed:
    """Where a path leads."""

    path: str
    """Without links. If nothing is there: the first part of it that is missing or is no folder, so that the path leads
    elsewhere only if the entry there, or one of `links`, is another."""
    entry: Entry | None
    """None: missing. Never a link."""
    links: tuple[str, ...] = ()
    """The path of each link that was gone through."""


@dataclass(slots=True)
class _Way:
    """A path, or the text of a link, as far as it was followed."""

    text: str
    """What messages call it."""
    passed: list[tuple[str, Entry]]
    """The folders on the way, and in the end what stands there, each with its path."""
    ahead: list[str]
    """The parts that are left, the next one last."""
    links: list[str] = field(default_factory=list)
    missing: str | None = None
    """The first part that is not there. What lies behind it is judged by its text alone."""
    depth: int = 0
    """Folders above the end, once something was missing."""

    def lose(self, where: str) -> None:
        """Nothing can be followed from here on."""
        self.missing, self.depth = where, len(where.split("/"))

    def step(self, name: str) -> None:
        """Take a part of which nobody knows what is there."""
        self.depth += -1 if name == ".." else name not in ("", ".")
        if self.depth < 0:
            raise self.leaves("leads out of the repository")

    def up(self) -> None:
        """Go back to the folder above."""
        self.passed.pop()
        if not self.passed:
            raise self.leaves("leads out of the repository")

    def go_through(self, led: _Way) -> None:
        """Go on from where a link leads."""
        self.links += led.links
        if len(self.links) > MOST_LINKS:
            raise self.leaves(_NOWHERE)
        self.passed, self.missing, self.depth = list(led.passed), led.missing, led.depth

    def leaves(self, reason: str) -> Leaves:
        return Leaves(self.text, reason, link=self.links[-1] if self.links else None)


class Follower:
    """Follows the paths of one commit."""

    def __init__(self, root: Entry, inside: Callable[[Entry], Mapping[str, Entry]]) -> None:
        """Nothing is looked at yet.

        Args:
            root: of the tree.
            inside: what is in a folder, by name.
        """
        self._root = root
        self._inside = inside
        self._led: dict[str, _Way | Leaves] = {}
        """Where each link leads, by its path."""

    def follow(self, path: str) -> Followed:
        """Resolve a relative path, one part after the other, with every link on the way and at its end.

        Raises:
            Leaves: it, or a link on the way, is absolute, leads out, or goes in circles.
            TooMuch: the links have more parts than may be looked at (`allowance.at_most`).
        """
        waiting = [_Way(path, [("", self._root)], path.split("/")[::-1])]
        while True:
            way = waiting[-1]
            end: _Way | Leaves = way
            try:
                if link := self._advance(way):
                    waiting.append(link)
                    continue
            except Leaves as error:
                end = error
            except TooMuch:  # of those that are half done nothing is known
                for half in waiting[1:]:
                    self._led.pop(half.links[0], None)
                raise
            waiting.pop()
            if not waiting:
                return _arrived(end)
            self._led[way.links[0]] = end

    def _advance(self, way: _Way) -> _Way | None:
        """Go on to the end, or to a link of which is not known where it leads: that one has to be followed first."""
        while way.ahead:
            here, entry = way.passed[-1]
            if way.missing is None and entry.kind is not Kind.FOLDER:
                way.lose(here)
            name = way.ahead[-1]
            if way.missing is not None:
                way.step(name)
            elif name == "..":
                way.up()
            elif name not in ("", ".") and (link := self._enter(way, _join(here, name), self._inside(entry).get(name))):
                return link
            way.ahead.pop()
        return None

    def _enter(self, way: _Way, where: str, child: Entry | None) -> _Way | None:
        """Take one part of a path; if it is a link of which nothing is known, its text, to be followed first."""
        if child is None or child.target == "":
            way.links += [where] if child else []
            way.lose(where)
        elif child.target is None:
            way.passed.append((where, child))
        else:
            if where not in self._led:
                refused = _refused(child.target)
                spend(len(way.passed) + child.target.count("/"))
                self._led[where] = Leaves(where, refused or _NOWHERE, link=where)  # if met before its end: a circle
                if not refused:
                    return _Way(where, list(way.passed), child.target.split("/")[::-1], [where])
            self._go_on(way, where)
        return None

    def _go_on(self, way: _Way, link: str) -> None:
        led = self._led[link]
        if isinstance(led, Leaves):
            # Of a circle any link would do; the one on this path depends on nothing else.
            raise Leaves(way.text, led.reason, link=link if led.reason == _NOWHERE else led.link)
        way.go_through(led)


def _arrived(end: _Way | Leaves) -> Followed:
    if isinstance(end, Leaves):
        raise end
    links = tuple(dict.fromkeys(end.links))
    return Followed(end.missing, None, links) if end.missing is not None else Followed(*end.passed[-1], links=links)


def _refused(target: str) -> str:
    """Why the text of a link is not followed at all; empty if it is."""
    if target.startswith("/"):
        return "is absolute"
    too_long = len(os.fsencode(target)) > LONGEST_LINK
    return f"leads nowhere: a link is longer than {LONGEST_LINK} bytes" if too_long else ""


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
