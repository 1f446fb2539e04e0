"""The ConfigMap that heads a set: who writes it first, and what is made of one that is not as it should be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deployer.cluster.applyset import Inventory, Stamp
from deployer.cluster.change import Verdict
from deployer.cluster.connection import Connection, connect
from deployer.cluster.inventory import Keeper, Overtaken
from deployer.model import PART_OF, Action, Permanent, Temporary
from deployer.settings import ClusterSettings
from tests.cluster.bring import INVENTORY, bring, planned, scope
from tests.cluster.conftest import QUICK
from tests.cluster.objects import config_map, deployment
from tests.cluster.scripted import FaultyProxy, Reply, Request, Reset

MERGE = "application/merge-patch+json"
FIRST = Inventory(frozenset({"ConfigMap"}), stamp=Stamp("c" * 40, "first"), fence=7)
PREFIX = "applyset.kubernetes.io"


@pytest.fixture
def head(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps/{INVENTORY}"


def there(connection: Connection, path: str) -> bool:
    return connection.request("GET", path).status == 200


def test_of_two_that_write_the_first_head_one_is_overtaken(connection: Connection, namespace: str) -> None:
    keeper = Keeper(connection, scope(namespace))
    keeper.write(FIRST)

    with pytest.raises(Overtaken, match="written by somebody else meanwhile"):
        keeper.write(Inventory(frozenset({"Secret"}), fence=5))

    assert keeper.read() == FIRST


def test_a_stale_worker_of_a_first_deployment_writes_nothing(connection: Connection, namespace: str) -> None:
    slept: list[int] = []

    def newer_one_comes() -> None:
        if not slept:
            slept.append(1)
            bring(connection, [config_map("a", x="new"), deployment("web")], namespace=namespace, fence=9)

    with pytest.raises(Temporary, match="written by somebody else meanwhile"):
        bring(connection, [config_map("a", x="stale")], namespace=namespace, fence=5, check=newer_one_comes)

    live: Any = connection.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/a").body
    assert live["data"] == {"x": "new"}
    assert Keeper(connection, scope(namespace)).read().kinds == {"ConfigMap", "Deployment.apps"}


@pytest.mark.parametrize(
    "fault",
    [Reply(429, headers={"Retry-After": "0"}), Reply(500), Reply(503), Reset()],
    ids=["429", "500", "503", "reset"],
)
def test_a_first_head_that_did_not_get_through_is_written_again(
    kubeconfig: Path, namespace: str, to_kubeconfig: Callable[..., ClusterSettings], fault: Reply | Reset
) -> None:
    with FaultyProxy(kubeconfig, method="POST") as proxy:
        proxy.faults = [fault, fault]
        with connect(to_kubeconfig(proxy.document), patience=QUICK) as through:
            written = Keeper(through, scope(namespace)).write(FIRST)

            assert Keeper(through, scope(namespace)).read().version == written.version
        assert proxy.faults == []


def test_a_first_head_that_got_through_without_an_answer_is_recognized(
    kubeconfig: Path, namespace: str, connection: Connection, to_kubeconfig: Callable[..., ClusterSettings]
) -> None:
    def carry_out_and_hang_up(request: Request) -> Reset | None:
        if request.method != "POST":
            return None
        path = f"/api/v1/namespaces/{namespace}/configmaps"
        assert connection.request("POST", path, body=json.loads(request.body)).status == 201
        return Reset()

    with FaultyProxy(kubeconfig) as proxy, connect(to_kubeconfig(proxy.document), patience=QUICK) as through:
        proxy.trouble = carry_out_and_hang_up
        written = Keeper(through, scope(namespace)).write(FIRST)

    assert written == FIRST
    assert Keeper(connection, scope(namespace)).read().version == written.version


def test_a_first_head_that_never_gets_through_ends_in_the_fault(
    kubeconfig: Path, namespace: str, to_kubeconfig: Callable[..., ClusterSettings]
) -> None:
    with FaultyProxy(kubeconfig) as proxy, connect(to_kubeconfig(proxy.document), patience=QUICK) as through:
        proxy.trouble = lambda request: Reply(503) if request.method == "POST" else None
        with pytest.raises(Temporary, match="HTTP 503"):
            Keeper(through, scope(namespace)).write(FIRST)
        assert sum(request.method == "POST" for request in proxy.requests) == 5


@pytest.mark.parametrize(
    ("damage", "missing"),
    [
        ({"annotations": None}, f"no annotation {PREFIX}/tooling, no annotation {PREFIX}/contains-group-kinds"),
        ({"annotations": {f"{PREFIX}/contains-group-kinds": None}}, f"no annotation {PREFIX}/contains-group-kinds"),
        (
            {"annotations": {f"{PREFIX}/additional-namespaces": None}},
            f"no annotation {PREFIX}/additional-namespaces",
        ),
        ({"labels": None}, f"no label {PREFIX}/id=applyset-"),
        ({"labels": {f"{PREFIX}/id": "applyset-other-v1"}}, f"no label {PREFIX}/id=applyset-"),
    ],
    ids=["annotations", "kinds", "namespaces", "labels", "id"],
)
def test_a_damaged_head_is_refused_with_what_it_lacks_and_a_remedy(
    connection: Connection, namespace: str, head: str, damage: dict[str, Any], missing: str
) -> None:
    bring(connection, [config_map("a"), deployment("web")], namespace=namespace)
    connection.request("PATCH", head, body={"metadata": damage}, content_type=MERGE)

    with pytest.raises(Permanent, match="has the inventory's name, but no ") as refused:
        bring(connection, [config_map("a", x="new")], namespace=namespace)

    assert missing in refused.value.message
    assert f"kubectl delete configmap {INVENTORY} --namespace {namespace}" in refused.value.message
    assert there(connection, f"/apis/apps/v1/namespaces/{namespace}/deployments/web")
    live: Any = connection.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/a").body
    assert "data" not in live or not live["data"]


def test_somebody_elses_config_map_of_that_name_is_not_taken_over(
    connection: Connection, namespace: str, head: str
) -> None:
    body = {"metadata": {"name": INVENTORY}, "data": {"theirs": "1"}}
    connection.request("POST", f"/api/v1/namespaces/{namespace}/configmaps", body=body)  # type: ignore[arg-type]

    with pytest.raises(Permanent, match="If it is somebody else's, rename the environment"):
        bring(connection, [config_map("a")], namespace=namespace)

    live: Any = connection.request("GET", head).body
    assert (live["data"], live["metadata"].get("annotations")) == ({"theirs": "1"}, None)


def test_the_head_itself_cannot_be_in_the_overlay(connection: Connection, namespace: str, head: str) -> None:
    overlay = [config_map(INVENTORY, x="1"), config_map("a")]

    told = {change.ref.name: change for change in planned(connection, overlay, namespace=namespace).changes}
    results = bring(connection, overlay, namespace=namespace)

    assert told[INVENTORY].verdict is Verdict.REFUSE
    assert told[INVENTORY].note == "has the name of this environment's inventory; give it another"
    assert [result.action for result in results] == [Action.FAILED, Action.CREATED]
    live: Any = connection.request("GET", head).body
    assert "data" not in live


def test_a_head_that_carries_its_own_label_is_not_deleted(connection: Connection, namespace: str, head: str) -> None:
    bring(connection, [config_map("a")], namespace=namespace)
    body = {"metadata": {"labels": {f"{PREFIX}/part-of": scope(namespace).id}}}
    connection.request("PATCH", head, body=body, content_type=MERGE)

    results = bring(connection, [config_map("a")], namespace=namespace)

    assert [result.action for result in results] == [Action.UNCHANGED]
    assert there(connection, head)


@pytest.mark.parametrize("name", ["deployer.production.acme-shop", "other-set"])
def test_what_heads_another_set_is_neither_written_nor_deleted(
    connection: Connection, namespace: str, name: str
) -> None:
    """An environment that shares a namespace with another one could else make it forget its objects."""
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    labels = {"applyset.kubernetes.io/id": "applyset-other-v1", PART_OF: scope(namespace).id}
    body: Any = {"metadata": {"name": name, "labels": labels}}
    connection.request("POST", path, body=body)

    (result,) = bring(connection, [config_map(name, x="1")], namespace=namespace)
    assert result.action is Action.FAILED
    assert "heads a set of objects" in result.message
    results = bring(connection, [config_map("a", x="1")], namespace=namespace)

    assert {one.ref.name: one.action for one in results} == {"a": Action.CREATED, name: Action.KEPT}
    assert connection.request("GET", f"{path}/{name}").status == 200


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        ("applyset.kubernetes.io/contains-group-kinds", "X.../api/v1/namespaces/kube-system/secrets"),
        ("applyset.kubernetes.io/contains-group-kinds", "X.a/b"),
        ("deployer/fence", "9" * 5000),
        ("deployer/fence", "-1"),
    ],
)
def test_a_head_that_says_what_no_head_says_is_refused(
    connection: Connection, namespace: str, annotation: str, value: str
) -> None:
    bring(connection, [config_map("a", x="1")], namespace=namespace)
    keeper = Keeper(connection, scope(namespace))
    body: Any = {"metadata": {"annotations": {annotation: value}}}
    connection.request("PATCH", keeper.path, body=body, content_type="application/merge-patch+json")

    with pytest.raises(Permanent, match="no proper annotation"):
        keeper.read()
