"""CustomResourceDefinitions and what they define, on the sandbox alone.

The API server 1.20.2 that these tests were written beside ends with a fault of its own at the first request for a
custom resource, whatever its schema, so what is said here follows the documentation.
https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
"""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest

from tests.sandbox.kubernetes.client import STRATEGIC, Client, eventually
from tests.sandbox.kubernetes.objects import Object, managers, owned

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_TEXT = {"type": "string"}
_PART = {"type": "object", "required": ["name"], "properties": {"name": _TEXT, "colour": _TEXT}}
_PARTS = {
    "type": "array",
    "items": _PART,
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name"],
}
_SPEC = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "minimum": 1},
        "colour": {"type": "string", "enum": ["red", "blue"], "default": "red"},
        "parts": _PARTS,
        "tags": {"type": "array", "items": _TEXT},
        "port": {"x-kubernetes-int-or-string": True},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}
_SCHEMA = {
    "type": "object",
    "properties": {"spec": _SPEC, "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
}


def definition(group: str, *, scope: str = "Namespaced", schema: Object | None = None) -> Object:
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": schema or _SCHEMA},
    }
    names = {"plural": "widgets", "kind": "Widget", "shortNames": ["wd"]}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {"group": group, "scope": scope, "names": names, "versions": [version]},
    }


@pytest.fixture
def group(sandbox: Client) -> str:
    """A group with one definition."""
    name = f"g{secrets.token_hex(3)}.example"
    assert sandbox.apply(f"{CRDS}/widgets.{name}", definition(name)).status == 201
    return name


@pytest.fixture
def widgets(sandbox: Client, group: str) -> str:
    return f"/apis/{group}/v1/namespaces/default/widgets"


