"""Finds the line of a repository that an object of the cluster was made from, for notes on a commit. Pure.

The API server names an object and a field; kustomize has put the object together from files, under another name. So
this is a search: what is found is where people should look, and may be nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from deployer.model import ObjectRef
from deployer.source.allowance import spend
from deployer.source.outline import NAME, Outline, Path, outlines

_FIELD: Final = re.compile(
    r'(?:^|[:;,] | at |unknown field ")\.?((?:[a-z]\w*)(?:\.[\w-]+|\[[^]]{1,200}\])*)(?=[:;,"]| \(not |$)'
)
"""As in `spec.replicas: Invalid value`, `.spec.replicas: expected numeric`, `unknown field "spec.replica"` and, of a
Secret, `refused (HTTP 422) at type, .data.key (not base64)`."""
_STEP: Final = re.compile(r"\.?([\w-]+)|\[([^]]*)\]")
_KEYED: Final = re.compile(r'(\w+)="?([^",]*)"?')

_LONGEST: Final = 2000
"""Characters of a message in which a field is looked for."""
_NAMES: Final = 50
"""Names that are compared in the time in which one value is read."""


class Origins:
    """The objects, and patches of objects, in the files that an overlay reads."""

    def __init__(self, texts: Iterable[tuple[str, bytes]], *, overlay: str) -> None:
        """Read them.

        Args:
            texts: the files, each with its path.
            overlay: the folder.

        Raises:
            TooMuch: as in `allowance.at_most`.
        """
        self._overlay = overlay
        self._known: dict[str, list[tuple[str, Outline]]] = {}
        """By kind."""
        for path, text in texts:
            for each in outlines(text):
                if each.kind and each.name:
                    self._known.setdefault(each.kind, []).append((path, each))

    def find(self, ref: ObjectRef, message: str) -> str:
        """Where the repository says what the API server refuses, as `file:line`; empty if that is not found.

        Of several places it is the one that says most of the field; a file of the overlay before one of a base.

        Args:
            ref: the object, as it was applied.
            message: what the API server says about it.

        Raises:
            TooMuch: as in `allowance.at_most`.
        """
        alike = self._known.get(ref.kind, ())
        spend(1 + len(alike) // _NAMES)
        known = [(path, each) for path, each in alike if each.name in ref.name]  # whatever is put before or behind it
        longest = max((len(each.name) for _, each in known), default=0)
        fields = _fields(message)
        places = [
            (*_place(each, fields), path.startswith(f"{self._overlay}/"), path)
            for path, each in known
            if len(each.name) == longest
        ]
        if not places:
            return ""
        _, line, _, path = max(places, key=lambda place: (place[0], place[2]))
        return f"{path}:{line}"


def _fields(message: str) -> list[Sequence[tuple[str, str]]]:
    """The fields that a message names, each as steps: a key, or what stands in brackets."""
    return [_STEP.findall(found[1]) for found in _FIELD.finditer(message[:_LONGEST])]


def _place(outline: Outline, fields: Sequence[Sequence[tuple[str, str]]]) -> tuple[int, int]:
    """How much a document says of the field of which it says most, and on which line."""
    return max(
        (_deepest(outline, field) for field in fields), default=(0, outline.lines[NAME]), key=lambda found: found[0]
    )


def _deepest(outline: Outline, field: Sequence[tuple[str, str]]) -> tuple[int, int]:
    """How many steps towards a field a document goes, and the line of the last of them."""
    here: Path = ()
    for depth, (key, bracket) in enumerate(field):
        spend(1 + depth // 10)
        there = next((each for each in _ways(outline, here, key, bracket) if each in outline.lines), None)
        if there is None:
            return depth, outline.lines[here or NAME]
        here = there
    return len(field), outline.lines[here]


def _ways(outline: Outline, here: Path, key: str, bracket: str) -> Iterator[Path]:
    """What a step may mean: a key, a place in a list, or the item of a list that has these keys."""
    if key or not bracket:
        yield (*here, key)
    elif bracket.isdecimal():
        yield from ((*here, int(bracket)), (*here, bracket))
    else:
        yield (*here, bracket)
        wanted = _KEYED.findall(bracket)
        place = 0
        while wanted and (item := (*here, place)) in outline.lines:
            spend(1 + len(wanted))
            said = [outline.scalars.get((*item, name), value) == value for name, value in wanted]  # or it is a default
            if all(said) and (*item, wanted[0][0]) in outline.scalars:
                yield item
            place += 1
