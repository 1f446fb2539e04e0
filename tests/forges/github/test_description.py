"""That what is wrong with a request is found, by a description of our own; and GitHub's, if it is there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.forges.github.description import VARIABLE, Description, published
from tests.forges.recording import Request

ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}
SCHEMA = {
    "type": "object",
    "required": ["state"],
    "properties": {
        "state": {"type": "string", "enum": ["on", "off"]},
        "at": {"type": "string", "format": "date-time"},
        "note": {"type": "string", "nullable": True, "maxLength": 5},
        "free": {"type": "object", "additionalProperties": True},
        "part": {"$ref": "#/components/schemas/part"},
    },
}
OURS = Description({
    "paths": {
        "/things/{id}": {
            "get": {
                "parameters": [
                    {"$ref": "#/components/parameters/id"},
                    {"name": "size", "in": "query", "schema": {"type": "integer", "maximum": 9}},
                    {"name": "deep", "in": "query", "schema": {"type": "boolean"}},
                ],
                "x-github": {"enabledForGitHubApps": False},
            },
            "patch": {
                "parameters": [ID],
                "requestBody": {"required": True, "content": {"application/json": {"schema": SCHEMA}}},
            },
        },
        "/things/all": {"get": {}},
    },
    "components": {
        "parameters": {"id": ID},
        "schemas": {"part": {"type": "object", "properties": {"name": {"type": "string"}}}},
    },
})  # fmt: skip


def mistakes(method: str, path: str, body: Any = None, **headers: str) -> str:
    given = {"content-type": "application/json"} | headers
    content = b"" if body is None else json.dumps(body).encode()
    return "; ".join(OURS.mistakes(Request(method, path, given, content)))


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/things/7", None),
        ("GET", "/things/all", None),
        ("GET", "/api/v3/things/7?size=9&deep=true", None),
        ("GET", "http://proxied.invalid:80/things/7", None),
        ("PATCH", "/things/7", {"state": "on", "at": "2026-11-23T10:00:00Z", "note": None, "free": {"x": 1}}),
        ("PATCH", "/things/7", {"state": "off", "part": {"name": "x"}}),
    ],
)
def test_what_is_described_has_no_mistake(method: str, path: str, body: Any) -> None:
    assert mistakes(method, path, body) == ""


@pytest.mark.parametrize(
    ("method", "path", "body", "words"),
    [
        ("GET", "/thing/7", None, "no such path"),
        ("DELETE", "/things/7", None, "no such path"),
        ("GET", "/things/7/8", None, "no such path"),
        ("GET", "/things/seven", None, "{id}: 'seven' is not of type 'integer'"),
        ("GET", "/things/7?sizes=1", None, "no sizes in the query"),
        ("GET", "/things/7?size=10", None, "10 is greater than the maximum"),
        ("GET", "/things/7?deep=yes", None, "'yes' is not of type 'boolean'"),
        ("GET", "/things/7", {"state": "on"}, "there is no body"),
        ("PATCH", "/things/7", None, "the body is missing"),
        ("PATCH", "/things/7", {}, "'state' is a required property"),
        ("PATCH", "/things/7", {"state": "odd"}, "'odd' is not one of"),
        ("PATCH", "/things/7", {"state": "on", "stat": 1}, "there is no stat"),
        ("PATCH", "/things/7", {"state": None}, "None is not of type 'string'"),
        ("PATCH", "/things/7", {"state": "on", "note": "123456"}, "'123456' is too long"),
        ("PATCH", "/things/7", {"state": "on", "at": "yesterday"}, "'yesterday' is not a 'date-time'"),
        ("PATCH", "/things/7", {"state": "on", "part": {"name": 7}}, "body['part']['name']: 7 is not of type"),
        ("PATCH", "/things/7", {"state": "on", "part": {"nam": "x"}}, "there is no nam"),
    ],
)
def test_what_is_not_described_is_a_mistake(method: str, path: str, body: Any, words: str) -> None:
    assert words in mistakes(method, path, body)


def test_a_body_that_is_no_json_is_a_mistake() -> None:
    found = mistakes("PATCH", "/things/7", {"state": "on"}, **{"content-type": "text/plain"})
    assert found == "the body is no text/plain"


def test_an_installations_token_where_it_is_not_let_in_is_a_mistake() -> None:
    assert "no App may ask" in mistakes("GET", "/things/7", authorization="token ghs_1")
    assert mistakes("GET", "/things/7", authorization="Bearer x") == ""


def test_every_request_of_these_tests_is_in_githubs_own_description() -> None:
    """The fixture `described` looks at them; this says whether it had something to look into."""
    description = published()
    if description is None:
        pytest.skip(
            f"requests were NOT compared with GitHub's description: `npm pack @octokit/openapi`, unpack it, and let "
            f"{VARIABLE} name its generated/api.github.com.json"
        )
    odd = Request("POST", "/repos/acme/shop/check-runs", {"content-type": "application/json"}, b'{"nam": "x"}')
    found = description.mistakes(odd)
    assert "body: there is no nam" in found
    assert "body: 'head_sha' is a required property" in found
