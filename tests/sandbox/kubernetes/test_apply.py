"""Server-side apply: who owns what, what is merged, what is removed, what is refused; on both kinds of cluster."""

from __future__ import annotations

import json

import pytest

from tests.sandbox.kubernetes.client import APPLY, Client
from tests.sandbox.kubernetes.objects import Object, config_map, container, deployment, managers, owned, service


def test_apply_creates_and_then_changes_nothing(api: Client, config_maps: str) -> None:
    first = api.apply(f"{config_maps}/a", config_map(data={"x": "1"}))
    second = api.apply(f"{config_maps}/a", config_map(data={"x": "1"}))
    assert (first.status, second.status) == (201, 200)
    assert second.body == first.body


def test_an_applier_owns_what_it_names(api: Client, config_maps: str) -> None:
    body = config_map(data={"x": "1"}, labels={"l": "1"}, annotations={"a": "1"}, finalizers=["example.com/f"])
    obj = api.apply(f"{config_maps}/a", body).body
    assert managers(obj) == [("one", "Apply")]
    assert owned(obj, "one") == {
        "f:data": {"f:x": {}},
        "f:metadata": {
            "f:annotations": {"f:a": {}},
            "f:finalizers": {'v:"example.com/f"': {}},
            "f:labels": {"f:l": {}},
        },
    }
    entry = obj["metadata"]["managedFields"][0]
    assert (entry["apiVersion"], entry["fieldsType"]) == ("v1", "FieldsV1")
    assert entry["time"].endswith("Z")


def test_a_manager_must_be_named(api: Client, config_maps: str) -> None:
    answer = api.patch(f"{config_maps}/a", config_map(), APPLY)
    assert (answer.status, answer.causes) == (422, [("fieldManager", "FieldValueRequired")])


def test_a_field_of_another_applier_is_a_conflict(api: Client, config_maps: str) -> None:
    api.apply(f"{config_maps}/a", config_map(data={"x": "1"}))
    answer = api.apply(f"{config_maps}/a", config_map(data={"x": "2"}), "two")
    assert (answer.status, answer.reason) == (409, "Conflict")
    assert answer.message == 'Apply failed with 1 conflict: conflict with "one": .data.x'
    assert answer.body["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".data.x"}
    ]


def test_every_conflict_is_named(api: Client, config_maps: str) -> None:
    api.apply(f"{config_maps}/a", config_map(data={"x": "1", "y": "1"}))
    answer = api.apply(f"{config_maps}/a", config_map(data={"x": "2", "y": "2"}), "two")
    assert answer.message == 'Apply failed with 2 conflicts: conflicts with "one":\n- .data.x\n- .data.y'
    assert answer.causes == [(".data.x", "FieldManagerConflict"), (".data.y", "FieldManagerConflict")]


def test_conflicts_with_several_managers(api: Client, config_maps: str) -> None:
    api.apply(f"{config_maps}/a", config_map(data={"x": "1"}), "one")
    api.apply(f"{config_maps}/a", config_map(data={"y": "1"}), "two")
    api.patch(f"{config_maps}/a?fieldManager=editor", {"data": {"z": "1"}})
    answer = api.apply(f"{config_maps}/a", config_map(data={"x": "2", "y": "2", "z": "2"}), "three")
    messages = {cause["field"]: cause["message"] for cause in answer.body["details"]["causes"]}
    assert messages == {
        ".data.x": 'conflict with "one"',
        ".data.y": 'conflict with "two"',
        ".data.z": 'conflict with "editor" using v1',
    }


def test_equal_values_are_shared(api: Client, config_maps: str) -> None:
    first = api.apply(f"{config_maps}/a", config_map(data={"x": "1"})).body
    second = api.apply(f"{config_maps}/a", config_map(data={"x": "1"}), "two").body
    assert managers(second) == [("one", "Apply"), ("two", "Apply")]
    assert second["metadata"]["resourceVersion"] != first["metadata"]["resourceVersion"]


def test_force_takes_fields_over(api: Client, config_maps: str) -> None:
    api.apply(f"{config_maps}/a", config_map(data={"x": "1", "y": "1"}))
    obj = api.apply(f"{config_maps}/a", config_map(data={"x": "2"}), "two", force="true").body
    assert obj["data"] == {"x": "2", "y": "1"}
    assert owned(obj, "one") == {"f:data": {"f:y": {}}}
    assert owned(obj, "two") == {"f:data": {"f:x": {}}}


