"""Which object of the cluster something is, and whose, whatever path it was found under. Pure.

The API may have one object under several paths: in each version of its group, or in two groups (an Ingress was once in
`extensions`). Its UID is the same in all of them.
"""

from __future__ import annotations

from collections.abc import Mapping

from deployer.model import JSON, PART_OF

Content = JSON | Mapping[str, JSON]


def uid(content: Content) -> str:
    """An object's UID; empty when it has none, as what git wants."""
    return _text(metadata(content).get("uid"))


def version(content: Content) -> str:
    """An object's resourceVersion; empty when it has none."""
    return _text(metadata(content).get("resourceVersion"))


def applyset(content: Content) -> str:
    """The id of the set that an object says it belongs to; empty when it says nothing."""
    labels = metadata(content).get("labels")
    return _text(labels.get(PART_OF)) if isinstance(labels, dict) else ""


def is_going(content: Content) -> bool:
    """Whether an object is being deleted."""
    return bool(metadata(content).get("deletionTimestamp"))


def metadata(content: Content) -> Mapping[str, JSON]:
    """An object's metadata; empty when it is not well-formed."""
    found = content.get("metadata") if isinstance(content, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _text(value: JSON) -> str:
    return value if isinstance(value, str) else ""
