"""Creating, reading, replacing and deleting, on the sandbox and on a real API server alike."""

from __future__ import annotations

import pytest

from tests.sandbox.kubernetes.client import Client, eventually
from tests.sandbox.kubernetes.objects import Object, config_map


def test_a_created_object_has_what_the_server_gives_it(api: Client, namespace: str, config_maps: str) -> None:
    answer = api.post(config_maps, config_map(data={"a": "b"}))
    meta = answer.body["metadata"]
    assert (answer.status, meta["namespace"], answer.body["data"]) == (201, namespace, {"a": "b"})
    assert meta["uid"]
    assert meta["creationTimestamp"].endswith("Z")
    assert int(meta["resourceVersion"]) > 0
    assert "generation" not in meta


def test_what_is_created_can_be_read(api: Client, config_maps: str) -> None:
    created = api.post(config_maps, config_map()).body
    assert api.get(f"{config_maps}/a").body == created


def test_a_body_may_leave_kind_and_version_out(api: Client, config_maps: str) -> None:
    answer = api.post(config_maps, {"metadata": {"name": "a"}})
    assert (answer.status, answer.body["kind"], answer.body["apiVersion"]) == (201, "ConfigMap", "v1")


def test_a_second_object_of_the_same_name_is_refused(api: Client, config_maps: str) -> None:
    api.post(config_maps, config_map())
    answer = api.post(config_maps, config_map())
    assert (answer.status, answer.reason) == (409, "AlreadyExists")
    assert answer.message == 'configmaps "a" already exists'


def test_names_are_generated(api: Client, config_maps: str) -> None:
    names = {
        api.post(config_maps, {"metadata": {"generateName": "made-"}}).body["metadata"]["name"] for _ in range(3)
    }  # fmt: skip
    assert len(names) == 3
    assert all(name.startswith("made-") and len(name) == 10 for name in names)


def test_an_object_that_is_not_there_is_named(api: Client, deployments: str) -> None:
    answer = api.get(f"{deployments}/zz")
    assert (answer.status, answer.reason, answer.message) == (404, "NotFound", 'deployments.apps "zz" not found')
    assert answer.body["details"] == {"name": "zz", "group": "apps", "kind": "deployments"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/namespaces/default/nothings", 404),
        ("GET", "/apis/nothing.example/v1/things", 404),
        ("PUT", "/api/v1/namespaces/default/configmaps", 405),
        ("POST", "/api/v1/namespaces/default/configmaps/a", 405),
        ("GET", "/api/v1/namespaces/default/configmaps/a/status", 404),
    ],
)
def test_what_is_not_served(api: Client, method: str, path: str, status: int) -> None:
    assert api.request(method, path, {} if method != "GET" else None).status == status


@pytest.mark.parametrize(
    "body",
    [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "elsewhere"}},
        {"metadata": {"name": "a"}, "data": {"a": 1}},
        {"metadata": {"name": "a"}, "data": ["a"]},
        [],
        b'{"a',
        b"",
    ],
)
def test_a_body_that_is_no_such_object_is_a_bad_request(api: Client, config_maps: str, body: object) -> None:
    answer = api.post(config_maps, body)
    assert (answer.status, answer.reason) == (400, "BadRequest")


def test_a_body_in_another_format_is_refused(api: Client, config_maps: str) -> None:
    answer = api.request("POST", config_maps, b"a=b", Content_Type="application/x-www-form-urlencoded")
    assert (answer.status, answer.reason) == (415, "UnsupportedMediaType")


def test_a_new_object_names_no_resource_version(api: Client, config_maps: str) -> None:
    assert api.post(config_maps, config_map(resourceVersion="5")).status == 500


def test_an_update_replaces_and_counts_versions(api: Client, config_maps: str) -> None:
    first = api.post(config_maps, config_map(data={"a": "1"})).body
    second = api.put(f"{config_maps}/a", config_map(data={"b": "2"})).body
    assert second["data"] == {"b": "2"}
    assert second["metadata"]["uid"] == first["metadata"]["uid"]
    assert int(second["metadata"]["resourceVersion"]) > int(first["metadata"]["resourceVersion"])


def test_an_update_that_changes_nothing_is_not_written(api: Client, config_maps: str) -> None:
    first = api.post(config_maps, config_map(data={"a": "1"})).body
    assert api.put(f"{config_maps}/a", config_map(data={"a": "1"})).body == first


def test_an_update_of_an_older_version_is_a_conflict(api: Client, config_maps: str) -> None:
    first = api.post(config_maps, config_map()).body
    api.put(f"{config_maps}/a", config_map(data={"a": "1"}))
    answer = api.put(f"{config_maps}/a", first)
    assert (answer.status, answer.reason) == (409, "Conflict")
    assert answer.message == (
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to '
        "the latest version and try again"
    )


def test_an_update_of_another_uid_is_a_conflict(api: Client, config_maps: str) -> None:
    api.post(config_maps, config_map())
    answer = api.put(f"{config_maps}/a", config_map(uid="00000000-0000-0000-0000-000000000000"))
    assert (answer.status, answer.reason) == (409, "Conflict")


def test_an_update_under_another_name_is_refused(api: Client, config_maps: str) -> None:
    api.post(config_maps, config_map())
    answer = api.put(f"{config_maps}/a", config_map("b"))
    assert (answer.status, answer.message) == (
        400,
        "the name of the object (b) does not match the name on the URL (a)",
    )


def test_an_update_creates_nothing(api: Client, config_maps: str) -> None:
    assert api.put(f"{config_maps}/a", config_map()).status == 404


