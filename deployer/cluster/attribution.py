"""Who wrote a field of a live object last, as far as the cluster has that on record. Pure.

A manager's entry has one time for all of its fields, and nobody is on record for what is not there any more.
https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from deployer.cluster import record
from deployer.cluster.record import Entry, Place
from deployer.model import JSON

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def writer(live: Mapping[str, JSON], place: Place, *, absent: bool = False) -> Entry | None:
    """Who is on record for what is at a place, other than we by applying; the newest if there are several.

    Args:
        live: the whole object.
        place: where; it need not be there. Of a map or list that has several owners, whoever owns a part of it.
        absent: an item that is not in the list at the place. If the list has keys, nobody is on record for that:
            whoever owns its other items need not be who took this one.
    """
    found = [
        entry
        for entry in record.entries(live)
        if not entry.is_ours and _owns(entry.fields, dict(live), place, absent=absent)
    ]
    return max(found, key=_age, default=None)


def maker(live: Mapping[str, JSON]) -> Entry | None:
    """Who is on record longest: most likely whoever made the object."""
    return min(record.entries(live), key=_age, default=None)


def _age(entry: Entry) -> datetime:
    return entry.at or _LONG_AGO


def _owns(node: record.Fields, value: JSON, place: Place, *, absent: bool) -> bool:
    if not node:
        return True  # one value with all that is in it
    if not place:
        return value is not None and not absent
    inner = dict(_steps(node, value)).get(place[0])
    if inner is None:
        return False
    if isinstance(value, dict):
        return _owns(inner, value.get(str(place[0])), place[1:], absent=absent)
    return isinstance(value, list) and _owns(inner, value[int(place[0])], place[1:], absent=absent)


def _steps(node: record.Fields, value: JSON) -> Iterator[tuple[str | int, record.Fields]]:
    """What is on record below a value, by the step that leads there."""
    names = record.key_names(node)
    there = record.places(value, names) if isinstance(value, list) and names is not None else {}
    for element, inner in node.items():
        if not isinstance(inner, Mapping):
            continue
        if element.startswith("f:"):
            yield element[2:], inner
        elif (place := there.get(record.key_of_element(element), -1)) >= 0:
            yield place, inner
