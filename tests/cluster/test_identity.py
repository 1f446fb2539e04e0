"""An object that the API has under several names is one object: what git still names is never deleted."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deployer.cluster.connection import Connection, connect
from deployer.model import Action, Failure, Manifest, ObjectRef, ObjectResult, Permanent, Temporary
from deployer.settings import ClusterSettings, FileSecret
from tests.cluster.bring import INVENTORY, bring, planned, scope
from tests.cluster.conftest import QUICK, kubeconfig_for
from tests.cluster.objects import config_map, definition, manifest, thing
from tests.cluster.scripted import Reply, Request, ScriptedServer


@pytest.fixture
def other_version(connection: Connection) -> str:
    """A version of autoscaling beside v1 that the cluster serves, too."""
    served: Any = connection.request("GET", "/apis/autoscaling").body
    return next(v["groupVersion"] for v in served["versions"] if v["groupVersion"] in _BESIDE_V1)


_BESIDE_V1 = ("autoscaling/v2", "autoscaling/v2beta2")


def autoscaler(name: str, *, version: str = "autoscaling/v1", most: int = 3) -> Manifest:
    scaled = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    return thing(
        version,
        "HorizontalPodAutoscaler",
        name,
        spec={"minReplicas": 1, "maxReplicas": most, "scaleTargetRef": scaled},
    )


def actions(results: tuple[ObjectResult, ...]) -> dict[str, Action]:
    return {result.ref.name: result.action for result in results}


def uids(connection: Connection, path: str) -> dict[str, str]:
    body: Any = connection.request("GET", path).body
    return {item["metadata"]["name"]: item["metadata"]["uid"] for item in body["items"]}


def test_objects_of_a_kind_in_two_versions_are_all_left_alone(
    connection: Connection, namespace: str, other_version: str
) -> None:
    overlay = [autoscaler("a"), autoscaler("b", version=other_version)]
    path = f"/apis/autoscaling/v1/namespaces/{namespace}/horizontalpodautoscalers"
    bring(connection, overlay, namespace=namespace)
    before = uids(connection, path)

    for _ in range(2):
        results = bring(connection, overlay, namespace=namespace)
        assert actions(results) == {"a": Action.UNCHANGED, "b": Action.UNCHANGED}
    assert uids(connection, path) == before
    assert before.keys() == {"a", "b"}


def test_an_object_that_moves_to_another_version_stays_the_same_one(
    connection: Connection, namespace: str, other_version: str
) -> None:
    path = f"/apis/autoscaling/v1/namespaces/{namespace}/horizontalpodautoscalers"
    bring(connection, [autoscaler("a"), autoscaler("b")], namespace=namespace)
    before = uids(connection, path)

    results = bring(connection, [autoscaler("a", version=other_version), autoscaler("b")], namespace=namespace)

    assert Action.DELETED not in actions(results).values()
    assert uids(connection, path) == before


def test_what_left_git_goes_once_though_two_versions_list_it(
    connection: Connection, namespace: str, other_version: str
) -> None:
    kept = [autoscaler("a"), autoscaler("b", version=other_version)]
    bring(connection, [*kept, autoscaler("c")], namespace=namespace)

    plan = planned(connection, kept, namespace=namespace)
    results = bring(connection, kept, namespace=namespace)

    assert (len(plan.going), plan.size) == (1, 3)
    assert [result.ref.name for result in results if result.action is Action.DELETED] == ["c"]
    path = f"/apis/autoscaling/v1/namespaces/{namespace}/horizontalpodautoscalers"
    assert uids(connection, path).keys() == {"a", "b"}


def test_two_versions_do_not_stretch_the_budget(connection: Connection, namespace: str, other_version: str) -> None:
    kept = [autoscaler("a"), autoscaler("b", version=other_version)]
    gone = [autoscaler(f"g{number}") for number in range(10)]
    bring(connection, [*kept, *gone], namespace=namespace)

    with pytest.raises(Permanent, match="would delete 10 of 12 objects"):
        bring(connection, kept, namespace=namespace)


def test_one_object_in_two_versions_is_refused_before_anything_is_there(
    connection: Connection, namespace: str, other_version: str
) -> None:
    overlay = [autoscaler("a"), autoscaler("a", version=other_version)]

    with pytest.raises(Permanent, match=f"{namespace}/a .as autoscaling/v1 and as {other_version}.; keep one"):
        bring(connection, overlay, namespace=namespace)

    assert connection.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/{INVENTORY}").status == 404


@pytest.fixture
def group() -> str:
    return f"g{secrets.token_hex(3)}.example.com"


@pytest.fixture
def custom(sandbox_kubeconfig: Path, group: str) -> Iterator[tuple[Connection, list[str]]]:
    """A cluster that stores custom resources, and two namespaces of it."""
    names = [f"test-{secrets.token_hex(4)}" for _ in range(2)]
    with connect(ClusterSettings(kubeconfig=FileSecret(file=sandbox_kubeconfig))) as made:
        for name in names:
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            assert made.request("POST", "/api/v1/namespaces", body=body).status == 201
        yield made, names
        made.request("DELETE", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gadgets.{group}")
        for name in names:
            made.request("DELETE", f"/api/v1/namespaces/{name}")


def gadgets(group: str, *versions: str) -> Manifest:
    """A definition; the first version is the one that is stored."""
    made: Any = definition("gadgets", "Gadget", group).content
    (version,) = made["spec"]["versions"]
    listed = [{**version, "name": name, "storage": name == versions[0]} for name in versions]
    return manifest(made | {"spec": made["spec"] | {"versions": listed}})


def gadget(group: str, version: str, name: str, *, namespace: str) -> Manifest:
    return thing(f"{group}/{version}", "Gadget", name, namespace=namespace, spec={"size": 1})


def test_custom_resources_in_two_versions_are_all_left_alone(custom: tuple[Connection, list[str]], group: str) -> None:
    connection, (home, _) = custom
    before = [gadget(group, "v1beta1", name, namespace=home) for name in ("a", "b")]
    after = [gadgets(group, "v1", "v1beta1"), gadget(group, "v1", "a", namespace=home), before[1]]
    path = f"/apis/{group}/v1beta1/namespaces/{home}/gadgets"
    bring(connection, [gadgets(group, "v1beta1"), *before], namespace=home)
    there = uids(connection, path)

    first = bring(connection, after, namespace=home)
    second = bring(connection, after, namespace=home)

    assert uids(connection, path) == there
    assert actions(first)["b"] is Action.UNCHANGED
    assert set(actions(second).values()) == {Action.UNCHANGED}


def test_what_leaves_git_together_with_its_version_is_not_forgotten(
    custom: tuple[Connection, list[str]], group: str
) -> None:
    connection, (home, other) = custom
    before = [gadget(group, "v1beta1", "a", namespace=home), gadget(group, "v1beta1", "far", namespace=other)]
    bring(connection, [gadgets(group, "v1beta1"), *before], namespace=home)

    results = bring(
        connection, [gadgets(group, "v1", "v1beta1"), gadget(group, "v1", "a", namespace=home)], namespace=home
    )

    assert actions(results)["far"] is Action.DELETED
    assert uids(connection, f"/apis/{group}/v1/namespaces/{home}/gadgets").keys() == {"a"}
    assert uids(connection, f"/apis/{group}/v1/namespaces/{other}/gadgets").keys() == set()


OLD = "extensions/v1beta1"
NEW = "networking.k8s.io/v1"


def ingress(version: str, name: str = "web") -> Manifest:
    old = {"backend": {"serviceName": "s", "servicePort": 80}}
    new = {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}}
    return thing(version, "Ingress", name, spec=old if version == OLD else new)


@pytest.fixture
def two_groups(real_kubeconfig: Path) -> Iterator[tuple[Connection, str]]:
    """A cluster that serves Ingress in two groups, and a namespace of it."""
    with connect(ClusterSettings(kubeconfig=FileSecret(file=real_kubeconfig))) as made:
        if made.request("GET", f"/apis/{OLD}").status != 200:
            pytest.skip("serves no Ingress in extensions any more")
        name = f"test-{secrets.token_hex(4)}"
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        assert made.request("POST", "/api/v1/namespaces", body=body).status == 201
        yield made, name
        made.request("DELETE", f"/api/v1/namespaces/{name}")


@pytest.mark.real_cluster
def test_an_object_that_moves_to_another_group_stays_the_same_one(two_groups: tuple[Connection, str]) -> None:
    connection, namespace = two_groups
    path = f"/apis/{NEW}/namespaces/{namespace}/ingresses"
    bring(connection, [ingress(OLD), config_map("a")], namespace=namespace)
    before = uids(connection, path)

    results = bring(connection, [ingress(NEW), config_map("a")], namespace=namespace)

    assert len(results) == 2
    assert Action.DELETED not in actions(results).values()
    assert uids(connection, path) == before
    assert actions(bring(connection, [config_map("a")], namespace=namespace))["web"] is Action.DELETED


def test_an_inventory_that_names_a_group_which_is_gone_is_still_found(connection: Connection, namespace: str) -> None:
    bring(connection, [ingress(NEW), config_map("a")], namespace=namespace)
    kinds = {"applyset.kubernetes.io/contains-group-kinds": "ConfigMap,Ingress.extensions"}
    path = f"/api/v1/namespaces/{namespace}/configmaps/{INVENTORY}"
    body: Any = {"metadata": {"annotations": kinds}}
    connection.request("PATCH", path, body=body, content_type="application/merge-patch+json")

    results = bring(connection, [config_map("a")], namespace=namespace)

    assert actions(results) == {"a": Action.UNCHANGED, "web": Action.DELETED}


@pytest.mark.real_cluster
def test_one_object_in_two_groups_is_refused(two_groups: tuple[Connection, str]) -> None:
    connection, namespace = two_groups
    overlay = [ingress(OLD), ingress(NEW)]

    first = bring(connection, overlay, namespace=namespace)

    assert {result.action for result in first} == {Action.CREATED, Action.FAILED}
    assert "is the same object as" in next(each.message for each in first if each.action is Action.FAILED)
    with pytest.raises(Permanent, match=f"as {OLD} and as {NEW}.; keep one"):
        bring(connection, overlay, namespace=namespace)


def test_what_turns_out_while_applying_to_be_an_object_of_git_is_not_deleted(
    to_kubeconfig: Callable[..., ClusterSettings],
) -> None:
    """The lists show it under its old group only: its label came a moment after the list of the new one."""
    head = _head("Ingress.extensions")
    live = {"metadata": {"name": "web", "namespace": "shop", "uid": "one", "resourceVersion": "5", **_labels()}}
    resources = {"resources": [{"name": "ingresses", "kind": "Ingress", "namespaced": True}]}
    replies = {
        ("GET", f"/api/v1/namespaces/shop/configmaps/{INVENTORY}"): head,
        ("PATCH", f"/api/v1/namespaces/shop/configmaps/{INVENTORY}"): head,
        ("GET", "/apis/extensions"): {"versions": [{"groupVersion": OLD}]},
        ("GET", f"/apis/{OLD}"): resources,
        ("GET", f"/apis/{NEW}"): resources,
        ("GET", f"/apis/{NEW}/namespaces/shop/ingresses"): {"kind": "IngressList", "items": []},
        ("GET", f"/apis/{OLD}/namespaces/shop/ingresses"): {"kind": "IngressList", "items": [live]},
        ("PATCH", f"/apis/{NEW}/namespaces/shop/ingresses/web"): live,
    }

    def answer(request: Request) -> Reply:
        found = replies.get((request.method, request.path))
        return Reply(200, found) if found is not None else Reply(404)

    with ScriptedServer(answer) as server, connect(to_kubeconfig(kubeconfig_for(server.url))) as connection:
        results = bring(connection, [ingress(NEW)], namespace="shop")

        assert [(result.ref, result.action) for result in results] == [
            (ObjectRef(NEW, "Ingress", "shop", "web"), Action.UPDATED)
        ]
        assert "DELETE" not in {request.method for request in server.requests}


def _labels() -> dict[str, Any]:
    return {"labels": {"applyset.kubernetes.io/part-of": scope("shop").id}}


def _head(*kinds: str) -> dict[str, Any]:
    prefix = "applyset.kubernetes.io"
    annotations = {
        f"{prefix}/tooling": "deployer/v1",
        f"{prefix}/contains-group-kinds": ",".join(kinds),
        f"{prefix}/additional-namespaces": "",
    }
    metadata = {"resourceVersion": "1", "labels": {f"{prefix}/id": scope("shop").id}, "annotations": annotations}
    return {"metadata": metadata}


@pytest.mark.parametrize(("status", "failure"), [(403, Permanent), (500, Temporary)])
def test_a_kind_that_may_not_be_asked_for_is_not_forgotten(
    to_kubeconfig: Callable[..., ClusterSettings], status: int, failure: type[Failure]
) -> None:
    def answer(request: Request) -> Reply:
        if request.path == "/apis/apps":
            return Reply(status)
        if request.path.endswith(INVENTORY):
            return Reply(200, _head("ConfigMap", "Deployment.apps"))
        if request.path == "/api/v1":
            return Reply(200, {"resources": [{"name": "configmaps", "kind": "ConfigMap", "namespaced": True}]})
        return Reply(200, {"kind": "ConfigMapList", "items": []})

    with (
        ScriptedServer(answer) as server,
        connect(to_kubeconfig(kubeconfig_for(server.url)), patience=QUICK) as connection,
    ):
        with pytest.raises(failure, match=f"/apis/apps: the API server answers HTTP {status}"):
            bring(connection, [config_map("a")], namespace="shop")
        assert {request.method for request in server.requests} == {"GET"}
