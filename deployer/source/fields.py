"""Fields as Go's JSON decoder finds them: it does not tell the case of their names apart. Pure.

Where two names differ in case alone, readers disagree on which one counts, so such a mapping is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from deployer.model import JSON
from deployer.source.goyaml import Unreadable


def values(mapping: Mapping[str, JSON], name: str) -> Iterator[JSON]:
    """What stands under a name, however it is spelled."""
    folded = name.casefold()
    return (value for key, value in mapping.items() if key.casefold() == folded)


def text(mapping: Mapping[str, JSON], name: str) -> str:
    """The text under a name, however it is spelled; empty if there is none."""
    return next((value for value in values(mapping, name) if isinstance(value, str)), "")


def texts(value: JSON) -> Iterable[str]:
    """The different texts in a list, or the one that is there instead."""
    entries = value if isinstance(value, list) else [value]
    return dict.fromkeys(entry for entry in entries if isinstance(entry, str) and entry)


def mappings(value: JSON) -> Iterable[Mapping[str, JSON]]:
    """The mappings in a list, or the one that is there instead.

    Raises:
        Unreadable: as `unambiguous`.
    """
    entries = value if isinstance(value, list) else [value]
    return [unambiguous(entry) for entry in entries if isinstance(entry, dict)]


def unambiguous(mapping: Mapping[str, JSON]) -> Mapping[str, JSON]:
    """The mapping itself.

    Raises:
        Unreadable: two of its names differ in case alone.
    """
    seen: dict[str, str] = {}
    for name in mapping:
        if name.casefold() in seen:
            raise Unreadable("two fields of one mapping differ in case alone; leave one", at=name)
        seen[name.casefold()] = name
    return mapping
