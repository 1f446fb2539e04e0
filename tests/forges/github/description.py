"""GitHub's published OpenAPI description, and what is wrong with a request by it.

The description is the npm package `@octokit/openapi`, which is too big to keep here. GITHUB_OPENAPI names its file
`generated/api.github.com.json`; without that, nothing is checked.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from jsonschema import Draft4Validator, FormatChecker, ValidationError
from jsonschema.validators import extend

from tests.forges.recording import Request

VARIABLE = "GITHUB_OPENAPI"
_PREFIXES = re.compile(r"^(https?://[^/]+)?(/api/v3)?(?=/)")
"""A proxy is given whole URLs, and an Enterprise server has its API below a path."""


@cache
def published() -> Description | None:
    """The description that the environment names, if it names one."""
    path = os.environ.get(VARIABLE)
    return Description(json.loads(Path(path).read_text())) if path else None


@dataclass(frozen=True)
class Description:
    """An OpenAPI 3.0 document, as far as it says what a request may be. Stricter than that: nothing that is not named
    in it is accepted in a query or a body, so that a misspelt name is found."""

    document: dict[str, Any]

    def mistakes(self, request: Request) -> list[str]:
        """Everything that is wrong with a request, in words."""
        operation, path, parts = self._operation(request)
        if operation is None:
            return ["GitHub has no such path"]
        return [
            *self._wrong_parts(operation, path, parts),
            *self._wrong_query(operation, path, request),
            *self._wrong_body(operation, path, request),
            *_wrong_token(operation, request),
        ]

    def _operation(self, request: Request) -> tuple[dict[str, Any] | None, str, dict[str, str]]:
        """The operation, its path with placeholders, and what stands in their place. Names go before placeholders."""
        route = _PREFIXES.sub("", request.route)
        for pattern, path in self._patterns:
            found = pattern.fullmatch(route)
            operation = self.document["paths"][path].get(request.method.lower())
            if found and operation is not None:
                return operation, path, {name: unquote(value) for name, value in found.groupdict().items()}
        return None, "", {}

    @cached_property
    def _patterns(self) -> list[tuple[re.Pattern[str], str]]:
        paths = sorted(self.document["paths"], key=lambda path: path.count("{"))
        return [(re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path))), path) for path in paths]

    def _parameters(self, operation: dict[str, Any], path: str, place: str) -> dict[str, dict[str, Any]]:
        given = [*self.document["paths"][path].get("parameters", []), *operation.get("parameters", [])]
        found = [self._resolved(each) for each in given]
        return {each["name"]: each for each in found if each["in"] == place}

    def _wrong_parts(self, operation: dict[str, Any], path: str, parts: dict[str, str]) -> Iterator[str]:
        parameters = self._parameters(operation, path, "path")
        for name, value in parts.items():
            yield from self._wrong(f"{{{name}}}", _typed(value, parameters[name]["schema"]), parameters[name]["schema"])

    def _wrong_query(self, operation: dict[str, Any], path: str, request: Request) -> Iterator[str]:
        parameters = self._parameters(operation, path, "query")
        for name, value in request.query.items():
            if name not in parameters:
                yield f"there is no {name} in the query"
            else:
                schema = parameters[name]["schema"]
                yield from self._wrong(name, _typed(value, schema), schema)
        yield from (
            f"the query lacks {name}"
            for name, each in parameters.items()
            if each.get("required") and name not in request.query
        )

    def _wrong_body(self, operation: dict[str, Any], path: str, request: Request) -> Iterator[str]:
        described = self._resolved(operation.get("requestBody", {}))
        if not request.body:
            yield from ["the body is missing"] if described.get("required") else []
        elif not described:
            yield "there is no body"
        elif request.headers.get("content-type") not in described["content"]:
            yield f"the body is no {request.headers.get('content-type')}"
        else:
            yield from self._wrong("body", request.json, described["content"]["application/json"]["schema"])

    def _wrong(self, what: str, value: object, schema: dict[str, Any]) -> Iterator[str]:
        referred = {"components": self.document.get("components", {})}
        validator = _Validator(schema | referred, format_checker=_FORMATS)
        for error in validator.iter_errors(value):
            yield f"{what}{''.join(f'[{part!r}]' for part in error.absolute_path)}: {error.message[:300]}"

    def _resolved(self, value: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in value:
            target: Any = self.document
            for part in value["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            value = target
        return value


def _wrong_token(operation: dict[str, Any], request: Request) -> Iterator[str]:
    """An installation's tokens, which begin like this, are not let in everywhere."""
    installation = request.headers.get("authorization", "").startswith("token ghs_")
    if installation and not operation.get("x-github", {}).get("enabledForGitHubApps", True):
        yield "no App may ask for this with an installation's token"


def _typed(text: str, schema: dict[str, Any]) -> object:
    """A value of a query or a path, which is text on its way, as its schema has it."""
    try:
        return text if schema.get("type") == "string" else json.loads(text)
    except ValueError:
        return text


def _properties(validator: Any, properties: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    """Like JSON Schema's, but a name that is not there is wrong unless the schema is open in so many words."""
    yield from Draft4Validator.VALIDATORS["properties"](validator, properties, value, schema)
    if isinstance(value, dict) and not schema.get("additionalProperties"):
        for name in value.keys() - properties.keys():
            yield ValidationError(f"there is no {name}")


def _or_null(keyword: str) -> Any:
    """OpenAPI 3.0 says `nullable` where JSON Schema has a type."""

    def check(validator: Any, expected: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
        if value is not None or not schema.get("nullable"):
            yield from Draft4Validator.VALIDATORS[keyword](validator, expected, value, schema)

    return check


_KEYWORDS = {"properties": _properties, "type": _or_null("type"), "enum": _or_null("enum")}
_Validator: Any = extend(Draft4Validator, _KEYWORDS)  # type: ignore[no-untyped-call]
_FORMATS = FormatChecker(())


@_FORMATS.checks("date-time", raises=ValueError)
def _is_time(value: object) -> bool:
    """ISO 8601 in the form that GitHub's own examples have."""
    return not isinstance(value, str) or bool(datetime.strptime(value, "%Y-%m-%dT%H:%M:%S%z"))