def test_a_dry_run_writes_nothing(api: Client, config_maps: str) -> None:
    answer = api.post(f"{config_maps}?dryRun=All", config_map())
    assert (answer.status, answer.body["metadata"]["name"]) == (201, "a")
    assert "resourceVersion" not in answer.body["metadata"]
    assert api.get(f"{config_maps}/a").status == 404


def test_a_deleted_object_is_gone(api: Client, config_maps: str) -> None:
    uid = api.post(config_maps, config_map()).body["metadata"]["uid"]
    answer = api.delete(f"{config_maps}/a")
    assert (answer.status, answer.body["status"]) == (200, "Success")
    assert answer.body["details"] == {"name": "a", "kind": "configmaps", "uid": uid}
    assert api.get(f"{config_maps}/a").status == 404
    assert api.delete(f"{config_maps}/a").status == 404


@pytest.mark.parametrize("wanted", [{"uid": "other"}, {"resourceVersion": "1"}])
def test_a_deletion_may_name_what_it_means(api: Client, config_maps: str, wanted: Object) -> None:
    meta = api.post(config_maps, config_map()).body["metadata"]
    answer = api.delete(f"{config_maps}/a", {"preconditions": wanted})
    assert (answer.status, answer.reason) == (409, "Conflict")
    assert "precondition" in answer.message
    right = {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}
    assert api.delete(f"{config_maps}/a", {"preconditions": right}).status == 200


def test_a_dry_deletion_deletes_nothing(api: Client, config_maps: str) -> None:
    api.post(config_maps, config_map())
    assert api.delete(f"{config_maps}/a?dryRun=All").status == 200
    assert api.get(f"{config_maps}/a").status == 200


def test_an_object_with_a_finalizer_waits(api: Client, config_maps: str) -> None:
    api.post(config_maps, config_map(finalizers=["example.com/wait"]))
    answer = api.delete(f"{config_maps}/a")
    assert answer.status == 200
    waiting = api.get(f"{config_maps}/a").body["metadata"]
    assert (waiting["deletionTimestamp"], waiting["deletionGracePeriodSeconds"]) == (
        answer.body["metadata"]["deletionTimestamp"],
        0,
    )
    again = api.patch(f"{config_maps}/a", {"metadata": {"finalizers": ["example.com/wait", "example.com/more"]}})
    assert (again.status, again.causes[0]) == (422, ("metadata.finalizers", "FieldValueForbidden"))
    assert api.patch(f"{config_maps}/a", {"metadata": {"finalizers": None}}).status == 200
    assert api.get(f"{config_maps}/a").status == 404


def test_a_collection_is_deleted_by_its_labels(api: Client, config_maps: str) -> None:
    for name, colour in (("a", "red"), ("b", "blue"), ("c", "red")):
        api.post(config_maps, config_map(name, labels={"colour": colour}))
    answer = api.delete(f"{config_maps}?labelSelector=colour%3Dred")
    assert answer.status == 200
    assert [item["metadata"]["name"] for item in answer.body["items"]] == ["a", "c"]
    names = [item["metadata"]["name"] for item in api.get(config_maps).body["items"]]
    assert "b" in names
    assert not {"a", "c"} & set(names)


def _owned(owner: Object, name: str, *, blocks: bool = False) -> Object:
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": owner["metadata"]["name"]}
    reference |= {"uid": owner["metadata"]["uid"], "blockOwnerDeletion": blocks}
    return config_map(name, ownerReferences=[reference])


def test_what_an_object_owns_goes_with_it(api: Client, config_maps: str) -> None:
    owner = api.post(config_maps, config_map("owner")).body
    api.post(config_maps, _owned(owner, "owned"))
    api.post(config_maps, config_map("other"))
    api.delete(f"{config_maps}/owner", {"propagationPolicy": "Background"})
    eventually(lambda: api.get(f"{config_maps}/owned").status == 404)
    assert api.get(f"{config_maps}/other").status == 200


def test_orphans_stay(api: Client, config_maps: str) -> None:
    owner = api.post(config_maps, config_map("owner")).body
    api.post(config_maps, _owned(owner, "owned"))
    api.delete(f"{config_maps}/owner", {"propagationPolicy": "Orphan"})
    eventually(lambda: api.get(f"{config_maps}/owner").status == 404)
    assert "ownerReferences" not in api.get(f"{config_maps}/owned").body["metadata"]


def test_an_owner_waits_for_what_it_owns_in_the_foreground(api: Client, config_maps: str) -> None:
    owner = api.post(config_maps, config_map("owner")).body
    api.post(config_maps, _owned(owner, "owned", blocks=True))
    answer = api.delete(f"{config_maps}/owner", {"propagationPolicy": "Foreground"})
    assert answer.body["metadata"]["finalizers"] == ["foregroundDeletion"]
    eventually(lambda: api.get(f"{config_maps}/owner").status == 404)
    assert api.get(f"{config_maps}/owned").status == 404


def test_only_changes_of_what_is_wanted_count_as_generations(api: Client, namespace: str) -> None:
    path = f"/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies"
    body: Object = {"metadata": {"name": "a"}, "spec": {"podSelector": {}}}
    assert api.post(path, body).body["metadata"]["generation"] == 1
    assert api.patch(f"{path}/a", {"metadata": {"labels": {"a": "b"}}}).body["metadata"]["generation"] == 1
    changed = api.patch(f"{path}/a", {"spec": {"podSelector": {"matchLabels": {"a": "b"}}}})
    assert changed.body["metadata"]["generation"] == 2