def widget(path: str, name: str = "w", **spec: Any) -> Object:
    group = path.split("/")[2]
    return {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": name}, "spec": spec}


def test_a_definition_is_established_at_once(sandbox: Client, group: str) -> None:
    status = sandbox.get(f"{CRDS}/widgets.{group}").body["status"]
    assert {(condition["type"], condition["status"]) for condition in status["conditions"]} == {
        ("NamesAccepted", "True"),
        ("Established", "True"),
    }
    assert status["acceptedNames"]["listKind"] == "WidgetList"
    assert status["storedVersions"] == ["v1"]


def test_what_it_defines_is_discovered(sandbox: Client, group: str) -> None:
    assert group in [entry["name"] for entry in sandbox.get("/apis").body["groups"]]
    assert sandbox.get(f"/apis/{group}").body["preferredVersion"] == {"groupVersion": f"{group}/v1", "version": "v1"}
    resources = {entry["name"]: entry for entry in sandbox.get(f"/apis/{group}/v1").body["resources"]}
    assert resources.keys() == {"widgets", "widgets/status"}
    assert (resources["widgets"]["kind"], resources["widgets"]["shortNames"]) == ("Widget", ["wd"])


def test_custom_resources_are_written_and_read(sandbox: Client, widgets: str) -> None:
    created = sandbox.post(widgets, widget(widgets, size=1))
    assert (created.status, created.body["metadata"]["generation"]) == (201, 1)
    listed = sandbox.get(widgets).body
    assert (listed["kind"], listed["items"]) == ("WidgetList", [created.body])
    assert sandbox.delete(f"{widgets}/w").body["status"] == "Success"


def test_items_are_merged_by_the_keys_of_the_schema(sandbox: Client, widgets: str) -> None:
    sandbox.apply(f"{widgets}/w", widget(widgets, size=1, parts=[{"name": "a", "colour": "red"}]))
    obj = sandbox.apply(f"{widgets}/w", widget(widgets, size=1, parts=[{"name": "b"}]), "two").body
    assert obj["spec"]["parts"] == [{"name": "a", "colour": "red"}, {"name": "b"}]
    assert owned(obj, "two")["f:spec"]["f:parts"] == {'k:{"name":"b"}': {".": {}, "f:name": {}}}
    clash = sandbox.apply(f"{widgets}/w", widget(widgets, size=1, parts=[{"name": "a", "colour": "blue"}]), "two")
    assert clash.causes == [('.spec.parts[name="a"].colour', "FieldManagerConflict")]
    gone = sandbox.apply(f"{widgets}/w", widget(widgets, size=1)).body
    assert gone["spec"]["parts"] == [{"name": "b"}]


def test_other_lists_are_replaced_whole(sandbox: Client, widgets: str) -> None:
    sandbox.apply(f"{widgets}/w", widget(widgets, size=1, tags=["a", "b"]))
    assert sandbox.apply(f"{widgets}/w", widget(widgets, size=1, tags=["c"])).body["spec"]["tags"] == ["c"]


@pytest.mark.parametrize(("first", "then"), [(1, True), (False, 0), ([1], [True]), ([{"b": 0}], [{"b": False}])])
def test_a_number_is_no_truth_value(sandbox: Client, widgets: str, first: Any, then: Any) -> None:
    before = sandbox.apply(f"{widgets}/w", widget(widgets, size=1, free={"a": first})).body
    after = sandbox.apply(f"{widgets}/w", widget(widgets, size=1, free={"a": then})).body

    assert repr(sandbox.get(f"{widgets}/w").body["spec"]["free"]["a"]) == repr(then)
    assert after["metadata"]["generation"] == before["metadata"]["generation"] + 1
    answer = sandbox.apply(f"{widgets}/w", widget(widgets, size=1, free={"a": first}), "two")
    assert answer.causes == [(".spec.free.a", "FieldManagerConflict")]


def test_a_whole_number_is_kept_without_its_fraction(sandbox: Client, widgets: str) -> None:
    first = sandbox.apply(f"{widgets}/w", widget(widgets, size=1, free={"a": 1, "b": [2]})).body
    second = sandbox.apply(f"{widgets}/w", widget(widgets, size=1, free={"a": 1.0, "b": [2.0]})).body

    assert second == first
    assert repr(second["spec"]["free"]) == "{'a': 1, 'b': [2]}"


def test_what_the_schema_leaves_open_is_kept(sandbox: Client, widgets: str) -> None:
    free = {"deep": [1, {"er": None}], "empty": {}, "text": "x"}
    assert sandbox.post(widgets, widget(widgets, size=1, free=free)).body["spec"]["free"] == free


@pytest.mark.parametrize(("number", "status"), [(b"NaN", 400), (b"-Infinity", 400), (b"1e308", 201)])
def test_numbers_are_those_that_json_has(sandbox: Client, widgets: str, number: bytes, status: int) -> None:
    body = json.dumps(widget(widgets, size=1, free={"x": "number"})).encode().replace(b'"number"', number)
    assert sandbox.request("POST", widgets, body).status == status


@pytest.mark.parametrize("number", [b".nan", b".inf"])
def test_numbers_that_only_yaml_has_are_refused(sandbox: Client, widgets: str, number: bytes) -> None:
    group = widgets.split("/")[2].encode()
    text = b"apiVersion: %s/v1\nkind: Widget\nmetadata: {name: w}\nspec: {size: 1, free: {x: %s}}\n" % (group, number)
    assert sandbox.apply(f"{widgets}/w", text).status == 400


def test_unknown_fields_are_pruned_or_refused(sandbox: Client, widgets: str) -> None:
    assert sandbox.post(widgets, widget(widgets, size=1, sise=2)).body["spec"] == {"size": 1, "colour": "red"}
    answer = sandbox.apply(f"{widgets}/v", widget(widgets, "v", size=1, sise=2))
    assert (answer.status, ".spec.sise: field not declared in schema" in answer.message) == (500, True)


@pytest.mark.parametrize(
    ("spec", "cause"),
    [
        ({}, ("spec.size", "FieldValueRequired")),
        ({"size": "x"}, ("spec.size", "FieldValueTypeInvalid")),
        ({"size": 0}, ("spec.size", "FieldValueInvalid")),
        ({"size": 1, "colour": "green"}, ("spec.colour", "FieldValueNotSupported")),
        ({"size": 1, "parts": [{"name": "a"}, {"name": "a"}]}, ("spec.parts[1]", "FieldValueDuplicate")),
        ({"size": 1, "parts": [{}]}, ("spec.parts[0].name", "FieldValueRequired")),
        ({"size": 1, "port": []}, ("spec.port", "FieldValueTypeInvalid")),
        ({"size": 1, "free": None}, ("spec.free", "FieldValueTypeInvalid")),
    ],
)
def test_custom_resources_are_validated(sandbox: Client, widgets: str, spec: Object, cause: tuple[str, str]) -> None:
    answer = sandbox.post(widgets, widget(widgets, **spec))
    assert (answer.status, answer.causes[0]) == (422, cause)


def test_an_update_of_a_custom_resource_names_its_version(sandbox: Client, widgets: str) -> None:
    created = sandbox.post(widgets, widget(widgets, size=1)).body
    answer = sandbox.put(f"{widgets}/w", widget(widgets, size=2))
    assert answer.causes == [("metadata.resourceVersion", "FieldValueInvalid")]
    created["spec"]["size"] = 2
    assert sandbox.put(f"{widgets}/w", created).body["metadata"]["generation"] == 2


def test_status_has_its_own_way_and_its_own_owners(sandbox: Client, widgets: str) -> None:
    obj = sandbox.apply(f"{widgets}/w", widget(widgets, size=1) | {"status": {"phase": "x"}}).body
    assert "status" not in obj
    obj = sandbox.patch(
        f"{widgets}/w/status?fieldManager=operator", {"spec": {"size": 9}, "status": {"phase": "y"}}
    ).body
    assert (obj["spec"]["size"], obj["status"], obj["metadata"]["generation"]) == (1, {"phase": "y"}, 1)
    assert managers(obj) == [("one", "Apply"), ("operator", "Update")]
    entry = next(e for e in obj["metadata"]["managedFields"] if e["manager"] == "operator")
    assert (entry["subresource"], entry["fieldsV1"]) == ("status", {"f:status": {".": {}, "f:phase": {}}})


def test_custom_resources_have_no_strategic_merge(sandbox: Client, widgets: str) -> None:
    sandbox.post(widgets, widget(widgets, size=1))
    assert sandbox.patch(f"{widgets}/w", {"spec": {"size": 2}}, STRATEGIC).status == 415


def test_a_cluster_wide_resource(sandbox: Client) -> None:
    group = f"g{secrets.token_hex(3)}.example"
    sandbox.post(CRDS, definition(group, scope="Cluster"))
    path = f"/apis/{group}/v1/widgets"
    obj = sandbox.apply(f"{path}/w", widget(path, size=1)).body
    assert "namespace" not in obj["metadata"]
    assert sandbox.get(f"/apis/{group}/v1/namespaces/default/widgets").status == 404


def test_a_definition_takes_its_objects_along(sandbox: Client, group: str, widgets: str) -> None:
    sandbox.post(widgets, widget(widgets, size=1))
    sandbox.delete(f"{CRDS}/widgets.{group}")
    eventually(lambda: sandbox.get(f"{CRDS}/widgets.{group}").status == 404)
    assert sandbox.get(widgets).status == 404
    assert group not in [entry["name"] for entry in sandbox.get("/apis").body["groups"]]
    sandbox.post(CRDS, definition(group))
    assert sandbox.get(widgets).body["items"] == []


def test_a_definition_waits_for_the_finalizers_of_its_objects(sandbox: Client, group: str, widgets: str) -> None:
    body = widget(widgets, size=1)
    body["metadata"]["finalizers"] = ["example.com/wait"]
    sandbox.post(widgets, body)
    sandbox.delete(f"{CRDS}/widgets.{group}")
    eventually(lambda: "deletionTimestamp" in sandbox.get(f"{widgets}/w").body["metadata"])
    assert sandbox.get(f"{CRDS}/widgets.{group}").status == 200
    sandbox.patch(f"{widgets}/w", {"metadata": {"finalizers": None}})
    eventually(lambda: sandbox.get(f"{CRDS}/widgets.{group}").status == 404)


@pytest.mark.parametrize(
    ("change", "field"),
    [({"group": "other.example"}, "metadata.name"), ({"scope": "Everywhere"}, "spec.scope")],
)
def test_a_definition_that_makes_no_sense(api: Client, change: Object, field: str) -> None:
    """No custom resource is asked for here, so this holds on both kinds of cluster."""
    body = definition(f"g{secrets.token_hex(3)}.example")
    body["spec"] |= change
    answer = api.post(CRDS, body)
    assert answer.status == 422
    assert field in [cause[0] for cause in answer.causes]


def test_a_new_schema_holds_at_once(sandbox: Client, group: str, widgets: str) -> None:
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"name": _TEXT}}}}
    assert sandbox.apply(f"{CRDS}/widgets.{group}", definition(group, schema=schema)).status == 200
    assert sandbox.post(widgets, widget(widgets, name="w") | {"spec": {"name": "x", "size": 1}}).body["spec"] == {
        "name": "x"
    }
