"""What the API answers when it refuses: `Status` objects with the words of a real API server.

https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from deployer.sandbox.kubernetes.objects import Json, Object


class ApiError(Exception):
    """A request that is refused, as the `Status` that says so."""

    def __init__(self, code: int, reason: str, message: str, *, details: Object | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details

    def status(self) -> Object:
        """The body of the answer."""
        body: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        body["message"] = self.message
        if self.reason:
            body["reason"] = self.reason
        if self.details is not None:
            body["details"] = self.details
        return body | {"code": self.code}


@dataclass(frozen=True, slots=True)
class Names:
    """How messages call a resource: `deployments.apps` or `Deployment.apps`."""

    group: str
    plural: str
    kind: str

    @property
    def resource(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def qualified_kind(self) -> str:
        return f"{self.kind}.{self.group}" if self.group else self.kind

    def details(self, name: str, kind: str | None = None) -> Object:
        """`details` of a Status about the object of that name."""
        named: Object = {"name": name} if name else {}
        grouped: Object = {"group": self.group} if self.group else {}
        return named | grouped | {"kind": kind or self.plural}


@dataclass(frozen=True, slots=True)
class Cause:
    """One field that is wrong. `message` starts with the kind of mistake, as in `Required value`."""

    field: str
    reason: str
    message: str

    def as_json(self) -> Object:
        return {"reason": self.reason, "message": self.message, "field": self.field}


def shown(value: Json) -> str:
    """A value as messages quote it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def required(field: str, detail: str = "") -> Cause:
    return Cause(field, "FieldValueRequired", f"Required value: {detail}" if detail else "Required value")


def invalid_value(field: str, value: Json, detail: str) -> Cause:
    return Cause(field, "FieldValueInvalid", f"Invalid value: {shown(value)}: {detail}")


def unsupported(field: str, value: Json, supported: Sequence[str]) -> Cause:
    choices = ", ".join(shown(choice) for choice in sorted(supported))
    return Cause(field, "FieldValueNotSupported", f"Unsupported value: {shown(value)}: supported values: {choices}")


def forbidden_field(field: str, detail: str) -> Cause:
    return Cause(field, "FieldValueForbidden", f"Forbidden: {detail}")


def duplicate(field: str, value: Json) -> Cause:
    return Cause(field, "FieldValueDuplicate", f"Duplicate value: {shown(value)}")


def too_long(field: str, detail: str) -> Cause:
    return Cause(field, "FieldValueTooLong", f"Too long: {detail}")


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def internal(message: str) -> ApiError:
    """The real API server answers some bad input with 500 and no reason; so does the sandbox."""
    return ApiError(500, "", message)


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def not_found(names: Names, name: str) -> ApiError:
    return ApiError(404, "NotFound", f'{names.resource} "{name}" not found', details=names.details(name))


def no_such_resource() -> ApiError:
    return ApiError(404, "NotFound", "the server could not find the requested resource", details={})


def already_exists(names: Names, name: str) -> ApiError:
    return ApiError(409, "AlreadyExists", f'{names.resource} "{name}" already exists', details=names.details(name))


def conflict(names: Names, name: str, why: str, *, kind: str | None = None) -> ApiError:
    """`kind` replaces the plural where the real API server names the kind instead (deletions)."""
    called = kind or names.resource
    message = f'Operation cannot be fulfilled on {called} "{name}": {why}'
    return ApiError(409, "Conflict", message, details=names.details(name, kind))


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def invalid(names: Names, name: str, causes: Sequence[Cause]) -> ApiError:
    """422 with every cause."""
    errors = [f"{cause.field}: {cause.message}" for cause in causes]
    listed = errors[0] if len(errors) == 1 else "[" + ", ".join(errors) + "]"
    details = names.details(name, names.kind) | {"causes": [cause.as_json() for cause in causes]}
    return ApiError(422, "Invalid", f'{names.qualified_kind} "{name}" is invalid: {listed}', details=details)


def forbidden(names: Names, name: str, why: str, *, causes: Sequence[Cause] = ()) -> ApiError:
    details = names.details(name)
    if causes:
        details["causes"] = [cause.as_json() for cause in causes]
    called = f' "{name}"' if name else ""
    return ApiError(403, "Forbidden", f"{names.resource}{called} is forbidden: {why}", details=details)


def method_not_allowed() -> ApiError:
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, details={})


def unsupported_media_type(accepted: Sequence[str]) -> ApiError:
    message = "the body of the request was in an unknown format - accepted media types include: " + ", ".join(accepted)
    return ApiError(415, "UnsupportedMediaType", message)


def expired(message: str) -> ApiError:
    """410: the version or page that was asked for is no longer kept."""
    return ApiError(410, "Expired", message)
