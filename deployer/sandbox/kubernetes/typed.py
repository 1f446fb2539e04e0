"""Values read with their schema: which fields they set, how two differ, how one merges into another.

The rules are those of structured-merge-diff, which server-side apply rests on. Nothing here knows who owns a field.
https://github.com/kubernetes-sigs/structured-merge-diff
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from deployer.sandbox.kubernetes.fieldset import FieldSet, Path, item_element, path_text
from deployer.sandbox.kubernetes.objects import Json, Object, clone, same
from deployer.sandbox.kubernetes.schema import ANY, Schema, Shape

_ABSENT = object()


@dataclass(slots=True)
class Comparison:
    """The fields in which a new value differs from an old one."""

    added: set[Path] = field(default_factory=set)
    modified: set[Path] = field(default_factory=set)
    removed: set[Path] = field(default_factory=set)

    @property
    def written(self) -> FieldSet:
        return frozenset(self.added | self.modified)


def fields_of(value: Object, schema: Schema) -> FieldSet:
    """The fields that a value sets: leaves, items of lists and free keys of maps."""
    found: set[Path] = set()
    _walk(value, schema, (), found)
    return frozenset(found)


def _walk(value: Json, schema: Schema, path: Path, found: set[Path]) -> None:
    if whole(value, schema):
        found.add(path)
    elif isinstance(value, dict):
        for key, item in value.items():
            child = (*path, f"f:{key}")
            _walk(item, schema.child(key) or ANY, child, found)
            if item == {} or not schema.declares(key):
                found.add(child)
    else:
        for element, item in keyed_items(value, schema).items():
            child = (*path, element)
            _walk(item, schema.element or ANY, child, found)
            found.add(child)


def whole(value: Json, schema: Schema) -> bool:
    """Whether the value is owned and replaced as one: a scalar, or a list or map that is atomic."""
    if isinstance(value, dict):
        return schema.atomic
    return schema.atomic or schema.shape is not Shape.LIST if isinstance(value, list) else True


def keyed_items(items: Iterable[Json], schema: Schema) -> dict[str, Json]:
    """The items of a list by their path element, in order. Of items with the same keys the last is taken."""
    found: dict[str, Json] = {}
    for item in items:
        element = item_element(item, schema)
        if element is not None:
            found[element] = item
    return found


def item_problems(value: Json, schema: Schema, path: Path = ()) -> list[str]:
    """Items that cannot be told apart: two with the same keys, or one that lacks them."""
    found: list[str] = []
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, dict | list):
                found += item_problems(item, schema.child(key) or ANY, (*path, f"f:{key}"))
    elif isinstance(value, list) and not whole(value, schema):
        elements = [item_element(item, schema) for item in value]
        found += _repeated(elements, path)
        for element, item in zip(elements, value, strict=True):
            if element is not None and isinstance(item, dict):
                found += item_problems(item, schema.element or ANY, (*path, element))
    return found


def _repeated(elements: list[str | None], path: Path) -> list[str]:
    where = path_text(path)
    lacking = [
        f"{where}: element {index}: associative list with keys has an element that omits key field"
        for index, element in enumerate(elements)
        if element is None
    ]
    twice = [element for element, count in Counter(elements).items() if count > 1 and element is not None]
    return lacking + [f"{where}: duplicate entries for key {path_text((element,))}" for element in twice]


def compare(old: Object, new: Object, schema: Schema) -> Comparison:
    """In which fields `new` differs from `old`."""
    result = Comparison()
    _compare(old, new, schema, (), result)
    return result


def _compare(old: Json, new: Json, schema: Schema, path: Path, result: Comparison) -> None:
    if old is new:
        return
    present = new if old is _ABSENT else old
    opaque = whole(present, schema) or (_ABSENT not in (old, new) and type(old) is not type(new))
    if not opaque:
        _compare_children(old, new, schema, path, result)
    if old is _ABSENT:
        result.added.add(path)
    elif new is _ABSENT:
        result.removed.add(path)
    elif opaque and not same(old, new):
        result.modified.add(path)


def _compare_children(old: Json, new: Json, schema: Schema, path: Path, result: Comparison) -> None:
    before, after = _children(old, schema), _children(new, schema)
    for element in before.keys() | after.keys():
        child = schema.element if schema.shape is Shape.LIST else schema.child(element[2:])
        _compare(
            before.get(element, _ABSENT), after.get(element, _ABSENT), child or ANY, (*path, element), result
        )  # fmt: skip


def _children(value: Json, schema: Schema) -> dict[str, Json]:
    if isinstance(value, dict):
        return {f"f:{key}": item for key, item in value.items()}
    return keyed_items(value, schema) if isinstance(value, list) else {}


def merge(live: Json, applied: Json, schema: Schema) -> Json:
    """`live` with everything that `applied` says: maps by key, lists by their kind, the rest replaced."""
    if whole(applied, schema) or type(live) is not type(applied):
        return clone(applied)
    if isinstance(applied, dict):
        merged = dict(live)
        for key, value in applied.items():
            merged[key] = merge(live[key], value, schema.child(key) or ANY) if key in live else clone(value)
        return merged
    return _merge_items(keyed_items(live, schema), keyed_items(applied, schema), schema)


def _merge_items(live: dict[str, Json], applied: dict[str, Json], schema: Schema) -> list[Json]:
    """Items in the order in which they are applied; those that only `live` has stay where they were before them."""
    result: list[Json] = []
    waiting = list(live)
    for element, item in applied.items():
        while waiting and waiting[0] not in applied:
            result.append(live[waiting.pop(0)])
        result.append(merge(live[element], item, schema.element or ANY) if element in live else clone(item))
        if waiting and waiting[0] == element:
            waiting.pop(0)
    return result + [live[element] for element in waiting if element not in applied]


def remove(value: Json, paths: FieldSet, schema: Schema) -> Json:
    """`value` without the given fields and items."""
    tree: dict[str, Json] = {}
    for path in paths:
        node = tree
        for element in path[:-1]:
            node = node.setdefault(element, {})
        node.setdefault(path[-1], {})[""] = {}
    return _remove(value, tree, schema)


def _remove(value: Json, tree: dict[str, Json], schema: Schema) -> Json:
    """`tree` has the paths by element; a node with an empty key is a member itself."""
    if isinstance(value, dict) and not schema.atomic:
        return {
            key: _kept(item, tree.get(f"f:{key}"), schema.child(key) or ANY)
            for key, item in value.items()
            if "" not in tree.get(f"f:{key}", {})
        }
    if isinstance(value, list) and not whole(value, schema):
        found = [(item, tree.get(item_element(item, schema) or "", {})) for item in value]
        return [_kept(item, node, schema.element or ANY) for item, node in found if "" not in node]
    return value


def _kept(value: Json, tree: dict[str, Json] | None, schema: Schema) -> Json:
    return _remove(value, tree, schema) if tree else value
