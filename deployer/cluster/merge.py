"""Two states of an object held side by side as the API server would, by its record of what is keyed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deployer.cluster import record
from deployer.cluster.canonical import FILLED, Default, Kept, canonical
from deployer.cluster.record import Fields, Place
from deployer.model import JSON


def overlaid(live: Mapping[str, JSON], wanted: Mapping[str, JSON], *, empties: bool) -> dict[str, JSON]:
    """What an object would be, near enough to tell which fields differ where the API server does not say.

    What git names replaces what is there, item by item in lists that have keys; nothing is removed.

    Args:
        live: what it is.
        wanted: what git names.
        empties: whether an empty map where there is nothing makes a difference, as `emptyDir: {}` does and `labels: {}`
            does not. It cannot be told which of them one is.
    """
    merged = _Overlay(empties).of(dict(live), dict(canonical(wanted)), _known(live))
    return merged if isinstance(merged, dict) else dict(live)


def named_at(wanted: Mapping[str, JSON], live: Mapping[str, JSON], place: Place) -> JSON:
    """What git names at a place of the live object, whose keyed lists may have their items elsewhere; None: nothing."""
    value: JSON = dict(wanted)
    beside: JSON = dict(live)
    known: Fields = _known(live)
    for step in place:
        if isinstance(step, str):
            value, beside = _get(value, step), _get(beside, step)
            known = record.below(known, f"f:{step}")
        elif isinstance(value, list) and isinstance(beside, list) and step < len(beside):
            names, beside = record.key_names(known), beside[step]
            number = step if names is None else record.places(value, names).get(record.key_of(beside, names), -1)
            value = value[number] if 0 <= number < len(value) else None
            known = {} if names is None else _item(known, record.key_of(beside, names))
    return value


def _get(value: JSON, key: str) -> JSON:
    return value.get(key) if isinstance(value, dict) else None


def _item(known: Fields, key: record.Key) -> Fields:
    found = (element for element in known if element != "." and record.key_of_element(element) == key)
    return record.below(known, next(found, ""))


def in_order(after: Mapping[str, JSON], live: Mapping[str, JSON], known_of: Mapping[str, JSON]) -> dict[str, JSON]:
    """The object `after` with the items of keyed lists and sets, whose order says nothing, in the order of `live`.

    Args:
        after: what it would be.
        live: what it is.
        known_of: the object that has the record of which lists these are.
    """
    ordered = _in_order(dict(after), dict(live), _known(known_of))
    return ordered if isinstance(ordered, dict) else dict(after)


def _known(content: Mapping[str, JSON]) -> Fields:
    return record.merged(entry.fields for entry in record.entries(content))


@dataclass(frozen=True, slots=True)
class _Overlay:
    empties: bool

    def of(self, live: JSON, wanted: Kept, known: Fields) -> JSON:
        if (
            wanted is None
            or wanted is FILLED
            or isinstance(wanted, Default)
            or (live is None and self._is_none(wanted))
        ):
            return live
        if isinstance(wanted, dict):
            there = live if isinstance(live, dict) else {}
            laid = {key: self.of(there.get(key), value, record.below(known, f"f:{key}"))
                    for key, value in wanted.items()}  # fmt: skip
            return {**there, **{key: value for key, value in laid.items() if value is not None or key in there}}
        if isinstance(wanted, list):
            return self._items(live if isinstance(live, list) else [], wanted, known)
        return wanted if isinstance(wanted, str | int | float) else live

    def _is_none(self, wanted: Kept) -> bool:
        return wanted == [] or (wanted == {} and not self.empties)

    def _items(self, live: list[JSON], wanted: list[Kept], known: Fields) -> JSON:
        names = record.key_names(known)
        if names is None:
            return [self.of(live[place] if place < len(live) else None, item, {}) for place, item in enumerate(wanted)]
        elements = {record.key_of_element(element): element for element in known if element != "."}
        there = record.places(live, names)
        merged = list(live)
        for item in wanted:
            key = record.key_of(item, names)
            place = there.get(key, -1)
            if place < 0:
                merged.append(self.of(None, item, {}))
            else:
                merged[place] = self.of(live[place], item, record.below(known, elements.get(key, "")))
        return merged


def _in_order(after: JSON, live: JSON, known: Fields) -> JSON:
    if isinstance(after, dict) and isinstance(live, dict):
        return {key: _in_order(value, live.get(key), record.below(known, f"f:{key}")) for key, value in after.items()}
    names = record.key_names(known)
    if not (isinstance(after, list) and isinstance(live, list) and names is not None):
        return after
    elements = {record.key_of_element(element): element for element in known if element != "."}
    there = record.places(live, names)
    items = []
    for item in sorted(after, key=lambda each: there.get(record.key_of(each, names), len(live))):
        key = record.key_of(item, names)
        place = there.get(key, -1)
        beside = live[place] if place >= 0 else None
        items.append(_in_order(item, beside, record.below(known, elements.get(key, ""))))
    return items
