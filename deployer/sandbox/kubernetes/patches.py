"""The three ways to patch that are not apply: JSON patch, merge patch, strategic merge patch.

RFC 6902, RFC 7396, and
https://github.com/kubernetes/community/blob/main/contributors/devel/sig-api-machinery/strategic-merge-patch.md
"""

from __future__ import annotations

from deployer.sandbox.kubernetes.errors import ApiError, bad_request
from deployer.sandbox.kubernetes.objects import Json, clone, same
from deployer.sandbox.kubernetes.schema import ANY, Schema

MERGE = "application/merge-patch+json"
JSON = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
MAX_OPERATIONS = 10_000
_DELETE_LIST = "$deleteFromPrimitiveList/"
_DIRECTIVES = ("$patch", "$retainKeys")


def merge_patch(target: Json, patch: Json) -> Json:
    """RFC 7396. Neither argument is changed."""
    if not isinstance(patch, dict):
        return clone(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def json_patch(target: Json, operations: Json) -> Json:
    """RFC 6902. Neither argument is changed.

    Raises:
        ApiError: 400, it is no patch; 422, it cannot be done on this object.
    """
    if not isinstance(operations, list) or not all(isinstance(operation, dict) for operation in operations):
        raise bad_request("error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    if len(operations) > MAX_OPERATIONS:
        message = f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(operations)}"
        raise ApiError(413, "RequestEntityTooLarge", message)
    document = {"": clone(target)}
    for operation in operations:
        try:
            _operate(document, operation)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise _impossible() from error
    return document.get("")


def _operate(document: Json, operation: dict[str, Json]) -> None:
    kind, path = operation["op"], _pointer(operation["path"])
    if kind == "add":
        _add(document, path, clone(operation["value"]))
    elif kind == "remove":
        _take(document, path)
    elif kind == "replace":
        _take(document, path)
        _add(document, path, clone(operation["value"]))
    elif kind == "test":
        if not same(_find(document, path), operation.get("value")):
            raise ValueError("test failed")
    elif kind in ("copy", "move"):
        source = _pointer(operation["from"])
        _add(document, path, clone(_find(document, source)) if kind == "copy" else _take(document, source))
    else:
        raise ValueError(kind)


def _pointer(text: str) -> list[str]:
    """RFC 6901, below the empty key that holds the document."""
    if text and not text.startswith("/"):
        raise ValueError(text)
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")]


def _find(document: Json, path: list[str]) -> Json:
    for part in path:
        document = document[_index(document, part)]
    return document


def _index(container: Json, part: str) -> Json:
    if not isinstance(container, list):
        return part
    if not part.isdigit():
        raise ValueError(part)
    return int(part)


def _add(document: Json, path: list[str], value: Json) -> None:
    container, last = _find(document, path[:-1]), path[-1]
    if not isinstance(container, list):
        container[last] = value
        return
    position = len(container) if last == "-" else _index(container, last)
    if position > len(container):
        raise IndexError(position)
    container.insert(position, value)


def _take(document: Json, path: list[str]) -> Json:
    container = _find(document, path[:-1])
    return container.pop(_index(container, path[-1]))


def _impossible() -> ApiError:
    return ApiError(422, "Invalid", "the server rejected our request due to an error in our request", details={})


def strategic_merge(target: Json, patch: Json, schema: Schema) -> Json:
    """Merge by the schema's patch strategies. Neither argument is changed."""
    if isinstance(patch, dict):
        return _merge_maps(target if isinstance(target, dict) else {}, patch, schema)
    if isinstance(patch, list) and "merge" in schema.patch_strategy:
        return _merge_lists(target if isinstance(target, list) else [], patch, schema)
    return clone(patch)


def _merge_maps(target: dict[str, Json], patch: dict[str, Json], schema: Schema) -> Json:
    if patch.get("$patch") == "replace":
        return {key: clone(value) for key, value in patch.items() if key != "$patch"}
    if patch.get("$patch") == "delete":
        return {}
    retained = patch.get("$retainKeys")
    result = {key: value for key, value in target.items() if retained is None or key in retained}
    for key, value in patch.items():
        if key in _DIRECTIVES or key.startswith("$setElementOrder/"):
            continue
        if key.startswith(_DELETE_LIST):
            name = key.removeprefix(_DELETE_LIST)
            result[name] = [item for item in result.get(name) or [] if item not in value]
        elif value is None:
            result.pop(key, None)
        else:
            result[key] = strategic_merge(result.get(key), value, schema.child(key) or ANY)
    return result


def _merge_lists(target: list[Json], patch: list[Json], schema: Schema) -> list[Json]:
    if any(isinstance(item, dict) and item.get("$patch") == "replace" for item in patch):
        return [clone(item) for item in patch if not (isinstance(item, dict) and item.get("$patch") == "replace")]
    key = schema.merge_key
    if not key:
        return target + [clone(item) for item in patch if item not in target]
    result = list(target)
    for item in patch:
        _merge_item(result, item, key, schema.element or ANY)
    return result


def _merge_item(result: list[Json], item: Json, key: str, schema: Schema) -> None:
    if not isinstance(item, dict) or key not in item:
        raise bad_request(f"map: {item!r} does not contain declared merge key: {key}")
    position = next((n for n, old in enumerate(result) if isinstance(old, dict) and old.get(key) == item[key]), None)
    if item.get("$patch") == "delete":
        result[:] = [old for n, old in enumerate(result) if n != position]
    elif position is None:
        result.append(strategic_merge({}, item, schema))
    else:
        result[position] = strategic_merge(result[position], item, schema)
