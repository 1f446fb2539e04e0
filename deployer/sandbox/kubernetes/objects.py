"""Kubernetes objects as the sandbox holds them: plain JSON, never changed once they are stored.

Whoever wants to change an object takes a `clone` first. Nothing here knows a kind or a rule of the API.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

Json = Any
"""A JSON value. What it may be is in the schema of its kind, which is data here and not a type of Python."""
Object = dict[str, Json]
"""One JSON object."""


def clone(value: Json) -> Json:
    """A copy of a JSON value that shares nothing which can be changed."""
    if isinstance(value, dict):
        return {key: clone(item) for key, item in value.items()}
    if isinstance(value, list):
        return [clone(item) for item in value]
    return value


def same(one: Json, other: Json) -> bool:
    """Whether two values are the same JSON. Python alone would take `True` for 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)


def section(parent: Object, key: str) -> Object:
    """The object below `key`, or an empty one that is not part of `parent`."""
    value = parent.get(key)
    return value if isinstance(value, dict) else {}


def metadata(obj: Object) -> Object:
    """The metadata of an object, or an empty object that is not part of it."""
    return section(obj, "metadata")


def name_of(obj: Object) -> str:
    """The object's name; empty when it has none."""
    return str(metadata(obj).get("name") or "")


def at(obj: Json, *path: str) -> Json:
    """The value at a path of keys, or None where the path ends early."""
    for key in path:
        if not isinstance(obj, dict):
            return None
        obj = obj.get(key)
    return obj


def each(parent: Json, key: str) -> list[Object]:
    """The objects in the list below `key`; nothing when there is no such list."""
    value = parent.get(key) if isinstance(parent, dict) else None
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


Clock = Callable[[], datetime]


def wall_clock() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with whole seconds, as `metav1.Time` is written."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
