"""Sets of field paths, as `managedFields` records who owns what.

A path is a tuple of elements: `f:name` (a field or key), `k:{"name":"x"}` (an item of a list by its keys), `v:"x"` (an
item of a set). https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/ (FieldsV1)
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from deployer.sandbox.kubernetes.objects import Json, Object
from deployer.sandbox.kubernetes.schema import KEY_DEFAULTS, Schema

Path = tuple[str, ...]
FieldSet = frozenset[Path]


def compact(value: Json) -> str:
    """JSON without spaces and with sorted keys, as path elements are written."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def item_element(item: Json, schema: Schema) -> str | None:
    """The path element of an item in a list that is a set or has keys; None when the item has none of its keys."""
    if not schema.keys:
        return "v:" + compact(item)
    if not isinstance(item, dict):
        return None
    keys = {key: item.get(key, KEY_DEFAULTS.get(key)) for key in schema.keys}
    present = {key: value for key, value in keys.items() if value is not None}
    return "k:" + compact(present) if present else None


def encode(paths: Iterable[Path]) -> Object:
    """Write a set as FieldsV1."""
    tree: Object = {}
    for path in sorted(paths):
        node = tree
        for element in path:
            node = node.setdefault(element, {})
        node["."] = {}
    return _tidy(tree)


def _tidy(tree: Object) -> Object:
    """A leaf needs no `.`: an empty node says that it is itself in the set."""
    return {key: {} if list(child) == ["."] else _tidy(child) for key, child in tree.items()}


def decode(fields: Object) -> FieldSet:
    """Read FieldsV1."""
    found: set[Path] = set()
    _collect(fields, (), found)
    return frozenset(found)


def _collect(node: Object, path: Path, found: set[Path]) -> None:
    for key, child in node.items():
        if key == ".":
            found.add(path)
        elif isinstance(child, dict) and child:
            _collect(child, (*path, key), found)
        else:
            found.add((*path, key))


def with_parents(paths: Iterable[Path]) -> FieldSet:
    """The set and every named field above its members: who owns `spec.replicas` also keeps `spec` alive.

    Items of lists are not added: who owns a field of an item does not own that the item is there.
    """
    found = set(paths)
    for path in list(found):
        for length in range(len(path) - 1, 0, -1):
            if path[length - 1].startswith("f:"):
                found.add(path[:length])
    return frozenset(found)


def without(paths: FieldSet, prefixes: Iterable[Path]) -> FieldSet:
    """The set without everything at and below any of the prefixes."""
    barred = tuple(prefixes)
    return frozenset(path for path in paths if not any(path[: len(prefix)] == prefix for prefix in barred))


def path_text(path: Path) -> str:
    """A path as people read it: `.spec.containers[name="web"].image`."""
    return "".join(_element_text(element) for element in path)


def _element_text(element: str) -> str:
    tag, _, rest = element.partition(":")
    if tag == "f":
        return f".{rest}"
    if tag == "k":
        keys = ",".join(f"{key}={compact(value)}" for key, value in json.loads(rest).items())
        return f"[{keys}]"
    return f"[={rest}]"