def test_a_field_that_is_no_longer_named_is_removed(api: Client, config_maps: str) -> None:
    api.apply(f"{config_maps}/a", config_map(data={"x": "1", "y": "1"}))
    obj = api.apply(f"{config_maps}/a", config_map(data={"x": "1"})).body
    assert obj["data"] == {"x": "1"}


def test_the_last_field_takes_its_parent_along(api: Client, config_maps: str) -> None:
    api.apply(f"{config_maps}/a", config_map(data={"x": "1"}))
    obj = api.apply(f"{config_maps}/a", config_map()).body
    assert "data" not in obj
    assert managers(obj) == []


def test_a_shared_field_stays_until_nobody_names_it(api: Client, config_maps: str) -> None:
    api.apply(f"{config_maps}/a", config_map(data={"x": "1"}))
    api.apply(f"{config_maps}/a", config_map(data={"x": "1"}), "two")
    assert api.apply(f"{config_maps}/a", config_map()).body["data"] == {"x": "1"}
    assert "data" not in api.apply(f"{config_maps}/a", config_map(), "two").body


def test_a_field_that_was_never_owned_is_left_alone(api: Client, config_maps: str) -> None:
    api.post(config_maps, config_map(data={"x": "1"}))
    api.apply(f"{config_maps}/a", config_map(data={"y": "1"}))
    assert api.apply(f"{config_maps}/a", config_map()).body["data"] == {"x": "1"}


def test_an_update_takes_the_field_from_its_applier(api: Client, config_maps: str) -> None:
    api.apply(f"{config_maps}/a", config_map(data={"x": "1", "y": "1"}))
    obj = api.patch(f"{config_maps}/a?fieldManager=editor", {"data": {"x": "2"}}).body
    assert owned(obj, "one") == {"f:data": {"f:y": {}}}
    assert owned(obj, "editor", "Update") == {"f:data": {"f:x": {}}}
    answer = api.apply(f"{config_maps}/a", config_map(data={"x": "1", "y": "1"}))
    assert answer.message == 'Apply failed with 1 conflict: conflict with "editor" using v1: .data.x'


def test_a_writer_without_a_name_is_named_for_its_program(api: Client, config_maps: str) -> None:
    obj = api.post(config_maps, config_map(data={"x": "1"})).body
    assert owned(obj, "tests", "Update") == {"f:data": {".": {}, "f:x": {}}}


def test_what_an_update_removes_nobody_owns(api: Client, config_maps: str) -> None:
    api.apply(f"{config_maps}/a", config_map(data={"x": "1", "y": "1"}))
    obj = api.patch(f"{config_maps}/a", {"data": {"x": None}}).body
    assert owned(obj, "one") == {"f:data": {"f:y": {}}}


def test_a_dry_run_says_what_would_be_and_writes_nothing(api: Client, config_maps: str) -> None:
    before = api.apply(f"{config_maps}/a", config_map(data={"x": "1"})).body
    would = api.apply(f"{config_maps}/a", config_map(data={"x": "2"}), dryRun="All")
    assert (would.status, would.body["data"]) == (200, {"x": "2"})
    assert would.body["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert api.get(f"{config_maps}/a").body == before
    assert api.apply(f"{config_maps}/b", config_map("b"), dryRun="All").status == 201
    assert api.get(f"{config_maps}/b").status == 404
    conflict = api.apply(f"{config_maps}/a", config_map(data={"x": "2"}), "two", dryRun="All")
    assert conflict.status == 409


def test_an_older_version_is_a_conflict(api: Client, config_maps: str) -> None:
    api.apply(f"{config_maps}/a", config_map(data={"x": "1"}))
    answer = api.apply(f"{config_maps}/a", config_map(data={"x": "2"}, resourceVersion="1"))
    assert (answer.status, answer.reason) == (409, "Conflict")


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ({"name": "b"}, "the name of the object (b) does not match the name on the URL (a)"),
        ({"name": "a", "managedFields": []}, "metadata.managedFields must be nil"),
    ],
)
def test_metadata_that_does_not_fit(api: Client, config_maps: str, meta: Object, message: str) -> None:
    answer = api.apply(f"{config_maps}/a", config_map() | {"metadata": meta})
    assert (answer.status, answer.message) == (400, message)


