"""JSON read as a kind: wrong types found, unknown fields put aside, the rest in the form in which it is stored.

It does what decoding into the API's own types does for a real server: a null is a field that is not there, an empty
list or map is left out, quantities become canonical. Whether values make sense is for `validation`.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

from deployer.sandbox.kubernetes.fieldset import item_element, path_text
from deployer.sandbox.kubernetes.objects import Json
from deployer.sandbox.kubernetes.quantity import canonical
from deployer.sandbox.kubernetes.schema import ANY, Schema, Shape

_POINTERS = frozenset(
    ("storageClassName", "ingressClassName", "loadBalancerClass", "runtimeClassName", "volumeAttributesClassName")
)
"""Strings for which empty and absent mean different things. All other empty strings are left out."""
_PLAIN_FALSE = frozenset(
    (*("hostNetwork", "hostPID", "hostIPC", "stdin", "stdinOnce", "tty", "readOnly", "readOnlyRootFilesystemDefault"),
     *("publishNotReadyAddresses", "paused", "unschedulable"))
)  # fmt: skip
"""Booleans for which false and absent mean the same."""
_PLAIN_ZERO = frozenset(("initialDelaySeconds", "minReadySeconds", "hostPort", "nodePort", "healthCheckNodePort"))
"""Numbers for which zero and absent mean the same."""
_EXPECTED = {"quantity": "string", "bytes": "string"}
_EXPONENT_FROM = 1e21
_LEAVE_OUT = object()


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A value that is not of its field's type."""

    path: str
    expected: str
    value: Json
    detail: str = ""


@dataclass(slots=True)
class Decoded:
    """What came out, and what was wrong with it."""

    value: Json = None
    mismatches: list[Mismatch] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    """Paths of fields that the kind does not have; they are not in `value`."""
    by_key: bool = False
    """Name items of lists by their keys in paths, not by their index."""


def decode(value: Json, schema: Schema, *, by_key: bool = False) -> Decoded:
    """Read a value. The result shares nothing with what was given.

    Args:
        value: JSON.
        schema: the schema of its kind.
        by_key: name items of lists by their keys in the paths of mismatches, as server-side apply does.
    """
    result = Decoded(by_key=by_key)
    decoded = _read(value, schema, "", result)
    result.value = {} if decoded is _LEAVE_OUT else decoded
    return result


def _read(value: Json, schema: Schema, path: str, result: Decoded) -> Json:
    if schema.shape is Shape.SCALAR:
        return _scalar(value, schema, path, result)
    if schema.shape is Shape.ANY:
        typed = schema.node.get("type") == "object" and not (schema.built_in or schema.nullable)
        return _mismatch(value, "object", path, result) if typed and value is None else _anything(value)
    if value is None and (schema.built_in or schema.nullable):
        return _LEAVE_OUT if schema.built_in else None
    if schema.shape is Shape.LIST:
        return _list(value, schema, path, result)
    return _map(value, schema, path, result)


def _anything(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _anything(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_anything(item) for item in value]
    return _number(value)


def _number(value: Json) -> Json:
    """A number as Go writes it: `1.0` is kept as 1."""
    whole = isinstance(value, float) and value.is_integer() and abs(value) < _EXPONENT_FROM
    return int(value) if whole else value


def _list(value: Json, schema: Schema, path: str, result: Decoded) -> Json:
    if not isinstance(value, list):
        return _mismatch(value, "array", path, result)
    item_schema = schema.element or ANY
    labels = [_label(index, item, schema, result) for index, item in enumerate(value)]
    items = [_read(item, item_schema, path + label, result) for label, item in zip(labels, value, strict=True)]
    return [None if item is _LEAVE_OUT else item for item in items]


def _label(index: int, item: Json, schema: Schema, result: Decoded) -> str:
    element = item_element(item, schema) if result.by_key and schema.keys else None
    return path_text((element,)) if element else f"[{index}]"


def _map(value: Json, schema: Schema, path: str, result: Decoded) -> Json:
    if not isinstance(value, dict):
        return _mismatch(value, "object", path, result)
    found: dict[str, Json] = {}
    for key, item in value.items():
        child, below = schema.child(key), f"{path}.{key}"
        if child is None:
            result.unknown.append(below)
            continue
        read = _read(item, child, below, result)
        if read is _LEAVE_OUT and not schema.declares(key) and child.scalar in ("string", "bytes"):
            read = ""
        if read is not _LEAVE_OUT and not (schema.built_in and _left_out(key, read, schema, child)):
            found[key] = read
    return found


def _left_out(key: str, value: Json, schema: Schema, child: Schema) -> bool:
    """Whether the API's own types drop this value when they are written as JSON (`omitempty`)."""
    if not schema.declares(key) or key in schema.required:
        return False
    if value == "":
        return child.scalar == "string" and key not in _POINTERS
    if value is False:
        return key in _PLAIN_FALSE
    if value == 0:
        return key in _PLAIN_ZERO
    return value == [] or (value == {} and not child.properties and child.shape is Shape.MAP)


def _scalar(value: Json, schema: Schema, path: str, result: Decoded) -> Json:
    if value is None and (schema.built_in or schema.nullable):
        return _LEAVE_OUT if schema.built_in else None
    kind = schema.scalar
    if kind in ("quantity", "bytes") and isinstance(value, str):
        return _checked(value, kind, path, result)
    if kind == "quantity" and isinstance(value, int | float) and not isinstance(value, bool):
        return _checked(str(value), kind, path, result)
    if kind == "int-or-string":
        fits = isinstance(value, int | str) and not isinstance(value, bool)
    elif kind == "integer":
        fits = _is_integer(value)
        value = int(value) if fits else value
    elif kind == "number":
        fits = isinstance(value, int | float) and not isinstance(value, bool)
        value = _number(value)
    else:
        fits = isinstance(value, bool if kind == "boolean" else str)
    return value if fits else _mismatch(value, _EXPECTED.get(kind, kind), path, result)


def _is_integer(value: Json) -> bool:
    """A JSON number without a fraction, within 64 bits."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return float(value).is_integer() and -(2**63) <= value < 2**63


def _checked(value: str, kind: str, path: str, result: Decoded) -> Json:
    try:
        return canonical(value) if kind == "quantity" else checked_base64(value)
    except ValueError as error:
        result.mismatches.append(Mismatch(path, kind, value, str(error)))
        return value


def checked_base64(text: str) -> str:
    """The text itself, when it is base64.

    Raises:
        ValueError: it is not; the message quotes nothing of it.
    """
    try:
        base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except ValueError as error:
        raise ValueError("illegal base64 data") from error
    return text


def _mismatch(value: Json, expected: str, path: str, result: Decoded) -> Json:
    result.mismatches.append(Mismatch(path, expected, value))
    return value
