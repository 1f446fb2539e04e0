"""An environment that may hold only some objects: what else is rendered is refused before anything is written."""

from __future__ import annotations

import secrets
from dataclasses import replace

import pytest

from deployer.cluster.applyset import Scope
from deployer.cluster.change import Verdict
from deployer.cluster.connection import Connection
from deployer.model import Action, Allow, Manifest, Permanent
from tests.cluster.bring import INVENTORY, bring, planned
from tests.cluster.objects import cluster_role, config_map, definition, namespace_object, secret, thing
from tests.examples import environment


def is_there(connection: Connection, path: str) -> bool:
    return connection.request("GET", path).status == 200


def in_namespace(namespace: str, name: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps/{name}"


@pytest.mark.parametrize(
    ("beyond", "why"),
    [
        (config_map("x", namespace="default"), "ConfigMap default/x: namespace default is not allowed"),
        (cluster_role("x"), "ClusterRole.rbac.authorization.k8s.io x: cluster-scoped objects are not allowed"),
        (cluster_role("x", namespace="shop"), "ClusterRole.rbac.authorization.k8s.io x: cluster-scoped"),
        (namespace_object("x"), "Namespace x: cluster-scoped objects are not allowed, namespace x is not allowed"),
        (secret("x"), "kind Secret is not allowed"),
    ],
    ids=str,
)
def test_what_is_beyond_refuses_all_of_it_before_the_first_write(
    connection: Connection, namespace: str, beyond: Manifest, why: str
) -> None:
    kinds = ("ConfigMap", "ClusterRole", "Namespace")
    allow = Allow(namespaces=(namespace,), kinds=kinds)

    with pytest.raises(Permanent, match=why):
        bring(connection, [config_map("a", x="1"), beyond], namespace=namespace, allow=allow)
    with pytest.raises(Permanent, match=why):
        planned(connection, [config_map("a", x="1"), beyond], namespace=namespace, allow=allow)

    assert not is_there(connection, in_namespace(namespace, "a"))
    assert not is_there(connection, in_namespace(namespace, INVENTORY))


def test_what_is_within_is_applied_and_the_inventory_needs_no_leave(connection: Connection, namespace: str) -> None:
    allow = Allow(namespaces=(namespace,), kinds=("Secret",))

    (result,) = bring(connection, [secret("a")], namespace=namespace, allow=allow)

    assert result.action is Action.CREATED
    assert is_there(connection, in_namespace(namespace, INVENTORY))


@pytest.mark.parametrize(("scope", "refused"), [("Namespaced", False), ("Cluster", True)])
def test_the_definition_in_the_same_overlay_says_whether_its_objects_have_a_namespace(
    connection: Connection, namespace: str, scope: str, refused: bool
) -> None:
    group = f"g{secrets.token_hex(4)}.example.com"
    manifests = [definition("gadgets", "Gadget", group, scope=scope), thing(f"{group}/v1", "Gadget", "a")]

    with pytest.raises(Permanent, match=r"^CustomResourceDefinition") as told:
        planned(connection, manifests, namespace=namespace, allow=Allow())
    assert (f"Gadget.{group} a: cluster-scoped" in told.value.message) is refused

    changes = planned(connection, manifests, namespace=namespace, allow=Allow(cluster_scoped=True)).changes
    assert {change.verdict for change in changes} == {Verdict.CREATE}


def test_of_a_kind_that_nobody_knows_nothing_is_believed(connection: Connection, namespace: str) -> None:
    odd = thing("example.com/v1", "Odd", "x", namespace=namespace)

    with pytest.raises(Permanent, match=r"Odd\.example\.com .*: the cluster does not know example\.com/v1"):
        bring(connection, [config_map("a"), odd], namespace=namespace, allow=Allow(namespaces=(namespace,)))

    assert not is_there(connection, in_namespace(namespace, "a"))


def test_a_narrower_allow_orphans_nothing_and_deletes_nothing_beyond(connection: Connection, namespace: str) -> None:
    name = f"kept-{secrets.token_hex(4)}"
    elsewhere = config_map(name, namespace="default")
    bring(connection, [config_map("a"), config_map("b"), elsewhere], namespace=namespace)
    narrow = Allow(namespaces=(namespace,))

    for _ in range(2):
        results = {r.ref.name: r for r in bring(connection, [config_map("a")], namespace=namespace, allow=narrow)}
        assert results[name].action is Action.KEPT
        assert "namespace default is not allowed" in results[name].message
        assert is_there(connection, in_namespace("default", name))
    assert not is_there(connection, in_namespace(namespace, "b"))
    (kept,) = [c for c in planned(connection, [config_map("a")], namespace=namespace, allow=narrow).changes if c.note]
    assert kept.verdict is Verdict.KEEP

    wide = bring(connection, [config_map("a")], namespace=namespace, allow=Allow(namespaces=(namespace, "default")))
    assert [r.action for r in wide if r.ref.name == name] == [Action.DELETED]


def test_the_settings_reach_the_plan() -> None:
    allow = Allow(namespaces=("shop",))
    assert Scope.of(replace(environment(), allow=allow)).allow == allow
