"""What is shown of objects, and what never is."""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest

from deployer.cluster.disguise import HIDDEN, HIDDEN_CHANGED, shown, shown_pair

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def a_secret(**rest: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, **rest}


def test_what_the_api_server_keeps_in_an_object_is_left_out() -> None:
    kept = dict.fromkeys(("managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink"), 1)
    content = {"kind": "Service", "metadata": {"name": "web", **kept}, "spec": {}, "status": {"a": 1}}

    assert shown(content) == {"kind": "Service", "metadata": {"name": "web"}, "spec": {}}


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap"])
def test_the_quotation_that_kubectl_leaves_in_an_object_is_never_shown(kind: str) -> None:
    annotations = {LAST_APPLIED: secrets.token_hex(8), "a": "b"}
    content = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "x", "annotations": annotations}}

    assert shown(content)["metadata"] == {"name": "x", "annotations": {"a": HIDDEN if kind == "Secret" else "b"}}
    del annotations["a"]
    assert shown(content)["metadata"] == {"name": "x"}


@pytest.mark.parametrize("field", ["data", "stringData", "Data", "stringdata"])
@pytest.mark.parametrize("wrap", [
    lambda value: {"a": value}, lambda value: {"a": {"b": [value]}}, lambda value: value, lambda value: [value, None],
    lambda value: {"a": None, "b": value},
])  # fmt: skip
def test_no_value_of_a_secret_is_shown_whatever_its_form(field: str, wrap: Any) -> None:
    value = secrets.token_hex(8)
    content = a_secret(**{field: wrap(value)}, type="Opaque", immutable=True)

    other = a_secret(**{field: wrap("x")})
    for seen in (shown(content), *shown_pair(content, other), *shown_pair(other, content)):
        assert value not in json.dumps(seen)
        assert HIDDEN[:-1] in json.dumps(seen[field])
    assert shown(content)["type"] == "Opaque"


@pytest.mark.parametrize("api_version", ["v1", "vault.example.com/v1"])
@pytest.mark.parametrize("tool", ["kapp.k14s.io/original", "objectset.rio.cattle.io/applied", LAST_APPLIED, "note"])
def test_what_other_tools_quote_of_a_secret_in_its_annotations_is_not_shown(api_version: str, tool: str) -> None:
    value = secrets.token_hex(8)
    ours = {"deployer/prune": "false", "applyset.kubernetes.io/id": "x"}
    annotations: dict[str, Any] = {**ours, tool: json.dumps({"stringData": {"a": value}})}
    quoted = a_secret(metadata={"name": "keys", "annotations": annotations}, apiVersion=api_version)
    other = a_secret(metadata={"name": "keys", "annotations": ours | {tool: "x"}})

    assert value not in json.dumps([shown(quoted), shown_pair(quoted, other), shown_pair(other, quoted)])
    assert shown(quoted)["metadata"]["annotations"] == ours | ({tool: HIDDEN} if tool != LAST_APPLIED else {})
    if tool != LAST_APPLIED:
        assert shown_pair(other, quoted)[1]["metadata"]["annotations"] == ours | {tool: HIDDEN_CHANGED}


@pytest.mark.parametrize("misplace", [
    lambda value: {"metadata": {"name": "keys", "stringData": {"a": value}}},
    lambda value: {"metadata": {"name": "keys", "annotations": [value]}},
    lambda value: {"metadata": {"name": "keys", "annotations": {"a": {"b": value}}}},
    lambda value: {"metadata": value},
    lambda value: {"metadata": [value]},
])  # fmt: skip
def test_values_of_a_secret_in_a_wrong_place_of_its_metadata_are_not_shown(misplace: Any) -> None:
    value = secrets.token_hex(8)
    misplaced = a_secret(**misplace(value))

    for seen in (shown(misplaced), *shown_pair(misplaced, a_secret()), *shown_pair(a_secret(), misplaced)):
        assert value not in json.dumps(seen)
    assert HIDDEN in json.dumps(shown(misplaced))


def test_the_metadata_of_a_secret_that_says_nothing_of_its_values_is_shown() -> None:
    metadata = {"name": "keys", "namespace": "shop", "labels": {"a": "b"}, "finalizers": ["x/y"]}

    assert shown(a_secret(metadata=metadata))["metadata"] == metadata


def test_of_a_secret_a_truth_value_is_no_number() -> None:
    assert shown_pair(a_secret(data={"a": 1}), a_secret(data={"a": True}))[1]["data"] == {"a": HIDDEN_CHANGED}


def test_the_keys_of_a_secret_are_shown() -> None:
    assert shown(a_secret(data={"a": "x", "b": None}))["data"] == {"a": HIDDEN, "b": HIDDEN}


def test_of_two_states_of_a_secret_only_what_changed_is_told() -> None:
    before = a_secret(data={"same": "x", "other": "y", "gone": "z"})
    after = a_secret(data={"same": "x", "other": secrets.token_hex(300), "new": "z"})

    assert [each["data"] for each in shown_pair(before, after)] == [
        {"same": HIDDEN, "other": HIDDEN, "gone": HIDDEN},
        {"same": HIDDEN, "other": HIDDEN_CHANGED, "new": HIDDEN},
    ]


@pytest.mark.parametrize(("before", "after"), [("x", "y"), (["x"], ["y"]), (None, "x"), ({"a": "x"}, "x")])
def test_of_malformed_data_it_is_told_that_it_changed(before: Any, after: Any) -> None:
    assert shown_pair(a_secret(data=before), a_secret(data=after))[1]["data"] == HIDDEN_CHANGED


def test_a_state_without_a_kind_is_hidden_when_the_other_is_a_secrets() -> None:
    value = secrets.token_hex(8)

    assert value not in json.dumps(shown_pair({"data": {"a": value}}, a_secret(data={"a": "x"})))
    assert value not in json.dumps(shown_pair(a_secret(data={"a": "x"}), {"data": {"a": value}}))


def test_what_is_shown_of_other_kinds_is_all_of_it_and_the_object_stays_as_it_was() -> None:
    content = {"kind": "ConfigMap", "metadata": {"name": "a", "uid": "1"}, "data": {"a": "x"}}
    copy = json.loads(json.dumps(content))

    assert shown(content)["data"] == {"a": "x"}
    assert content == copy
