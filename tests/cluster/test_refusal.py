"""What the API server says against an object, as people read it."""

from __future__ import annotations

import base64
import json
import secrets
from typing import Any

import pytest

from deployer.cluster.connection import Response
from deployer.cluster.refusal import LONGEST, conflicts, explain, objection
from tests.cluster.objects import config_map, deployment, secret, thing


def status(code: int, message: str, reason: str = "Invalid", **details: Any) -> Response:
    body = {"kind": "Status", "status": "Failure", "message": message, "reason": reason, "code": code}
    return Response(code, {**body, "details": details})


def cause(field: str, message: str, reason: str = "FieldValueInvalid") -> dict[str, str]:
    return {"field": field, "message": message, "reason": reason}


def test_every_cause_is_named_with_its_field() -> None:
    response = status(
        422,
        'Service "web" is invalid: [spec.ports: Required value, spec.type: Unsupported value: "Odd"]',
        causes=[cause("spec.ports", "Required value"), cause("spec.type", 'Unsupported value: "Odd"')],
    )

    assert explain(config_map("a"), response) == 'spec.ports: Required value; spec.type: Unsupported value: "Odd"'


def test_an_immutable_field_is_named_without_the_go_value() -> None:
    go = 'v1.LabelSelector{MatchLabels:map[string]string{"a":"b: c"}, MatchExpressions:[]v1.X(nil)}'
    response = status(422, "…", causes=[cause("spec.selector", f"Invalid value: {go}: field is immutable")])

    assert explain(deployment("web"), response) == (
        "spec.selector: field is immutable; this cannot change while the object exists: "
        'to have it deleted and created anew, annotate it deployer/recreate: "true"'
    )


def test_the_difference_after_an_immutable_field_is_left_out() -> None:
    said = "Forbidden: spec is immutable after creation except resources.requests for bound claims\n{\n-old +new\n}"
    response = status(422, "…", causes=[cause("spec", said)])

    assert explain(config_map("a"), response).startswith(
        "spec: Forbidden: spec is immutable after creation except resources.requests for bound claims; this cannot"
    )


def test_conflicts_are_grouped_by_who_owns_the_fields() -> None:
    owned = [
        (".spec.replicas", 'conflict with "hpa" with subresource "scale" using apps/v1'),
        (".data.a", 'conflict with "kubectl"'),
        (".data.b", 'conflict with "hpa" using v1 at 2026-11-23T01:02:03Z'),
    ]
    causes = [cause(field, message, "FieldManagerConflict") for field, message in owned]

    message = explain(config_map("a"), status(409, "Apply failed with 3 conflicts", "Conflict", causes=causes))

    assert message.startswith("conflict: .spec.replicas, .data.b of hpa; .data.a of kubectl;")


def test_another_409_is_no_conflict_of_fields() -> None:
    assert conflicts(status(409, "the object has been modified", "Conflict")) == ()


def test_a_missing_namespace_comes_with_what_to_do() -> None:
    response = status(404, 'namespaces "shop" not found', "NotFound", kind="namespaces", name="shop")

    for each in (config_map("a"), secret("a")):
        assert explain(each, response) == (
            "namespace shop does not exist; add it to the overlay, or create it in the cluster"
        )


TYPED = "failed to create typed patch object (s/a; /v1, Kind=Secret): .data.k: expected string, got {}"


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda v: status(500, f'admission webhook "w" denied: password {v} is weak', v), "500"),
        (lambda v: status(400, f'admission webhook "w" denied the request: {v}', "BadRequest"), "400"),
        (lambda v: status(403, f'webhook: secrets "x" is forbidden: User "" cannot {v}', "Forbidden"), "403"),
        (lambda v: status(400, f'v1.Secret.Data: error found in #10 byte of ...|"p":"{v}"|...', "BadRequest"), "400"),
        (lambda v: status(422, f'data[k]: Invalid value: "{v}"', causes=[cause("data[k]", f'"{v}"')]), "data[k]"),
        (lambda v: status(409, v, "Conflict", causes=[cause(".data.k", v, "FieldManagerConflict")]), ".data.k of an"),
        (lambda v: status(500, TYPED.format(v), ""), ".data.k"),
        (lambda v: Response(502, f"<html>{v}"), "502"),
        (lambda v: Response(400, [v]), "400"),
    ],
)
@pytest.mark.parametrize("api_version", ["v1", "vault.example.com/v1"])
def test_nothing_that_is_said_about_a_secret_is_passed_on(make: Any, named: str, api_version: str) -> None:
    value = secrets.token_hex(8)
    data = {"k": base64.b64encode(value.encode()).decode()}

    message = explain(thing(api_version, "Secret", "a", data=data), make(value))

    assert value not in message
    assert named in message