def test_another_namespace_is_refused(api: Client, namespace: str, config_maps: str) -> None:
    answer = api.apply(f"{config_maps}/a", config_map(namespace="elsewhere"))
    assert (answer.status, answer.reason) == (400, "BadRequest")
    assert answer.message == (
        f"the namespace of the object (elsewhere) does not match the namespace on the request ({namespace})"
    )


@pytest.mark.parametrize("version", [None, "v2", "apps/v1"])
def test_another_version_is_refused(api: Client, config_maps: str, version: str | None) -> None:
    body = config_map() | {"apiVersion": version}
    answer = api.apply(f"{config_maps}/a", body)
    assert (answer.status, answer.reason) == (400, "BadRequest")
    assert answer.message == (
        f"Incorrect version specified in apply patch. Specified patch version: {version or ''}, expected: v1"
    )


@pytest.mark.parametrize("body", [b"a: [", b"[1]", b"just text", b""])
def test_a_configuration_that_is_no_object_is_refused(api: Client, config_maps: str, body: bytes) -> None:
    assert api.apply(f"{config_maps}/a", body).status in (400, 500)
    assert api.get(f"{config_maps}/a").status == 404


def test_a_configuration_is_yaml(api: Client, config_maps: str) -> None:
    text = (
        b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  date: 2026-11-23\n  t: |\n    two\n    lines\n"
    )
    assert api.apply(f"{config_maps}/a", text).body["data"] == {"date": "2026-11-23", "t": "two\nlines\n"}


@pytest.mark.parametrize("text", ["\\ud83c\\udf89", "\\ud83c", "x\x7f", "x\x80", "x\ufffe", "x\uffff"])
def test_json_that_yaml_does_not_allow_is_refused(api: Client, config_maps: str, text: str) -> None:
    body = json.dumps(config_map(data={"x": "TEXT"})).replace("TEXT", text).encode()
    answer = api.patch(f"{config_maps}/a?fieldManager=one", body, APPLY)
    assert (answer.status, answer.reason) == (400, "BadRequest")
    assert answer.message.startswith("error decoding YAML: ")


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("🎉", "🎉"), ("\\u007f\\u0085\\u0000\\u001b", "\x7f\x85\x00\x1b"), ("\\ufffe\\ufeff", "\ufffe\ufeff"),
        ("\\\\ud83c", "\\ud83c"), ("a\x85b", "a b"), ("\u00e9\u20ac", "\u00e9\u20ac"),
    ],
)  # fmt: skip
def test_json_is_read_as_yaml_reads_it(api: Client, config_maps: str, text: str, read: str) -> None:
    body = json.dumps(config_map(data={"x": "TEXT"})).replace("TEXT", text).encode()
    answer = api.patch(f"{config_maps}/a?fieldManager=one", body, APPLY)
    assert answer.body["data"] == {"x": read}


def test_keys_that_yaml_does_not_read_as_text_become_text(api: Client, config_maps: str) -> None:
    text = b'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {n: "1", on: "2", 8080: "3"}\n'
    assert api.apply(f"{config_maps}/a", text).body["data"] == {"false": "1", "true": "2", "8080": "3"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (config_map(data={"x": 1}), ".data.x: expected string"),
        (config_map() | {"data": ["x"]}, ".data: expected map"),
        (config_map() | {"dta": {}}, ".dta: field not declared in schema"),
    ],
)
def test_a_configuration_that_does_not_fit_its_schema(api: Client, config_maps: str, body: Object, words: str) -> None:
    answer = api.apply(f"{config_maps}/a", body)
    assert answer.status == 500
    assert words in answer.message


def test_force_and_dry_run_have_their_own_values(api: Client, config_maps: str) -> None:
    assert api.apply(f"{config_maps}/a", config_map(), dryRun="Some").causes == [("dryRun", "FieldValueNotSupported")]
    answer = api.patch(f"{config_maps}/a?force=true", {})
    assert answer.causes == [("force", "FieldValueForbidden")]


def test_items_of_a_list_with_keys_are_merged(api: Client, deployments: str) -> None:
    ports = [{"containerPort": 80, "protocol": "TCP"}]
    api.apply(f"{deployments}/web", deployment("web", container(ports=ports), container("side")))
    body = deployment("web", container(env=[{"name": "A", "value": "1"}]))
    obj = api.apply(f"{deployments}/web", body, "two").body
    containers = obj["spec"]["template"]["spec"]["containers"]
    assert [item["name"] for item in containers] == ["web", "side"]
    assert containers[0]["env"] == [{"name": "A", "value": "1"}]
    assert containers[0]["ports"] == ports


