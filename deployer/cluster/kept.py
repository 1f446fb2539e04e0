"""A manifest in which some values are left to the cluster, so that applying it neither changes nor removes them. Pure.

What we are on record for is applied as it is in the live object: the API server removes what nobody applies any more.
All else is left out, so that it stays its owner's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

from deployer.cluster.equality import same
from deployer.cluster.record import Fields, key_names, key_of, key_of_element, places
from deployer.model import JSON


class _Absent:
    """Stands where there is no value, which null is not."""


_ABSENT: Final = _Absent()
_Value = JSON | _Absent
_Known = JSON | Fields
"""What is on record at a place and below; None when nothing is."""
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Spot:
    """One place in an object, seen from all sides."""

    wanted: _Value
    """What git says."""
    live: _Value
    ours: _Known
    """What we are on record for."""
    known: _Known
    """What anybody is."""
    theirs: _Known
    """What is left alone; empty: all of it."""
    keys: tuple[str, ...] = ()
    """What names it among its list's items."""
    inside: bool = False
    """It is a part of something that is on record as one: left out of that, it would be gone."""

    @property
    def is_one(self) -> bool:
        """Whether what is here has one owner as a whole."""
        return not self.known or not isinstance(self.live, dict | list)

    def parts(self) -> dict[str, Spot]:
        """What is in it, by the steps of a JSON pointer into the manifest; nothing when it is no map or list."""
        if isinstance(self.wanted, dict | _Absent) and isinstance(self.live, dict | _Absent):
            return dict(self._fields(_or(self.wanted, {}), _or(self.live, {})))
        if isinstance(self.wanted, list | _Absent) and isinstance(self.live, list | _Absent):
            items = self._items(_or(self.wanted, []), _or(self.live, []))
            return {str(place): item for place, item in enumerate(items)}
        return {}

    def _fields(self, wanted: dict[str, JSON], live: dict[str, JSON]) -> Iterator[tuple[str, Spot]]:
        owned = [element[2:] for element in _elements(self.ours) if element.startswith("f:")]
        for name in dict.fromkeys([*wanted, *owned, *(live if self.is_one else ())]):
            yield name, self._part(wanted.get(name, _ABSENT), live.get(name, _ABSENT), f"f:{name}")

    def _items(self, wanted: list[JSON], live: list[JSON]) -> Iterator[Spot]:
        names = key_names(self.known)
        if names is None:
            for place in range(max(len(wanted), len(live))):
                yield self._part(_item(wanted, place), _item(live, place), "")
            return
        elements = {key_of_element(element): element for element in _elements(self.known) if element != "."}
        there = places(live, names)
        asked = [key_of(item, names) for item in wanted]
        for key, item in zip(asked, wanted, strict=True):
            yield self._part(item, _item(live, there.get(key, -1)), elements.get(key, ""), names)
        for key, element in elements.items():
            if key not in asked and element in _elements(self.ours):
                yield self._part(_ABSENT, _item(live, there.get(key, -1)), element, names)

    def _part(self, wanted: _Value, live: _Value, element: str, keys: tuple[str, ...] = ()) -> Spot:
        ours, known = self.ours, self.known
        if not self.is_one:
            ours, known = _below(ours, element), _below(known, element)
        theirs = _below(self.theirs, element) if self.theirs else self.theirs
        return Spot(wanted, live, ours, known, theirs, keys, self.inside or self.known == {})


def kept(spot: Spot, path: tuple[str, ...], *, any_step: str) -> JSON:
    """What to apply of a whole object so that what is at and below a path is left alone.

    Args:
        spot: the object.
        path: the steps of a JSON pointer into the manifest, in which the items of a keyed list are counted as they are
            written there; in the live object they are found by their keys.
        any_step: the step that stands for every item or key.
    """
    found = _kept(spot, path, any_step)
    return None if isinstance(found, _Absent) else found


def _kept(spot: Spot, path: tuple[str, ...], any_step: str) -> _Value:
    if spot.theirs is None:
        return spot.wanted
    parts = {} if not path and not spot.theirs and spot.is_one else spot.parts()
    if not path and not parts:
        return _whole(spot)
    step, rest = (path[0], path[1:]) if path else (any_step, ())
    if not parts or step not in (any_step, *parts):
        return spot.wanted
    taken = {
        name: _kept(part, rest, any_step) if step in (any_step, name) else part.wanted for name, part in parts.items()
    }
    there = {name: value for name, value in taken.items() if not isinstance(value, _Absent)}
    if isinstance(spot.wanted, list) or isinstance(spot.live, list):
        return _unless_theirs(spot, list(there.values()) or _ABSENT)
    return _unless_theirs(spot, _keyed(spot, there))


def _unless_theirs(spot: Spot, value: _Value) -> _Value:
    """A value that is on record as one; nothing, if it is somebody else's and as it is to be."""
    others = spot.known == {} and spot.ours is None and not spot.inside
    if others and not isinstance(value, _Absent) and not isinstance(spot.live, _Absent) and same(value, spot.live):
        return _ABSENT
    return value


def _whole(spot: Spot) -> _Value:
    """What to apply of what has one owner. Where git names an empty map, what is in it is not git's anyway."""
    if spot.wanted == {} and isinstance(spot.live, dict):
        return spot.wanted
    return spot.live if spot.ours is not None or spot.inside else _ABSENT


def _keyed(spot: Spot, there: dict[str, JSON]) -> _Value:
    """A map of which something is left, with what names it in its list."""
    wanted = spot.wanted if isinstance(spot.wanted, dict) else {}
    if not there and (spot.ours is None or not spot.keys):
        return _ABSENT
    return {**{name: wanted[name] for name in spot.keys if name in wanted}, **there}


def _below(known: _Known, element: str) -> _Known:
    return known.get(element) if isinstance(known, dict) else None


def _elements(known: _Known) -> Fields:
    return known if isinstance(known, dict) else {}


def _item(items: list[JSON], place: int) -> _Value:
    return items[place] if 0 <= place < len(items) else _ABSENT


def _or(value: _T | _Absent, otherwise: _T) -> _T:
    return otherwise if isinstance(value, _Absent) else value
