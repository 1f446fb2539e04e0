"""Where in a YAML text a scalar stands, for messages. The text may be anybody's, so what this costs is bounded."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import Final

import yaml

from deployer.source import goyaml
from deployer.source.allowance import spend

_MOST_WITHIN: Final = 100
"""Scalars of one text that are searched for YAML within them."""


def merges(text: bytes) -> bool:
    """Whether there is a `<<`. To some readers of YAML the key that is written out wins, to others the later one."""
    return any(event.value == "<<" and (event.implicit[0] or event.tag is not None) for event, _ in _scalars(text))


def lines(text: bytes, wanted: Collection[str]) -> dict[str, int]:
    """The line, counted from 1, on which each wanted scalar of a text stands first, as far as that can be told.

    One that stands nowhere by itself is looked for behind a `key=`, and in YAML within a scalar.

    Raises:
        TooMuch: as in `allowance.at_most`.
    """
    found: dict[str, int] = {}
    within: dict[str, int] = {}
    left = _MOST_WITHIN
    for event, line in _scalars(text):
        if event.value in wanted:
            found.setdefault(event.value, line)
            if len(found) == len(wanted):
                break
        if left and any(each and each in event.value for each in wanted):
            left -= 1
            for scalar, at in _inner(event, line):
                if scalar in wanted:
                    within.setdefault(scalar, at)
    return {**within, **found}


def _inner(event: yaml.ScalarEvent, line: int) -> Iterator[tuple[str, int]]:
    yield event.value.partition("=")[2], line
    if ":" in event.value:
        begin = line + (event.style in ("|", ">"))
        for inner, at in _scalars(event.value.encode(errors="replace")):
            yield inner.value, begin + (at - 1 if event.style == "|" else 0)


def _scalars(text: bytes) -> Iterator[tuple[yaml.ScalarEvent, int]]:
    """The scalars up to where `text` is no YAML any more, or nested too deep, each with its line."""
    depth = 0
    with suppress(yaml.YAMLError):
        for event in yaml.parse(text, Loader=yaml.CBaseLoader):
            spend(1)
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > goyaml.MAX_DEPTH:
                return  # nobody reads on, and the parser takes ever longer
            if isinstance(event, yaml.ScalarEvent) and event.start_mark is not None:
                yield event, event.start_mark.line + 1
