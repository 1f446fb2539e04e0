"""Reads YAML into JSON values exactly as kubectl and the API server do, whatever other YAML readers think.

They all read through sigs.k8s.io/yaml: the YAML 1.1 of Go's yaml.v2 first, then JSON. `on` is true there, `0644` is
420, `2001-01-01` and `1:30` are strings and `1e3` is 1000; PyYAML's own loaders differ in most of these. So libyaml
finds the events, and this module gives them their meaning. It is built for untrusted text: aliases and nesting are
bounded, and no value ever stands in an error, for it may be part of a Secret.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Final, Protocol

import yaml

from deployer.model import JSON
from deployer.source import goscalars
from deployer.source.allowance import spend

MAX_DEPTH: Final = 200
"""Levels of nesting. The deepest of real objects, CRDs with a pod template, have about 60."""
MAX_COPIED: Final = 100_000
"""Values that all aliases of one text may stand for together; kustomize writes none, so this is for bombs."""

_MARK: Final = "\ufeff"
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")

_TAG: Final = "tag:yaml.org,2002:"
_EXPECTED: Final[dict[str, tuple[type, ...]]] = {
    f"{_TAG}bool": (bool,),
    f"{_TAG}int": (int,),
    f"{_TAG}float": (int, float),
    f"{_TAG}null": (type(None),),
}


class _Mark(Protocol):
    line: int
    column: int


class Unreadable(ValueError):  # noqa: N818 - reads as what is the matter
    """The text is not YAML that the API server could read; says where and why, without a value."""

    def __init__(self, problem: str, *, at: str = "") -> None:
        super().__init__(problem)
        self.at = at
        """The scalar that is at fault, for those who know the text; it may be secret."""


def documents(text: bytes, *, most: int | None = None) -> Iterator[JSON]:
    """Each document of `text` as the JSON value that Go makes of it; an empty one is None.

    A key that stands twice in one mapping is refused, of which readers make different things.

    Args:
        text: UTF-8, or UTF-16 with a byte order mark.
        most: how many values there may be.

    Raises:
        Unreadable: at the first document that is malformed, too deep or expands to too much.
    """
    _check_marks(text)
    reader = _Reader(text, most)
    try:
        while (document := reader.document()) is not None:
            events = iter(document)
            yield _value(next(events), events)
    except yaml.MarkedYAMLError as error:
        raise Unreadable(f"{_place(error.problem_mark)}{error.problem}") from error
    except yaml.reader.ReaderError as error:
        raise Unreadable(f"at byte {error.position}: {error.reason}") from error
    finally:
        reader.close()


class _Reader:
    """The events of each document, with those of an anchored node in the place of each alias to it."""

    def __init__(self, text: bytes, most: int | None) -> None:
        self._parser = yaml.CBaseLoader(text)
        self._copied = 0
        self._most, self._taken = most, 0
        self._events: list[yaml.Event] = []
        self._anchors: dict[str, int] = {}
        """Where the value begins that a name stands for now: as in Go, from its first event on."""
        self._ends: dict[int, int] = {}
        """Where each value ends, by where it begins; one that is still open is not there."""
        self._open: list[int] = []
        self._flows = 0
        """How many of those that are open are written in brackets or braces; all that is within such a one is, too."""

    def close(self) -> None:
        self._parser.dispose()

    def document(self) -> list[yaml.Event] | None:
        """The next document, or None after the last."""
        while not isinstance(event := self._parser.get_event(), yaml.DocumentStartEvent):
            if event is None or isinstance(event, yaml.StreamEndEvent):
                return None
        self._events, self._anchors, self._ends = [], {}, {}
        while (event := self._parser.get_event()) and not isinstance(event, yaml.DocumentEndEvent):
            self._take(event)
        return self._events

    def _take(self, event: yaml.Event) -> None:
        self._spend(event, 1)
        if isinstance(event, yaml.AliasEvent):
            self._copy(event)
            return
        self._events.append(event)
        if isinstance(event, yaml.CollectionStartEvent):
            self._begin(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._end()
        elif isinstance(event, yaml.ScalarEvent):
            self._note(event)

    def _note(self, event: yaml.ScalarEvent) -> None:
        if self._flows and not (event.value or event.style or event.implicit[0]):
            raise _unreadable(event, "a tag without a value; to some readers a comma behind it is part of it")
        if event.anchor:
            self._anchors[event.anchor] = len(self._events) - 1
            self._ends[len(self._events) - 1] = len(self._events)

    def _spend(self, event: yaml.Event, values: int) -> None:
        spend(values)
        self._taken += values
        if self._most is not None and self._taken > self._most:
            raise _unreadable(event, f"there are more than {self._most:,} values")

    def _begin(self, event: yaml.CollectionStartEvent) -> None:
        start = len(self._events) - 1
        self._open.append(start)
        self._flows += bool(event.flow_style)
        _check_depth(event, len(self._open))
        if event.anchor:
            self._anchors[event.anchor] = start

    def _end(self) -> None:
        self._ends[self._open.pop()] = len(self._events)
        self._flows -= bool(self._flows)

    def _copy(self, alias: yaml.AliasEvent) -> None:
        if alias.anchor not in self._anchors:
            raise _unreadable(alias, "refers to an anchor that does not stand before it")
        start = self._anchors[alias.anchor]
        if start not in self._ends:
            raise _unreadable(alias, "an anchor's value contains itself")
        node = self._events[start : self._ends[start]]
        self._copied += len(node)
        if self._copied > MAX_COPIED:
            raise _unreadable(alias, f"aliases stand for more than {MAX_COPIED:,} values")
        self._spend(alias, len(node))
        _check_depth(alias, len(self._open) + _height(node))
        self._events += node


def _check_marks(text: bytes) -> None:
    """To some readers a byte order mark at the beginning of a line is nothing, to others it is text."""
    within = _MARK in text.decode("utf-16", "replace") if text[:2] in _UTF_16 else text.find(_MARK.encode(), 1) > 0
    if within:
        raise Unreadable("a byte order mark (U+FEFF) stands elsewhere than at the very beginning; remove it")


def _height(events: list[yaml.Event]) -> int:
    depth = height = 0
    for event in events:
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            height = max(height, depth)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return height


def _check_depth(event: yaml.Event, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise _unreadable(event, f"nested more than {MAX_DEPTH} levels deep")


def _value(event: yaml.Event, events: Iterator[yaml.Event]) -> JSON:
    if isinstance(event, yaml.ScalarEvent):
        try:
            return goscalars.json_number(_scalar(event))
        except ValueError as error:
            raise _unreadable(event, str(error)) from error
    if isinstance(event, yaml.MappingStartEvent):
        return _mapping(events)
    items: list[JSON] = []
    while not isinstance(item := next(events), yaml.SequenceEndEvent):
        items.append(_value(item, events))
    return items


def _mapping(events: Iterator[yaml.Event]) -> dict[str, JSON]:
    """A mapping; `<<` merges at its place, over what stands before it and under what comes after it."""
    mapping: dict[str, JSON] = {}
    merged: set[str] = set()
    while not isinstance(event := next(events), yaml.MappingEndEvent):
        if _is_merge(event):
            for source in _merged(event, _value(next(events), events)):
                mapping |= source
                merged |= source.keys()
            continue
        key = _key(event)
        if key in mapping and key not in merged:
            raise _unreadable(event, "the same key a second time in one mapping")
        merged.discard(key)
        mapping[key] = _value(next(events), events)
    return mapping


def _is_merge(event: yaml.Event) -> bool:
    return (
        isinstance(event, yaml.ScalarEvent)
        and event.value == "<<"
        and (event.tag == f"{_TAG}merge" or (event.tag is None and event.implicit[0]))
    )


def _merged(event: yaml.Event, value: JSON) -> list[dict[str, JSON]]:
    """What a `<<` brings, in the order in which it is laid down: in a sequence the first one wins."""
    sources = value[::-1] if isinstance(value, list) else [value]
    mappings = [source for source in sources if isinstance(source, dict)]
    if len(mappings) < len(sources):
        raise _unreadable(event, "a << takes a mapping or a sequence of mappings")
    return mappings


def _key(event: yaml.Event) -> str:
    """A key in the spelling that it has in JSON, where every key is a string."""
    if not isinstance(event, yaml.ScalarEvent):
        raise _unreadable(event, "a mapping or a sequence cannot be a key")
    try:
        return goscalars.key(_scalar(event))
    except ValueError as error:
        raise _unreadable(event, str(error)) from error


def _scalar(event: yaml.ScalarEvent) -> goscalars.Scalar:
    text: str = event.value
    if event.tag is None:
        return goscalars.resolve(text) if event.implicit[0] else text
    if event.tag == f"{_TAG}binary":
        return _binary(text)
    if event.tag not in _EXPECTED:
        return text  # !!str and !!timestamp, the non-specific !, and tags that Go does not know
    value = goscalars.resolve(text)
    if type(value) not in _EXPECTED[event.tag]:
        raise ValueError(f"the value is not what its tag !!{event.tag.removeprefix(_TAG)} says")
    return value


def _binary(text: str) -> str:
    """What base64 stands for, with U+FFFD for each byte that is not UTF-8, as Go's JSON encoder has it."""
    try:
        decoded = base64.b64decode(text.replace("\n", ""), validate=True)
    except binascii.Error as error:
        raise ValueError("the value is not the base64 that its tag !!binary says") from error
    return re.sub("[\udc80-\udcff]", "\ufffd", decoded.decode(errors="surrogateescape"))


def _unreadable(event: yaml.Event, problem: str) -> Unreadable:
    return Unreadable(f"{_place(event.start_mark)}{problem}")


def _place(mark: _Mark | None) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
