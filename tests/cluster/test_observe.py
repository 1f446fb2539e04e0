"""Lists in pages, from an API server that forgets the rest of one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from deployer.cluster.connection import connect
from deployer.cluster.observe import Found, labelled
from deployer.cluster.resources import Resource
from deployer.model import Temporary
from deployer.settings import ClusterSettings
from tests.cluster.conftest import kubeconfig_for
from tests.cluster.scripted import Reply, Request, ScriptedServer

MAPS = Resource("v1", "configmaps", namespaced=True)


def page(name: str, *, more: bool) -> Reply:
    metadata: dict[str, Any] = {"continue": "rest"} if more else {}
    return Reply(200, {"kind": "ConfigMapList", "metadata": metadata, "items": [{"metadata": {"name": name}}]})


def listed(server: ScriptedServer, to_kubeconfig: Callable[..., ClusterSettings]) -> Found:
    with connect(to_kubeconfig(kubeconfig_for(server.url))) as connection, ThreadPoolExecutor(1) as threads:
        return labelled(connection, [(MAPS, "shop")], selector="a=b", threads=threads)


def test_a_list_whose_rest_is_forgotten_is_begun_anew(to_kubeconfig: Callable[..., ClusterSettings]) -> None:
    replies = [page("old", more=True), Reply(410), page("a", more=True), page("b", more=False)]

    with ScriptedServer(lambda _: replies.pop(0)) as server:
        found = listed(server, to_kubeconfig)

    assert [path.rpartition("/")[2] for path in found] == ["a", "b"]


def test_a_list_whose_rest_is_always_forgotten_is_given_up_for_now(
    to_kubeconfig: Callable[..., ClusterSettings],
) -> None:
    def answer(request: Request) -> Reply:
        return Reply(410) if "continue=" in request.target else page("a", more=True)

    with ScriptedServer(answer) as server:
        with pytest.raises(Temporary, match="listing configmaps: the API server answers HTTP 410"):
            listed(server, to_kubeconfig)
        assert len(server.requests) == 6