def test_of_a_custom_secret_no_value_is_passed_on_that_its_definition_refuses() -> None:
    value = secrets.token_hex(8)
    said = f'Invalid value: "{value}": spec.password in body should be at most 5 chars long'
    response = status(422, f'Secret.vault.example.com "a" is invalid: {said}', causes=[cause("spec.password", said)])

    message = explain(thing("vault.example.com/v1", "Secret", "a", spec={"password": value}), response)

    assert message == (
        "refused (HTTP 422) at spec.password; the API server's own words could quote the Secret's values"
    )


def test_an_item_of_a_set_is_a_value_that_a_conflict_does_not_quote() -> None:
    value = f'{secrets.token_hex(8)}]"'
    causes = [
        cause(f".spec.{field}", 'conflict with "x"', "FieldManagerConflict")
        for field in (f"tags[={json.dumps(value)}]", f"ports[={value[:16]}]", 'parts[name="web"].size')
    ]

    message = explain(thing("v1", "Secret", "a"), status(409, "…", "Conflict", causes=causes))

    assert message.startswith('conflict: .spec.tags[=…], .spec.ports[=…], .spec.parts[name="web"].size of x;')


@pytest.mark.parametrize("api_version", ["v1", "vault.example.com/v1"])
def test_an_objection_to_anything_else_that_is_done_to_a_secret_is_not_passed_on_either(api_version: str) -> None:
    value = secrets.token_hex(8)
    response = status(403, f'admission webhook "w" denied the request: {value} is still used', "Forbidden")

    assert value not in objection(thing(api_version, "Secret", "a").ref, response)
    assert value in objection(config_map("a").ref, response)


@pytest.mark.parametrize(
    "harmless",
    [
        'secrets "a" is forbidden: User "ci" cannot patch resource "secrets" in API group "" in the namespace "shop"',
        'secrets.vault.example.com "a" is forbidden: User "ci" cannot patch resource "secrets" in API group "x"',
        'secrets "a" is forbidden: exceeded quota: few, requested: secrets=1, used: secrets=1, limited: secrets=1',
        'secrets "a" is forbidden: unable to create new content in namespace shop because it is being terminated',
    ],
)
def test_what_cannot_quote_a_secret_is_passed_on(harmless: str) -> None:
    assert explain(secret("a"), status(403, harmless, "Forbidden")) == harmless


def test_a_secret_that_is_not_base64_is_told_by_its_key() -> None:
    response = status(400, "illegal base64 data at input byte 4", "BadRequest")

    assert ".data.broken (not base64)" in explain(secret("a", fine="aGk=", broken="!!!!", number=5), response)
    assert ".data.number (not base64)" in explain(secret("a", fine="aGk=", broken="!!!!", number=5), response)
    assert "fine" not in explain(secret("a", fine="aGk=", broken="!!!!"), response)


@pytest.mark.parametrize("body", [None, "", [], {}, {"message": 5}, {"details": {"causes": [1, {"field": None}]}}])
def test_an_odd_answer_still_makes_a_message(body: Any) -> None:
    assert explain(config_map("a"), Response(418, body))


def test_a_long_message_is_one_line_and_capped() -> None:
    message = explain(config_map("a"), status(400, "line\nof\x1b[31m words " * 200))

    assert len(message) == LONGEST
    assert message.startswith("line of [31m words")
    assert message.endswith("…")
    assert message.isprintable()
