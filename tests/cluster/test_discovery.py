"""Which resource a kind is, from definitions and from the cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from deployer.cluster.connection import Connection, connect
from deployer.cluster.discovery import UnknownKind, defined, find
from deployer.cluster.resources import Resource
from deployer.settings import ClusterSettings
from tests.cluster.conftest import kubeconfig_for
from tests.cluster.objects import config_map, definition, manifest, thing
from tests.cluster.scripted import Reply, ScriptedServer


def spec_of(**changes: Any) -> dict[str, Any]:
    content = dict(definition("gadgets", "Gadget", "example.com").content)
    return content | {"spec": content["spec"] | changes}  # type: ignore[operator]


@pytest.mark.parametrize(("scope", "namespaced"), [("Namespaced", True), ("Cluster", False)])
def test_a_definition_tells_the_resource_of_each_version_that_it_serves(scope: str, namespaced: bool) -> None:
    versions = [{"name": "v1", "served": True}, {"name": "v2", "served": True}, {"name": "v0", "served": False}]

    found = defined([config_map("a"), manifest(spec_of(scope=scope, versions=versions))])

    assert found == {
        (f"example.com/{version}", "Gadget"): Resource(f"example.com/{version}", "gadgets", namespaced=namespaced)
        for version in ("v1", "v2")
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"names": None},
        {"names": {"plural": 5, "kind": "Gadget"}},
        {"group": []},
        {"versions": {}},
        {"versions": [1, {}]},
    ],
)
def test_a_definition_that_is_not_well_formed_defines_nothing(changes: dict[str, Any]) -> None:
    assert (
        defined([manifest(spec_of(**changes)), thing("apiextensions.k8s.io/v1", "CustomResourceDefinition", "x")]) == {}
    )


def test_a_kind_of_another_group_with_that_name_is_no_definition() -> None:
    other = manifest({**definition("gadgets", "Gadget", "example.com").content, "apiVersion": "example.org/v1"})

    assert defined([other]) == {}


@pytest.mark.parametrize(
    ("kind", "resource"),
    [
        (("v1", "ConfigMap"), Resource("v1", "configmaps", namespaced=True)),
        (("v1", "Namespace"), Resource("v1", "namespaces", namespaced=False)),
        (("apps/v1", "Deployment"), Resource("apps/v1", "deployments", namespaced=True)),
        (("networking.k8s.io/v1", "Ingress"), Resource("networking.k8s.io/v1", "ingresses", namespaced=True)),
        (
            ("rbac.authorization.k8s.io/v1", "ClusterRole"),
            Resource("rbac.authorization.k8s.io/v1", "clusterroles", namespaced=False),
        ),
    ],
)
def test_a_cluster_tells_the_resource(connection: Connection, kind: tuple[str, str], resource: Resource) -> None:
    assert find(connection, kind) == resource


def test_a_kind_that_the_cluster_learns_later_is_found(to_kubeconfig: Callable[..., ClusterSettings]) -> None:
    entry = {"name": "gadgets", "kind": "Gadget", "namespaced": True}
    answers = [Reply(404), Reply(404), Reply(404), Reply(body={"resources": [entry]})]
    with (
        ScriptedServer(lambda _: answers.pop(0)) as server,
        connect(to_kubeconfig(kubeconfig_for(server.url))) as connection,
    ):
        with pytest.raises(UnknownKind, match="does not know example"):
            find(connection, ("example.com/v1", "Gadget"))

        assert find(connection, ("example.com/v1", "Gadget")) == Resource("example.com/v1", "gadgets", namespaced=True)


@pytest.mark.parametrize("body", [None, [], {"resources": 5}, {"resources": [1, {"kind": "Gadget"}]}, "<html>"])
def test_an_odd_discovery_knows_no_kind(to_kubeconfig: Callable[..., ClusterSettings], body: Any) -> None:
    with (
        ScriptedServer(lambda _: Reply(body=body)) as server,
        connect(to_kubeconfig(kubeconfig_for(server.url))) as connection,
        pytest.raises(UnknownKind),
    ):
        find(connection, ("example.com/v1", "Gadget"))
