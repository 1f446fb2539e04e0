"""An apply through a proxy that fails now and then, to a sandbox cluster and to a real API server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deployer.cluster.connection import Connection, connect
from deployer.model import Action, ObjectResult, Temporary
from deployer.settings import ClusterSettings
from tests.cluster.bring import INVENTORY, bring
from tests.cluster.conftest import QUICK
from tests.cluster.objects import config_map, deployment
from tests.cluster.scripted import FaultyProxy, Reply, Request, Reset


@pytest.fixture
def proxy(kubeconfig: Path) -> Iterator[FaultyProxy]:
    with FaultyProxy(kubeconfig) as running:
        yield running


@pytest.fixture
def through(proxy: FaultyProxy, to_kubeconfig: Callable[..., ClusterSettings]) -> Iterator[Connection]:
    with connect(to_kubeconfig(proxy.document), patience=QUICK) as connection:
        yield connection


@pytest.mark.parametrize(
    "fault",
    [Reply(429, headers={"Retry-After": "0"}), Reply(500), Reply(503), Reply(401), Reset()],
    ids=["429", "500", "503", "401", "reset"],
)
def test_an_apply_converges_through_faults(
    proxy: FaultyProxy, through: Connection, namespace: str, fault: Reply | Reset
) -> None:
    proxy.faults = [fault]
    overlay = [config_map("a", x="1"), config_map("b", x="1"), deployment("web")]

    results = bring(through, overlay, namespace=namespace, force=True)

    assert [result.action for result in results] == [Action.CREATED] * 3, results
    assert proxy.faults == []


def test_a_cluster_that_goes_away_ends_the_apply_and_what_was_done_is_told(
    proxy: FaultyProxy, through: Connection, namespace: str
) -> None:
    told: list[ObjectResult] = []

    def check() -> None:
        if told:
            proxy.faults = [Reply(503)] * QUICK.attempts

    with pytest.raises(Temporary, match="HTTP 503"):
        bring(
            through,
            [config_map("a", x="1"), deployment("web")],
            namespace=namespace,
            force=True,
            on_result=told.append,
            check=check,
        )

    assert [result.action for result in told] == [Action.CREATED]


def test_what_was_being_written_when_another_write_ended_the_apply_is_told_as_well(
    proxy: FaultyProxy, through: Connection, namespace: str
) -> None:
    told: list[ObjectResult] = []
    refused = threading.Semaphore(0)

    def trouble(request: Request) -> Reply | None:
        if request.method == "PATCH" and request.path.endswith("/configmaps/bad"):
            refused.release()
            return Reply(503)
        if request.method == "PATCH" and request.path.endswith("/configmaps/slow"):
            for _ in range(QUICK.attempts):
                refused.acquire(timeout=5)
            time.sleep(0.1)
        return None

    proxy.trouble = trouble
    overlay = [config_map("bad", x="1"), config_map("slow", x="1")]
    with pytest.raises(Temporary, match="HTTP 503"):
        bring(through, overlay, namespace=namespace, force=True, on_result=told.append)

    assert [(result.ref.name, result.action) for result in told] == [("slow", Action.CREATED)]


def test_one_list_for_each_kind_answers_what_is_unchanged(
    proxy: FaultyProxy, through: Connection, namespace: str
) -> None:
    overlay = [config_map(f"c{number}", x="1") for number in range(20)] + [deployment("web")]
    bring(through, overlay, namespace=namespace, force=True)
    first = len(proxy.requests)

    bring(through, overlay, namespace=namespace, force=True)

    configmaps = f"/api/v1/namespaces/{namespace}/configmaps"
    assert {(request.method, request.path) for request in proxy.requests[first:]} == {
        ("GET", configmaps),
        ("GET", f"{configmaps}/{INVENTORY}"),
        ("GET", f"/apis/apps/v1/namespaces/{namespace}/deployments"),
    }
    assert len(proxy.requests) - first == 3


def test_a_first_apply_asks_for_no_object_before_it_writes_it(
    proxy: FaultyProxy, through: Connection, namespace: str
) -> None:
    bring(through, [config_map(f"c{number}", x="1") for number in range(20)], namespace=namespace, force=True)

    asked = [request.path for request in proxy.requests if request.method == "GET"]
    configmaps = f"/api/v1/namespaces/{namespace}/configmaps"
    assert sorted(asked) == ["/api/v1", configmaps, configmaps, f"{configmaps}/{INVENTORY}"]
    assert len(proxy.requests) - len(asked) == 22, "twenty objects, and the head before and after them"
