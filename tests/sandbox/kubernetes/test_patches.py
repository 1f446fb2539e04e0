"""JSON patch, merge patch and strategic merge patch, on both kinds of cluster."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.kubernetes.client import JSON, MERGE, STRATEGIC, Client
from tests.sandbox.kubernetes.objects import Object, config_map, container, deployment


def test_a_merge_patch_adds_changes_and_removes(api: Client, config_maps: str) -> None:
    api.post(config_maps, config_map(data={"a": "1", "b": "1"}))
    obj = api.patch(f"{config_maps}/a", {"data": {"a": None, "b": "2", "c": "3"}}).body
    assert obj["data"] == {"b": "2", "c": "3"}


def test_a_patch_of_nothing_is_refused(api: Client, config_maps: str) -> None:
    assert api.patch(f"{config_maps}/a", {"data": {}}).status == 404


def test_a_patch_of_an_older_version_is_a_conflict(api: Client, config_maps: str) -> None:
    api.post(config_maps, config_map())
    answer = api.patch(f"{config_maps}/a", {"metadata": {"resourceVersion": "1"}, "data": {"a": "1"}})
    assert (answer.status, answer.reason) == (409, "Conflict")


def test_a_patch_that_changes_nothing_is_not_written(api: Client, config_maps: str) -> None:
    before = api.post(config_maps, config_map(data={"a": "1"})).body
    assert api.patch(f"{config_maps}/a", {"data": {"a": "1"}}).body == before


@pytest.mark.parametrize(
    ("operations", "data"),
    [
        ([{"op": "add", "path": "/data/c", "value": "3"}], {"a": "1", "b": "2", "c": "3"}),
        ([{"op": "replace", "path": "/data/a", "value": "9"}], {"a": "9", "b": "2"}),
        ([{"op": "remove", "path": "/data/a"}], {"b": "2"}),
        ([{"op": "move", "from": "/data/a", "path": "/data/c"}], {"b": "2", "c": "1"}),
        ([{"op": "copy", "from": "/data/a", "path": "/data/c"}], {"a": "1", "b": "2", "c": "1"}),
        (
            [{"op": "test", "path": "/data/a", "value": "1"}, {"op": "add", "path": "/data/d~1e", "value": "4"}],
            None,
        ),
    ],
)
def test_a_json_patch(api: Client, config_maps: str, operations: list[Object], data: Object | None) -> None:
    api.post(config_maps, config_map(data={"a": "1", "b": "2"}))
    answer = api.patch(f"{config_maps}/a", operations, JSON)
    if data is None:
        assert (answer.status, answer.causes) == (422, [("data[d/e]", "FieldValueInvalid")])
    else:
        assert answer.body["data"] == data


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/data/a", "value": "2"},
        {"op": "remove", "path": "/data/zz"},
        {"op": "add", "path": "/data/zz/deeper", "value": "2"},
        {"op": "replace", "path": "/nothing/at/all", "value": "2"},
    ],
)
def test_a_json_patch_that_cannot_be_done(api: Client, config_maps: str, operation: Object) -> None:
    before = api.post(config_maps, config_map(data={"a": "1"})).body
    answer = api.patch(f"{config_maps}/a", [operation], JSON)
    assert (answer.status, answer.reason) == (422, "Invalid")
    assert api.get(f"{config_maps}/a").body == before


@pytest.mark.parametrize(
    "operations",
    [
        {},
        ["add"],
        [{"op": "add"}],
        [{"op": "jump", "path": "/data"}],
        [{"op": "add", "path": 5, "value": 1}],
        [{"op": "remove", "path": ""}],
        [{"op": "remove", "path": "/data/a/b"}],
        [{"op": "replace", "path": "", "value": []}],
        [{"op": "add", "path": "data", "value": {}}],
    ],
)
def test_what_is_no_json_patch_changes_nothing(sandbox: Client, operations: Any) -> None:
    path = f"/api/v1/namespaces/{sandbox.make_namespace()}/configmaps"
    before = sandbox.post(path, config_map(data={"a": "1"})).body
    assert sandbox.patch(f"{path}/a", operations, JSON).status in (400, 422)
    assert sandbox.get(f"{path}/a").body == before


@pytest.mark.parametrize("kind", [MERGE, STRATEGIC])
def test_a_patch_to_the_wrong_type_is_refused(api: Client, config_maps: str, kind: str) -> None:
    before = api.post(config_maps, config_map(data={"a": "1"})).body
    assert api.patch(f"{config_maps}/a", {"data": {"a": 5}}, kind).status in (400, 422)
    assert api.get(f"{config_maps}/a").body == before


def test_a_patch_of_an_unknown_kind_is_refused(api: Client, config_maps: str) -> None:
    api.post(config_maps, config_map())
    answer = api.patch(f"{config_maps}/a", {}, "application/json")
    assert (answer.status, answer.reason) == (415, "UnsupportedMediaType")


def _containers(obj: Object) -> list[Object]:
    found: list[Object] = obj["spec"]["template"]["spec"]["containers"]
    return found


def _patch(containers: list[Any], **pod: Any) -> Object:
    return {"spec": {"template": {"spec": {"containers": containers, **pod}}}}


def test_a_strategic_merge_patch_merges_items_by_their_key(api: Client, deployments: str) -> None:
    api.post(deployments, deployment("web", container(), container("side")))
    patched = api.patch(f"{deployments}/web", _patch([{"name": "web", "image": "other:2"}]), STRATEGIC).body
    assert sorted((item["name"], item["image"]) for item in _containers(patched)) == [
        ("side", "registry.invalid/web:1"),
        ("web", "other:2"),
    ]


def test_a_strategic_merge_patch_deletes_items(api: Client, deployments: str) -> None:
    api.post(deployments, deployment("web", container(), container("side")))
    body = _patch([{"name": "side", "$patch": "delete"}])
    assert [item["name"] for item in _containers(api.patch(f"{deployments}/web", body, STRATEGIC).body)] == ["web"]


def test_a_strategic_merge_patch_replaces_lists_and_maps(api: Client, deployments: str) -> None:
    api.post(deployments, deployment("web", container(), container("side")))
    body = _patch([{"$patch": "replace"}, container("only")])
    assert [item["name"] for item in _containers(api.patch(f"{deployments}/web", body, STRATEGIC).body)] == ["only"]


def test_a_merge_patch_replaces_lists(api: Client, deployments: str) -> None:
    api.post(deployments, deployment("web", container(), container("side")))
    obj = api.patch(f"{deployments}/web", _patch([container("only")])).body
    assert [item["name"] for item in _containers(obj)] == ["only"]


def test_values_are_deleted_from_lists_of_primitives(api: Client, config_maps: str) -> None:
    api.post(config_maps, config_map(finalizers=["example.com/a", "example.com/b"]))
    body = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["example.com/a"]}}
    obj = api.patch(f"{config_maps}/a", body, STRATEGIC).body
    assert obj["metadata"]["finalizers"] == ["example.com/b"]
    api.patch(f"{config_maps}/a", {"metadata": {"finalizers": None}})


def test_status_is_written_through_its_subresource_only(api: Client, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/resourcequotas"
    api.post(path, {"metadata": {"name": "q"}, "spec": {"hard": {"pods": "5"}}})
    assert "hard" not in api.patch(f"{path}/q", {"status": {"hard": {"pods": "5"}}}).body.get("status", {})
    body = {"spec": {"hard": {"pods": "9"}}, "status": {"hard": {"pods": "5"}}}
    obj = api.patch(f"{path}/q/status", body).body
    assert (obj["spec"]["hard"]["pods"], obj["status"]["hard"]["pods"]) == ("5", "5")
    replaced = api.put(f"{path}/q", {"metadata": {"name": "q"}, "spec": {"hard": {"pods": "7"}}}).body
    assert (replaced["spec"]["hard"]["pods"], replaced["status"]["hard"]["pods"]) == ("7", "5")


def test_replicas_are_scaled(api: Client, deployments: str) -> None:
    api.post(deployments, deployment(replicas=2))
    scale = api.get(f"{deployments}/web/scale").body
    assert (scale["kind"], scale["apiVersion"], scale["spec"]) == ("Scale", "autoscaling/v1", {"replicas": 2})
    scaled = api.patch(f"{deployments}/web/scale", {"spec": {"replicas": 4}})
    assert (scaled.status, scaled.body["spec"]) == (200, {"replicas": 4})
    assert api.get(f"{deployments}/web").body["spec"]["replicas"] == 4
