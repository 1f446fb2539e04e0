"""What a YAML text is about, and on which line each field of it stands. Pure.

For notes at lines only: what an object means is read by `goyaml`. The text may be anybody's, so what this costs is
bounded, and a text that is no YAML is read up to there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import yaml

from deployer.source import goyaml
from deployer.source.allowance import spend

Path = tuple[str | int, ...]
"""Keys of mappings, and places in lists."""

NAME: Final[Path] = ("metadata", "name")

_LONGEST: Final = 400
"""Characters of a key or value that are kept: more than any has that the API server names in the path of a field."""
_SHALLOW: Final = 10
"""Steps of a path that cost no more than one. A path is kept for each value, and may have `MAX_DEPTH` of them."""


@dataclass(frozen=True, slots=True)
class Outline:
    """One document."""

    lines: dict[Path, int] = field(default_factory=dict)
    """Counted from 1. Of a field of a mapping it is the line of its key."""
    scalars: dict[Path, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """Of the object that it is, or is a patch of; empty for anything else."""
        return self.scalars.get(("kind",), "")

    @property
    def name(self) -> str:
        """Of that object, before kustomize adds to it."""
        return self.scalars.get(NAME, "")


def outlines(text: bytes) -> Iterator[Outline]:
    """The documents of a text, up to where it is no YAML any more.

    Raises:
        TooMuch: as in `allowance.at_most`.
    """
    with suppress(yaml.YAMLError):
        walk = _Walk()
        for event in yaml.parse(text, Loader=yaml.CBaseLoader):
            spend(1)
            if isinstance(event, yaml.DocumentStartEvent):
                walk = _Walk()
            elif isinstance(event, yaml.DocumentEndEvent):
                yield walk.outline
            elif not walk.meet(event):
                return  # nobody reads on, and the parser takes ever longer


class _Walk:
    """Through one document, event by event."""

    def __init__(self) -> None:
        self.outline = Outline()
        self._above: list[Path] = []
        """The collections that are open."""
        self._next: list[str | int | None] = []
        """For each of them what the next value is called; None where a mapping's next key comes."""

    def meet(self, event: yaml.Event) -> bool:
        """Take one event; whether the document is still one that anybody would read."""
        if isinstance(event, yaml.CollectionEndEvent):
            self._above.pop()
            self._next.pop()
            self._advance()
        elif isinstance(event, yaml.ScalarEvent) and self._next and self._next[-1] is None:
            self._next[-1] = key = event.value[:_LONGEST]
            self._note((*self._above[-1], key), event)
        elif isinstance(event, yaml.NodeEvent):
            self._value(event)
        return len(self._above) <= goyaml.MAX_DEPTH

    def _value(self, event: yaml.NodeEvent) -> None:
        path: Path = (*self._above[-1], self._next[-1] or 0) if self._above else ()
        self._note(path, event)
        if isinstance(event, yaml.CollectionStartEvent):
            self._above.append(path)
            self._next.append(0 if isinstance(event, yaml.SequenceStartEvent) else None)
            return
        if isinstance(event, yaml.ScalarEvent):
            self.outline.scalars.setdefault(path, event.value[:_LONGEST])
        self._advance()

    def _note(self, path: Path, event: yaml.Event) -> None:
        spend(len(path) // _SHALLOW)
        if event.start_mark is not None:
            self.outline.lines.setdefault(path, event.start_mark.line + 1)

    def _advance(self) -> None:
        if self._next:
            last = self._next[-1]
            self._next[-1] = last + 1 if isinstance(last, int) else None