def test_an_item_that_is_no_longer_named_is_removed(api: Client, deployments: str) -> None:
    api.apply(f"{deployments}/web", deployment("web", container(), container("side")))
    obj = api.apply(f"{deployments}/web", deployment("web", container())).body
    assert [item["name"] for item in obj["spec"]["template"]["spec"]["containers"]] == ["web"]


def test_conflicts_name_items_by_their_keys(api: Client, deployments: str) -> None:
    api.apply(f"{deployments}/web", deployment())
    answer = api.apply(f"{deployments}/web", deployment("web", container(image="other:1")), "two")
    assert answer.causes == [('.spec.template.spec.containers[name="web"].image', "FieldManagerConflict")]


def test_two_items_with_the_same_key_are_refused(api: Client, deployments: str) -> None:
    answer = api.apply(f"{deployments}/web", deployment("web", container(), container()))
    assert answer.status == 500
    assert '.spec.template.spec.containers: duplicate entries for key [name="web"]' in answer.message


def test_an_atomic_list_is_replaced_whole(api: Client, deployments: str) -> None:
    api.apply(f"{deployments}/web", deployment("web", container(args=["a", "b"])))
    answer = api.apply(f"{deployments}/web", deployment("web", container(args=["c"])), "two")
    assert answer.causes == [('.spec.template.spec.containers[name="web"].args', "FieldManagerConflict")]
    obj = api.apply(f"{deployments}/web", deployment("web", container(args=["c"])), "two", force="true").body
    assert obj["spec"]["template"]["spec"]["containers"][0]["args"] == ["c"]


def test_defaults_belong_to_nobody(api: Client, deployments: str) -> None:
    obj = api.apply(f"{deployments}/web", deployment()).body
    assert obj["spec"]["replicas"] == 1
    assert "f:replicas" not in owned(obj, "one")["f:spec"]
    assert api.apply(f"{deployments}/web", deployment(replicas=3), "two").status == 200


def test_quantities_in_another_form_are_no_change(api: Client, deployments: str) -> None:
    body = deployment("web", container(resources={"limits": {"cpu": "1000m", "memory": "1024Mi"}}))
    first = api.apply(f"{deployments}/web", body).body
    assert first["spec"]["template"]["spec"]["containers"][0]["resources"] == {"limits": {"cpu": "1", "memory": "1Gi"}}
    again = api.apply(f"{deployments}/web", body).body
    assert again["metadata"]["generation"] == 1
    assert again["spec"] == first["spec"]


def test_a_generation_counts_applied_changes(api: Client, deployments: str) -> None:
    assert api.apply(f"{deployments}/web", deployment()).body["metadata"]["generation"] == 1
    assert api.apply(f"{deployments}/web", deployment(replicas=2)).body["metadata"]["generation"] == 2
    labelled = deployment(replicas=2)
    labelled["metadata"]["labels"] = {"a": "b"}
    assert api.apply(f"{deployments}/web", labelled).body["metadata"]["generation"] == 2


def test_a_service_keeps_its_address_when_it_is_applied_again(api: Client, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/services/web"
    first = api.apply(path, service()).body
    second = api.apply(path, service(sessionAffinity="ClientIP")).body
    assert second["spec"]["clusterIP"] == first["spec"]["clusterIP"]


def test_an_applied_configuration_may_be_handed_over(api: Client, config_maps: str) -> None:
    """Clients rewrite managedFields to turn one manager's fields into another's."""
    obj = api.post(config_maps, config_map(data={"x": "1"})).body
    entry = obj["metadata"]["managedFields"][0] | {"manager": "one", "operation": "Apply"}
    patched = api.patch(f"{config_maps}/a?fieldManager=mover", {"metadata": {"managedFields": [entry]}})
    assert managers(patched.body) == [("one", "Apply")]
    assert "data" not in api.apply(f"{config_maps}/a", config_map()).body


def test_large_configurations_are_read(api: Client, config_maps: str) -> None:
    data = {f"key-{number}": "x" * 100 for number in range(1000)}
    answer = api.apply(f"{config_maps}/a", json.dumps(config_map(data=data)).encode())
    assert len(answer.body["data"]) == 1000
