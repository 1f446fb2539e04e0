"""In which fields two states of an object differ, with paths that people can read. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from deployer.cluster.change import FieldChange
from deployer.cluster.disguise import is_hidden, is_secret, shown_pair
from deployer.cluster.equality import same
from deployer.cluster.record import Place
from deployer.model import JSON

_KEYS = (
    ("mountPath",),
    ("devicePath",),
    ("containerPort", "protocol"),
    ("name",),
    ("port", "protocol"),
    ("ip",),
    ("uid",),
    ("topologyKey", "whenUnsatisfiable"),
    ("key",),
    ("type",),
)
"""What tells the items of Kubernetes' lists apart. Several can fit, so what only one sort of item has comes first."""
_SIMPLE = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_BARE = re.compile(r"[^\s\"'()\[\]{},→]+")
_LONGEST_VALUE = 80
_LONGEST_PATH = 300


def changed(before: Mapping[str, JSON], after: Mapping[str, JSON]) -> tuple[FieldChange, ...]:
    """What differs between two states of one object, sorted by path.

    What is added or removed is one change with the whole value. Items of a list are compared by what names them, if all
    items have that and no two the same, and otherwise by their place; named ones that only changed places are one
    change of the list, with the names in the old and the new order. What `disguise.shown` leaves out never appears,
    and of a Secret's values only that they changed.
    """
    found = _compare("", *shown_pair(before, after))
    if is_secret(before) or is_secret(after):
        return tuple(map(_without_values, found))
    return tuple(found)


def line(change: FieldChange) -> str:
    """One change in one line, as in `spec.replicas 3 → 5`; long values are cut."""
    path = shown_path(change.path)
    return f"{path} changed (hidden)" if change.hidden else f"{path} {text(change.old)} → {text(change.new)}"


def shown_path(path: str) -> str:
    """A path in one line; a long one is cut."""
    return _cut(printable(path), _LONGEST_PATH)


def printable(text: str) -> str:
    """`text` without anything that a terminal would obey; what cannot be seen is written as its number."""
    return "".join(letter if letter.isprintable() or letter == "\t" else f"\\u{ord(letter):04x}" for letter in text)


def _without_values(change: FieldChange) -> FieldChange:
    """A change of a Secret, which does not even say whether there was a value if it is hidden."""
    hidden = is_hidden(change.old) or is_hidden(change.new)
    return FieldChange(change.path, None, None, hidden=True, place=change.place) if hidden else change


def _compare(path: str, old: JSON, new: JSON, place: Place = ()) -> Iterator[FieldChange]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from _compare(_step(path, key), old.get(key), new.get(key), (*place, key))
    elif isinstance(old, list) and isinstance(new, list):
        yield from _compare_lists(path, old, new, place)
    elif not same(old, new):
        yield FieldChange(path, old, new, place=place)


def _compare_lists(path: str, old: list[JSON], new: list[JSON], place: Place) -> Iterator[FieldChange]:
    before, after = _by_name(old, new)
    numbers = {name: number for number, name in enumerate(before)}
    for name in {**before, **after}:
        here = (*place, numbers[name]) if name in numbers else place
        if name in before and name in after:
            yield from _compare(f"{path}[{name}]", before[name], after[name], here)
        else:
            yield FieldChange(f"{path}[{name}]", before.get(name), after.get(name), place=here)
    stayed, moved = [name for name in before if name in after], [name for name in after if name in before]
    if stayed != moved:
        yield FieldChange(path, list(stayed), list(moved), place=place)


def _by_name(old: list[JSON], new: list[JSON]) -> tuple[dict[str, JSON], dict[str, JSON]]:
    """The items of both lists by what names them, or by their place."""
    for keys in _KEYS:
        before, after = _named(old, keys), _named(new, keys)
        if before is not None and after is not None:
            return before, after
    return {str(place): item for place, item in enumerate(old)}, {str(place): item for place, item in enumerate(new)}


def _named(items: list[JSON], keys: tuple[str, ...]) -> dict[str, JSON] | None:
    """Only the first of the keys must be there. None when that does not name every item."""
    names: dict[str, JSON] = {}
    for item in items:
        if not isinstance(item, dict) or not _names(item.get(keys[0])):
            return None
        names[",".join(f"{key}={_quoted(item[key])}" for key in keys if _names(item.get(key)))] = item
    return names if len(names) == len(items) else None


def _names(value: JSON) -> bool:
    return isinstance(value, str | int)


def _step(path: str, key: str) -> str:
    if _SIMPLE.fullmatch(key):
        return f"{path}.{key}" if path else key
    return f"{path}[{_quoted(key)}]"


def text(value: JSON) -> str:
    """A value in one line; a text without quotes where nothing else can be meant."""
    if value is None:
        return "(none)"
    if isinstance(value, str) and _BARE.fullmatch(value) and not _is_json(value):
        return _cut(printable(value), _LONGEST_VALUE)
    return _cut(printable(_quoted(value)), _LONGEST_VALUE)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _quoted(value: JSON) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
