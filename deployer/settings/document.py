"""The settings file as plain data: mappings with text keys, lists, texts, numbers and booleans.

Stricter than YAML: a key that is there twice, that is not text or that has no value is a mistake. Knows no setting,
and never shows a value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from deployer.settings.mistakes import Mistake, Place, SettingsError

Plain = str | int | float | bool | None | list["Plain"] | dict[str, "Plain"]

_BIGGEST = 1024 * 1024
_MOST_VALUES = 200_000
_DEEPEST = 50
_QUOTED = re.compile(r""" (?P<quote>['"])(?P<inner>.*?)(?P=quote)""")
_TAG = "tag:yaml.org,2002:"
_MERGE = f"{_TAG}merge"
_SCALARS = frozenset(f"{_TAG}{name}" for name in ("str", "int", "float", "bool", "null"))
_KINDS = {"bool": "a boolean", "int": "a number", "float": "a number", "null": "nothing"}


@dataclass(frozen=True, slots=True)
class Document:
    """What a settings file holds, and which mistakes it has as YAML."""

    content: dict[str, Plain]
    mistakes: tuple[Mistake, ...]
    order: Mapping[Place, int]
    """Which place comes before which in the file."""

    def position(self, mistake: Mistake) -> int:
        """Give a number that sorts mistakes in the order of the file; what is not there counts as its section."""
        place = mistake.place
        while place not in self.order:
            place = place[:-1]
        return self.order[place]


class _Loader(yaml.SafeLoader):
    """YAML 1.1 without dates and `=`, which no setting is: they stay text."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - declared so by PyYAML
        first: [(tag, pattern) for tag, pattern in resolvers if tag in _SCALARS | {_MERGE}]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def read(path: Path) -> Document:
    """Read a settings file.

    Raises:
        SettingsError: there is no such file, it cannot be read, or it is not a mapping in YAML.
    """
    text = _text(path)
    try:
        document = _parse(text)
    except yaml.MarkedYAMLError as error:
        raise _unusable(path, _syntax(error)) from None  # not chained: it shows the line
    except yaml.YAMLError:
        raise _unusable(path, "holds a character that YAML does not allow") from None
    except (_TooMuch, RecursionError):
        raise _unusable(path, "is nested too deeply, or is too big once its aliases are written out") from None
    if document is None:
        raise _unusable(path, "is empty or not a mapping; config/deployer.example.yaml is a start")
    return document


def _parse(text: str) -> Document | None:
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        if not isinstance(root, yaml.MappingNode):
            return None
        reader = _Reader(loader)
        return Document(reader.mapping(root, ()), tuple(reader.mistakes), reader.order)
    finally:
        loader.dispose()


def _unusable(path: Path, what: str) -> SettingsError:
    return SettingsError([f"{path}: {what}"])


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_BIGGEST + 1)
    except OSError as error:
        raise _unusable(path, f"cannot be read: {error.strerror}; DEPLOYER_CONFIG says which file it is") from error
    if len(content) > _BIGGEST:
        raise _unusable(path, f"is bigger than {_BIGGEST} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _unusable(path, f"line {line}: is not text in UTF-8") from None  # not chained: it carries the content


def _syntax(error: yaml.MarkedYAMLError) -> str:
    """Say where and what, without the names and values that PyYAML quotes."""
    mark = error.problem_mark or error.context_mark
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    said = ", ".join(filter(None, (error.context, error.problem)))
    return f"{where}not YAML: {re.sub(_QUOTED, _only_signs, said)}"


def _only_signs(quoted: re.Match[str]) -> str:
    """Keep `']'` and `'<scalar>'`, which are PyYAML's words, and drop names from the file."""
    inner = quoted["inner"]
    return quoted[0] if len(inner) == 1 or inner.startswith("<") else ""


class _TooMuch(Exception):  # noqa: N818 - never leaves this module
    pass


@dataclass(slots=True)
class _Reader:
    """Turns nodes into plain data and collects what is wrong with them."""

    loader: _Loader
    mistakes: list[Mistake] = field(default_factory=list)
    order: dict[Place, int] = field(default_factory=lambda: {(): 0})
    values: int = 0

    def plain(self, node: yaml.Node, place: Place) -> Plain:
        self.values += 1
        if self.values > _MOST_VALUES or len(place) > _DEEPEST:
            raise _TooMuch
        self.order.setdefault(place, self.values)
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self.plain(item, (*place, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, place)

    def mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Plain]:
        own: dict[str, Plain] = {}
        merged: dict[str, Plain] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                merged = self._merged(value_node, place) | merged
                continue
            key = self._key(key_node, place)
            line = _line(key_node)
            if key in lines:
                first = lines[key]
                self._complain((*place, key), f"is there twice, on line {first} and on line {line}")
                continue
            lines[key] = line
            own[key] = self.plain(value_node, (*place, key))
        return merged | own

    def _merged(self, node: yaml.Node, place: Place) -> dict[str, Plain]:
        """Resolve `<<: *alias` or `<<: [*one, *other]`; the earlier one wins."""
        content = self.plain(node, (*place, "<<"))
        result: dict[str, Plain] = {}
        for mapping in content if isinstance(content, list) else [content]:
            if not isinstance(mapping, dict):
                self._complain(place, f"line {_line(node)}: expected a mapping, or a list of them, after <<")
                return {}
            result = mapping | result
        return result

    def _key(self, node: yaml.Node, place: Place) -> str:
        if not isinstance(node, yaml.ScalarNode):
            self._complain(place, f"line {_line(node)}: a key is not a text")
            return ""
        if node.tag != f"{_TAG}str":
            kind = _KINDS.get(node.tag.removeprefix(_TAG), "something else than text")
            self._complain(place, f"line {_line(node)}: YAML reads a key as {kind}; quote it")
        return str(node.value).encode(errors="backslashreplace").decode()

    def _scalar(self, node: yaml.Node, place: Place) -> Plain:
        value = self._value(node, place)
        if node.tag == f"{_TAG}null":
            self._complain(place, "nothing is written here; give a value or remove the key")
        return value

    def _value(self, node: yaml.Node, place: Place) -> Plain:
        if node.tag in _SCALARS:
            try:
                value: Plain = self.loader.construct_object(node)
                str(value).encode()
            except (ValueError, KeyError):
                pass  # such as `!!int abc`, `0x_`, half a surrogate pair; the error would show the text
            else:
                return value
        self._complain(place, f"line {_line(node)}: YAML cannot read this; quote it if it is text")
        return None

    def _complain(self, place: Place, message: str) -> None:
        self.mistakes.append(Mistake(place, message))


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
