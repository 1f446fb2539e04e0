"""The cluster's record of who manages which field of an object: `metadata.managedFields` read. Pure.

https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from deployer.cluster.identity import Content, metadata
from deployer.model import FIELD_MANAGER, JSON

Fields = Mapping[str, JSON]
"""FieldsV1: `f:` a field, `k:` an item of a keyed list, `v:` one of a set, `.` the value itself; a leaf is empty.

https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/
"""

Place = tuple[str | int, ...]
"""Where a value is in one state of an object: names of fields, and numbers of items."""

Key = tuple[tuple[str, ...], tuple[object, ...]]
"""Names and values of what tells an item from the others; an item of a set has no names, and is its value."""

NO_KEY: Key = (("",), ())
_KEY_DEFAULTS = {"protocol": "TCP"}
"""What an item that does not write this part of its key has there."""
_SCALARS = (str, int, float)


@dataclass(frozen=True, slots=True)
class Entry:
    """What one manager is on record for."""

    manager: str
    applies: bool
    """By server-side apply; otherwise by any other write."""
    subresource: str
    at: datetime | None
    """When it last changed what it is on record for, to the second."""
    fields: Fields

    @property
    def is_ours(self) -> bool:
        """Whether these are the fields that we apply."""
        return self.applies and self.manager == FIELD_MANAGER and not self.subresource


def entries(content: Content) -> tuple[Entry, ...]:
    """The record of an object; what is not well-formed in it is left out."""
    listed = metadata(content).get("managedFields")
    return tuple(
        Entry(
            str(entry.get("manager") or ""),
            entry.get("operation") == "Apply",
            str(entry.get("subresource") or ""),
            _time(entry.get("time")),
            fields,
        )
        for entry in (listed if isinstance(listed, list) else [])
        if isinstance(entry, dict) and isinstance(fields := entry.get("fieldsV1"), dict)
    )


def merged(records: Iterable[Fields]) -> dict[str, JSON]:
    """All that somebody is on record for."""
    whole: dict[str, JSON] = {}
    for record in records:
        for element, node in record.items():
            known = whole.get(element)
            whole[element] = (
                merged([known, node]) if isinstance(known, dict) and isinstance(node, dict) else node
            )  # fmt: skip
    return whole


def below(node: JSON | Fields, element: str) -> Fields:
    """What is on record below an element of a record; empty when nothing is."""
    found = node.get(element) if isinstance(node, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def key_names(node: JSON | Fields) -> tuple[str, ...] | None:
    """What names the items of a list whose record is `node`: none for a set. None when the list is one value."""
    elements = [element for element in node if element != "."] if isinstance(node, Mapping) else []
    key = key_of_element(elements[0]) if elements else NO_KEY
    return None if key == NO_KEY else key[0]


@lru_cache(maxsize=8192)
def key_of_element(element: str) -> Key:
    """The key that an element of a record names; no item's when it names a field."""
    tag, _, text = element.partition(":")
    content = json.loads(text) if tag in ("k", "v") else None
    names = tuple(content) if tag == "k" and isinstance(content, dict) else ()
    return key_of(content, names) if names or tag == "v" else NO_KEY


def key_of(item: object, names: tuple[str, ...]) -> Key:
    """The key of an item, whose default values need not be written; no item's when it has none."""
    if not names:
        values: tuple[object, ...] = (item,)
    elif isinstance(item, dict):
        values = tuple(item.get(name, _KEY_DEFAULTS.get(name)) for name in names)
    else:
        return NO_KEY
    return (names, values) if all(isinstance(value, _SCALARS) for value in values) else NO_KEY


def places(items: Sequence[object], names: tuple[str, ...]) -> dict[Key, int]:
    """Where each item is; -1 when there are several with its key, or it has none."""
    found: dict[Key, int] = {}
    for place, item in enumerate(items):
        key = key_of(item, names)
        found[key] = -1 if key in found or key == NO_KEY else place
    return found


def _time(text: JSON) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
