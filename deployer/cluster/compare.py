"""Whether a live object already is what git wants, so that it need not be written or even asked about. Pure.

The answer yes is only given when it is certain; everything else is left to a dry run. The manifest, the live object and
the record of what we own are walked side by side: the record also tells which lists are keyed, sets or one value.
https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

from __future__ import annotations

from collections.abc import Mapping

from deployer.cluster.canonical import FILLED, Default, Kept, canonical, tells_empty_apart
from deployer.cluster.record import NO_KEY, Fields, key_of, key_of_element, places
from deployer.model import FIELD_MANAGER, JSON

_OF_ALL_KINDS = frozenset({"apiVersion", "kind", "metadata"})
_SET_BY_SERVER = frozenset({"creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"})
"""An apply that names these may be refused, unless they are null or those of the live object."""
_NOT_OWNED = _SET_BY_SERVER | {"name", "namespace"}
_SCALARS = (str, int, float)


def holds(live: Mapping[str, JSON], desired: Mapping[str, JSON], *, has_status: bool) -> bool:
    """Whether it is certain that applying `desired` would change nothing in the live object.

    That is: we own every field of `desired`, the live object has its value, in the same order in lists, and we own
    nothing that `desired` does not name. Empty values need no owner: not every API server records one for them.

    Args:
        live: the whole object; an item of a list, which lacks apiVersion and kind, will do.
        desired: the manifest of the same object.
        has_status: the kind has a status subresource, so that the server does not take the manifest's status.
    """
    there = live.get("metadata")
    if not isinstance(there, dict) or "deletionTimestamp" in there:
        return False
    ours = _owned(there, desired.get("apiVersion"))
    metadata = _settable(desired.get("metadata"), there)
    if ours is None or metadata is None:
        return False
    wanted = canonical({**desired, "metadata": metadata})
    described, fields = wanted.get("metadata"), ours.get("f:metadata", {})
    if not (isinstance(described, dict) and isinstance(fields, dict) and _map_holds(there, described, fields)):
        return False
    aside = _OF_ALL_KINDS | {"status"} if has_status else _OF_ALL_KINDS
    return _map_holds(
        live,
        {key: value for key, value in wanted.items() if key not in aside},
        {element: node for element, node in ours.items() if element[2:] not in aside},
        strict=tells_empty_apart(str(desired.get("apiVersion"))),
    )


def _owned(metadata: Mapping[str, JSON], api_version: JSON) -> Fields | None:
    """The fields that we apply; None when they are not recorded in the version that the manifest speaks."""
    entries = metadata.get("managedFields")
    ours = [
        entry
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict)
        and entry.get("manager") == FIELD_MANAGER
        and entry.get("operation") == "Apply"
        and not entry.get("subresource")
    ]
    if not ours:
        return {}
    fields = ours[0].get("fieldsV1")
    return fields if len(ours) == 1 and ours[0].get("apiVersion") == api_version and isinstance(fields, dict) else None


def _settable(metadata: JSON, live: Mapping[str, JSON]) -> dict[str, JSON] | None:
    """What a manifest can set of the metadata; None when the API server might refuse it."""
    if not isinstance(metadata, dict):
        return None
    if any(metadata.get(key) not in (None, live.get(key)) for key in _SET_BY_SERVER):
        return None
    return {key: value for key, value in metadata.items() if key not in _NOT_OWNED}


def _map_holds(live: Mapping[str, JSON], desired: Mapping[str, Kept], ours: Fields, *, strict: bool = False) -> bool:
    """Whether a map whose fields are owned one by one has all of `desired`, and `ours` are exactly its fields.

    In all of these, `strict` means that null, an empty list and no value may be three things.
    """
    named = 0
    for key, value in desired.items():
        node = ours.get("f:" + key)
        if node is not None:
            named += 1
            if not node and live.get(key) == value and isinstance(value, str):
                continue  # most fields are texts
        if not _field_holds(live.get(key), value, node, strict=strict):
            return False
    return named == len(ours) - ("." in ours)


def _field_holds(live: JSON, value: Kept, node: JSON, *, strict: bool) -> bool:
    """The same of one field; `node` is None when we do not own it, empty when we own it as one value."""
    if not node:
        return _same(live, value, strict=strict) if node is not None else _unowned(live, value, strict=strict)
    if not isinstance(node, dict):
        return False
    if isinstance(value, dict):
        return isinstance(live, dict) and _map_holds(live, value, node, strict=strict)
    return isinstance(value, list) and isinstance(live, list) and _list_holds(live, value, node, strict=strict)


def _unowned(live: JSON, value: Kept, *, strict: bool) -> bool:
    """Whether a field is as it should be although we do not own it: when there is nothing in it."""
    if isinstance(value, Default):
        return True
    if value is None:
        return live is None and not strict
    return (value is FILLED or value in ({}, [])) and _same(live, value, strict=strict)


def _list_holds(live: list[JSON], desired: list[Kept], ours: Fields, *, strict: bool) -> bool:
    """Whether `live` has the items of `desired` in their order, and `ours` are exactly these items."""
    nodes = {key_of_element(element): node for element, node in ours.items() if element != "."}
    if not nodes or NO_KEY in nodes or len(nodes) != len(desired):
        return False
    names = next(iter(nodes))[0]
    found = places(live, names)
    last = -1
    for value in desired:
        key = key_of(value, names)
        node, place = nodes.pop(key, None), found.get(key, -1)
        if node is None or place <= last or not _field_holds(live[place], value, node, strict=strict):
            return False
        last = place
    return True


def _same(live: JSON, value: Kept, *, strict: bool) -> bool:
    """Whether a value that is owned as one is the live one; what the server adds to it by default aside."""
    if isinstance(value, str):
        return live == value
    if isinstance(value, dict):
        return isinstance(live, dict) and _same_map(live, value, strict=strict)
    if isinstance(value, list):
        return _same_list([] if live is None and not strict else live, value, strict=strict)
    if isinstance(value, _SCALARS):
        return isinstance(live, _SCALARS) and isinstance(live, bool) is isinstance(value, bool) and live == value
    return isinstance(live, dict) if value is FILLED else value is None and live is None


def _same_map(live: dict[str, JSON], value: dict[str, Kept], *, strict: bool) -> bool:
    if strict and live.keys() != value.keys():
        return False
    return all(
        live.get(key) in (None, item.value) if isinstance(item, Default) else _same(live.get(key), item, strict=strict)
        for key, item in value.items()
    ) and all(key in value or item is None for key, item in live.items())


def _same_list(live: JSON, value: list[Kept], *, strict: bool) -> bool:
    if not isinstance(live, list) or len(live) != len(value):
        return False
    return all(_same(there, item, strict=strict) for there, item in zip(live, value, strict=True))
