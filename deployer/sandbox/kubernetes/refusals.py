"""What the API says when an object cannot be read as its kind: four ways for four ways of writing.

A POST or PUT is decoded (400), an applied configuration is typed by its schema (500, as the real API server answers),
a patch is applied and then decoded (422), and a custom resource is validated (422).
"""

from __future__ import annotations

import json

from deployer.sandbox.kubernetes.decode import Decoded, Mismatch
from deployer.sandbox.kubernetes.errors import ApiError, Cause, bad_request, internal, invalid, shown
from deployer.sandbox.kubernetes.objects import Json, Object, name_of
from deployer.sandbox.kubernetes.resources import Resource

_GO = {"string": "string", "integer": "int32", "boolean": "bool", "object": "map[string]string", "array": "[]string"}
_NUMERIC = "numeric (int or float)"
_SMD = {"integer": _NUMERIC, "number": _NUMERIC, "object": "map", "array": "list"}


def undecodable(resource: Resource, decoded: Decoded) -> ApiError:
    """400: the body of a POST or PUT has values of the wrong types."""
    kind = resource.kind
    why = _go_error(resource, decoded.mismatches[0])
    return bad_request(f'{kind} in version "{resource.version}" cannot be handled as a {kind}: {why}')


def unpatchable(resource: Resource, decoded: Decoded, patch: Json) -> ApiError:
    """422: a patch leads to values of the wrong types."""
    cause = Cause("patch", "FieldValueInvalid", f"Invalid value: {shown(json.dumps(patch))}: ")
    why = _go_error(resource, decoded.mismatches[0])
    details = {"causes": [{"reason": cause.reason, "message": cause.message + why, "field": "patch"}]}
    return ApiError(422, "Invalid", f' "" is invalid: patch: {cause.message}{why}', details=details)


def unappliable(resource: Resource, namespace: str, config: Object, *, problems: list[str]) -> ApiError:
    """500: a configuration does not fit the schema."""
    listed = problems[0] if len(problems) == 1 else "errors:\n" + "\n".join(f"  {problem}" for problem in problems)
    where = f"{namespace}/{name_of(config)}; {resource.group}/{resource.version}, Kind={resource.kind}"
    return internal(f"failed to create typed patch object ({where}): {listed}")


def apply_problems(decoded: Decoded) -> list[str]:
    """The words for fields of an applied configuration that do not fit the schema.

    A quantity that is none is found later, when the merged object is decoded.
    """
    found = [_smd_error(mismatch) for mismatch in decoded.mismatches if not mismatch.detail]
    return found + [f"{path}: field not declared in schema" for path in decoded.unknown]


def unconvertible(resource: Resource, decoded: Decoded) -> ApiError:
    """500: an applied configuration fits the schema, and yet makes no object of its kind."""
    where = f"{resource.api_version}, Kind={resource.kind}"
    why = decoded.mismatches[0].detail or _go_error(resource, decoded.mismatches[0])
    return internal(
        "failed to convert new object to proper version: unable to convert unstructured object to " + f"{where}: {why}"
    )


def invalid_custom(resource: Resource, name: str, decoded: Decoded) -> ApiError:
    """422: a custom resource has values of the wrong types."""
    causes = [_type_cause(mismatch) for mismatch in decoded.mismatches]
    return invalid(resource.names, name, causes)


def unknown_fields(decoded: Decoded) -> ApiError:
    """400: fields that the kind does not have, under strict field validation."""
    listed = ", ".join(f'unknown field "{path.lstrip(".")}"' for path in decoded.unknown)
    return bad_request(f"strict decoding error: {listed}")


def _go_error(resource: Resource, mismatch: Mismatch) -> str:
    if mismatch.detail:
        return mismatch.detail
    field = f"{resource.kind}{mismatch.path}".replace("[", ".").replace("]", "")
    kind = _json_kind(mismatch.value)
    return f"json: cannot unmarshal {kind} into Go struct field {field} of type {_GO.get(mismatch.expected, 'string')}"


def _smd_error(mismatch: Mismatch) -> str:
    value = f"&value.valueUnstructured{{Value:{json.dumps(mismatch.value)}}}"
    return f"{mismatch.path}: expected {_SMD.get(mismatch.expected, mismatch.expected)}, got {value}"


def _type_cause(mismatch: Mismatch) -> Cause:
    path = mismatch.path.lstrip(".")
    kind = shown(_json_kind(mismatch.value).replace("number", "integer"))
    message = f"Invalid value: {kind}: {path} in body must be of type {mismatch.expected}: {kind}"
    return Cause(path, "FieldValueTypeInvalid", message)


def _json_kind(value: Json) -> str:
    if isinstance(value, bool):
        return "bool"
    kinds = {dict: "object", list: "array", str: "string", int: "number", float: "number"}
    return kinds.get(type(value), "null")
