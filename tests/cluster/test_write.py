"""What only takes a moment in a cluster is waited for; what will not come is not."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deployer.cluster.connection import Connection, connect
from deployer.model import Action
from deployer.settings import ClusterSettings, FileSecret
from tests.cluster.bring import INVENTORY, bring
from tests.cluster.conftest import kubeconfig_for
from tests.cluster.objects import config_map, definition, thing
from tests.cluster.scripted import Reply, Request, ScriptedServer

GROUP = "example.com"
CRD = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gadgets.{GROUP}"
GADGET = f"/apis/{GROUP}/v1/namespaces/shop/gadgets/one"
HEADS = "/api/v1/namespaces/shop/configmaps"
HEAD = f"{HEADS}/{INVENTORY}"
OVERLAY = [definition("gadgets", "Gadget", GROUP), thing(f"{GROUP}/v1", "Gadget", "one")]
NOT_FOUND = Reply(404, b"404 page not found")


def conditions(**states: tuple[str, str]) -> Reply:
    listed = [{"type": name, "status": state, "message": said} for name, (state, said) in states.items()]
    return Reply(body={"metadata": {"resourceVersion": "2"}, "status": {"conditions": listed}})


def kinds(*entries: tuple[str, str, bool]) -> Reply:
    return Reply(body={"resources": [{"name": n, "kind": k, "namespaced": ns} for n, k, ns in entries]})


class Cluster:
    """Replies by method and path: one after the other, the last for ever."""

    def __init__(self) -> None:
        self.replies: dict[tuple[str, str], Iterator[Reply]] = {}
        self.answer("GET", "/api/v1", kinds(("configmaps", "ConfigMap", True)))
        self.answer(
            "GET",
            "/apis/apiextensions.k8s.io/v1",
            kinds(("customresourcedefinitions", "CustomResourceDefinition", False)),
        )
        self.answer("GET", f"/apis/{GROUP}/v1", kinds(("gadgets", "Gadget", True)))
        self.answer("GET", HEAD, NOT_FOUND, Reply(body={"metadata": {"resourceVersion": "1"}}))
        written = {"metadata": {"resourceVersion": "1"}}
        self.answer("POST", HEADS, Reply(201, written))
        self.answer("PATCH", HEAD, Reply(200, written))
        self.answer("PATCH", CRD, Reply(201, {"metadata": {"resourceVersion": "1"}}))
        self.answer("GET", CRD, conditions(Established=("True", "")))
        self.answer("PATCH", GADGET, Reply(201, {"metadata": {"resourceVersion": "1"}}))

    def answer(self, method: str, path: str, *replies: Reply) -> None:
        self.replies[method, path] = itertools.chain(replies, itertools.repeat(replies[-1]))

    def __call__(self, request: Request) -> Reply:
        return next(self.replies.get((request.method, request.path), iter([NOT_FOUND])))


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def server(cluster: Cluster) -> Iterator[ScriptedServer]:
    with ScriptedServer(cluster) as running:
        yield running


@pytest.fixture
def asked(server: ScriptedServer, to_kubeconfig: Callable[..., ClusterSettings]) -> Iterator[Connection]:
    with connect(to_kubeconfig(kubeconfig_for(server.url))) as made:
        yield made


def run(connection: Connection, overlay: list[Any] = OVERLAY) -> list[tuple[Action, str]]:
    results = bring(connection, overlay, namespace="shop", force=True, settle=1)
    return [(result.action, result.message) for result in results]


def count(server: ScriptedServer, method: str, path: str) -> int:
    return sum((request.method, request.path) == (method, path) for request in server.requests)


def test_a_definition_is_waited_for_until_it_is_established(
    cluster: Cluster, server: ScriptedServer, asked: Connection
) -> None:
    cluster.answer("GET", CRD, conditions(), conditions(Established=("True", "")))

    assert run(asked) == [(Action.CREATED, "")] * 2
    order = [(request.method, request.path) for request in server.requests]
    assert order.count(("GET", CRD)) == 2
    assert order.index(("PATCH", GADGET)) > max(at for at, each in enumerate(order) if each == ("GET", CRD))


def test_a_definition_is_waited_for_until_its_kind_is_served(
    cluster: Cluster, server: ScriptedServer, asked: Connection
) -> None:
    cluster.answer("GET", f"/apis/{GROUP}/v1", NOT_FOUND, NOT_FOUND, kinds(("gadgets", "Gadget", True)))

    assert run(asked) == [(Action.CREATED, "")] * 2
    assert count(server, "GET", f"/apis/{GROUP}/v1") == 3


def test_a_definition_that_is_never_served_fails_in_the_end(cluster: Cluster, asked: Connection) -> None:
    cluster.answer("GET", f"/apis/{GROUP}/v1", NOT_FOUND)

    (first, second) = run(asked)

    assert first[0] is Action.FAILED
    assert "does not serve example.com/v1 Gadget yet" in first[1]
    assert second == (Action.SKIPPED, f"needs {OVERLAY[0].ref}, which failed")


def test_a_definition_whose_names_are_taken_fails_at_once(
    cluster: Cluster, server: ScriptedServer, asked: Connection
) -> None:
    taken = conditions(NamesAccepted=("False", '"Gadget" is already in use'), Established=("False", "not all names"))
    cluster.answer("GET", CRD, taken)

    (first, _) = run(asked)

    assert first == (Action.FAILED, 'not established: "Gadget" is already in use; not all names')
    assert count(server, "GET", CRD) == 1


def test_a_custom_resource_that_is_not_served_yet_is_tried_again(
    cluster: Cluster, server: ScriptedServer, asked: Connection
) -> None:
    cluster.answer("PATCH", GADGET, NOT_FOUND, NOT_FOUND, Reply(201, {}))

    assert run(asked) == [(Action.CREATED, "")] * 2
    assert count(server, "PATCH", GADGET) == 3


def test_what_is_not_found_for_no_such_reason_is_not_tried_again(server: ScriptedServer, asked: Connection) -> None:
    assert run(asked, [config_map("a")]) == [(Action.FAILED, "404 page not found")]
    assert count(server, "PATCH", "/api/v1/namespaces/shop/configmaps/a") == 1


def test_an_object_that_someone_wrote_at_the_same_moment_is_tried_again(
    cluster: Cluster, server: ScriptedServer, asked: Connection
) -> None:
    path = "/api/v1/namespaces/shop/configmaps/a"
    cluster.answer("PATCH", path, Reply(409, {"reason": "Conflict", "message": "has been modified"}), Reply(201, {}))

    assert run(asked, [config_map("a")]) == [(Action.CREATED, "")]
    assert count(server, "PATCH", path) == 2


@pytest.mark.real_cluster
def test_a_real_definition_whose_names_are_taken_fails_with_the_reason(real_kubeconfig: Path) -> None:
    group = f"g{secrets.token_hex(3)}.example.com"
    with connect(ClusterSettings(kubeconfig=FileSecret(file=real_kubeconfig))) as connection:
        bring(connection, [definition("gadgets", "Gadget", group)], namespace="default", force=True)
        result, _ = bring(connection, [definition("others", "Gadget", group)], namespace="default", force=True)

        connection.request("DELETE", f"/api/v1/namespaces/default/configmaps/{INVENTORY}")
        for plural in ("gadgets", "others"):
            path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
            assert connection.request("DELETE", f"{path}/{plural}.{group}").status == 200
    assert result.action is Action.FAILED
    assert "is already in use" in result.message
