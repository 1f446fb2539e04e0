"""Namespaces: what needs them, and how they go; on both kinds of cluster."""

from __future__ import annotations

import pytest

from tests.sandbox.kubernetes.client import Client, eventually
from tests.sandbox.kubernetes.objects import config_map, deployment


def test_a_new_namespace_is_active(api: Client, namespace: str) -> None:
    body = api.get(f"/api/v1/namespaces/{namespace}").body
    assert body["status"] == {"phase": "Active"}
    assert body["spec"] == {"finalizers": ["kubernetes"]}


def test_nothing_is_created_without_its_namespace(api: Client) -> None:
    path = "/api/v1/namespaces/nowhere/configmaps"
    for answer in (api.post(path, config_map()), api.apply(f"{path}/a", config_map())):
        assert (answer.status, answer.message) == (404, 'namespaces "nowhere" not found')
        assert answer.body["details"] == {"name": "nowhere", "kind": "namespaces"}


def test_a_deleted_namespace_takes_everything_along(api: Client, namespace: str, config_maps: str) -> None:
    api.post(config_maps, config_map())
    answer = api.delete(f"/api/v1/namespaces/{namespace}")
    assert (answer.status, answer.body["status"]["phase"]) == (200, "Terminating")
    eventually(lambda: api.get(f"/api/v1/namespaces/{namespace}").status == 404, 30)
    assert api.get(f"{config_maps}/a").status == 404


def test_nothing_is_created_in_a_namespace_that_goes(api: Client, namespace: str, config_maps: str) -> None:
    api.post(config_maps, config_map(finalizers=["example.com/wait"]))
    api.delete(f"/api/v1/namespaces/{namespace}")
    answer = api.apply(f"{config_maps}/b", config_map("b"))
    assert (answer.status, answer.reason) == (403, "Forbidden")
    assert answer.message == (
        f'configmaps "b" is forbidden: unable to create new content in namespace {namespace} because it is being'
        " terminated"
    )
    assert answer.body["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    eventually(lambda: "deletionTimestamp" in api.get(f"{config_maps}/a").body["metadata"], 30)
    assert api.get(f"/api/v1/namespaces/{namespace}").body["status"]["phase"] == "Terminating"
    api.patch(f"{config_maps}/a", {"metadata": {"finalizers": None}})
    eventually(lambda: api.get(f"/api/v1/namespaces/{namespace}").status == 404, 60)


@pytest.mark.parametrize("name", ["default", "kube-system"])
def test_some_namespaces_stay(api: Client, name: str) -> None:
    answer = api.delete(f"/api/v1/namespaces/{name}")
    assert (answer.status, answer.reason) == (403, "Forbidden")


def test_a_namespace_that_is_gone_can_come_back(sandbox: Client) -> None:
    namespace = sandbox.make_namespace()
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    sandbox.post(path, deployment())
    sandbox.delete(f"/api/v1/namespaces/{namespace}")
    eventually(lambda: sandbox.get(f"/api/v1/namespaces/{namespace}").status == 404)
    assert sandbox.post("/api/v1/namespaces", {"metadata": {"name": namespace}}).status == 201
    assert sandbox.get(path).body["items"] == []


def test_a_namespace_is_labelled_with_its_name(sandbox: Client) -> None:
    """Since Kubernetes 1.21; the real API server at hand may be older."""
    name = sandbox.make_namespace()
    labels = sandbox.get(f"/api/v1/namespaces/{name}").body["metadata"]["labels"]
    assert labels == {"kubernetes.io/metadata.name": name}
