"""Applying an overlay, on a sandbox cluster and on a real API server."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from typing import Any

import pytest

from deployer.cluster.connection import Connection
from deployer.model import Action, Manifest, ObjectResult, Permanent
from tests.cluster.bring import bring
from tests.cluster.objects import (
    cluster_role,
    config_map,
    definition,
    deployment,
    manifest,
    namespace_object,
    secret,
    service,
    thing,
    validating_webhook,
)


def actions(results: tuple[ObjectResult, ...]) -> dict[str, Action]:
    return {str(result.ref): result.action for result in results}


def live(connection: Connection, path: str) -> dict[str, Any]:
    response = connection.request("GET", path)
    assert response.status == 200, response.body
    assert isinstance(response.body, dict)
    return response.body


@pytest.fixture
def stores_custom_resources(connection: Connection) -> None:
    if connection.version().startswith("v1.20."):
        pytest.skip("builds of 1.20 with a newer Go than its own end themselves when a custom resource is stored")


@pytest.fixture
def fresh(clean: Callable[[str], None]) -> str:
    """The name of a namespace that is not there."""
    name = f"test-{secrets.token_hex(4)}"
    clean(f"/api/v1/namespaces/{name}")
    return name


@pytest.fixture
def group(clean: Callable[[str], None]) -> str:
    """An API group that is not there, for gadgets."""
    name = f"g{secrets.token_hex(3)}.example.com"
    clean(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gadgets.{name}")
    return name


@pytest.fixture
def ten_objects() -> list[Manifest]:
    rbac = "rbac.authorization.k8s.io/v1"
    return [
        deployment("web"),
        service("web"),
        config_map("settings", colour="blue"),
        secret("key", token=base64.b64encode(secrets.token_bytes(8)).decode()),
        thing("v1", "ServiceAccount", "web"),
        thing(rbac, "Role", "web", rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]),
        thing(
            rbac,
            "RoleBinding",
            "web",
            roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "web"},
            subjects=[{"kind": "ServiceAccount", "name": "web", "namespace": "default"}],
        ),
        thing("networking.k8s.io/v1", "NetworkPolicy", "web", spec={"podSelector": {"matchLabels": {"app": "web"}}}),
        thing(
            "networking.k8s.io/v1",
            "Ingress",
            "web",
            spec={"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}},
        ),
        thing(
            "batch/v1",
            "Job",
            "migrate",
            spec={
                "parallelism": 0,
                "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "m", "image": "shop:1"}]}},
            },
        ),
    ]


def test_creates_ten_objects_of_ten_kinds_and_finds_them_unchanged_afterwards(
    connection: Connection, namespace: str, ten_objects: list[Manifest]
) -> None:
    first = bring(connection, ten_objects, namespace=namespace, force=True)

    assert {result.action for result in first} == {Action.CREATED}, first
    assert [result.ref.name for result in first] == [each.ref.name for each in ten_objects]
    assert {result.ref.namespace for result in first} == {namespace}
    second = bring(connection, ten_objects, namespace=namespace, force=True)
    assert {result.action for result in second} == {Action.UNCHANGED}, second


def test_what_changed_is_updated_and_the_rest_unchanged(connection: Connection, namespace: str) -> None:
    bring(connection, [config_map("a", x="1"), config_map("b", x="1")], namespace=namespace, force=True)

    results = bring(connection, [config_map("a", x="2"), config_map("b", x="1")], namespace=namespace, force=True)

    assert [result.action for result in results] == [Action.UPDATED, Action.UNCHANGED]
    assert live(connection, f"/api/v1/namespaces/{namespace}/configmaps/a")["data"] == {"x": "2"}


def test_many_of_one_kind_are_told_apart_too(connection: Connection, namespace: str) -> None:
    many = [config_map(f"c{number}", x="1") for number in range(25)]
    bring(connection, many, namespace=namespace, force=True)

    results = bring(connection, [*many[:-1], config_map("c24", x="2")], namespace=namespace, force=True)

    assert [result.action for result in results] == [Action.UNCHANGED] * 24 + [Action.UPDATED]


def test_a_field_that_left_git_leaves_the_object(connection: Connection, namespace: str) -> None:
    bring(connection, [config_map("a", x="1", y="1")], namespace=namespace, force=True)

    bring(connection, [config_map("a", x="1")], namespace=namespace, force=True)

    content = live(connection, f"/api/v1/namespaces/{namespace}/configmaps/a")
    assert content["data"] == {"x": "1"}
    assert {entry["manager"] for entry in content["metadata"]["managedFields"]} == {"deployer"}


def test_namespaces_and_definitions_come_first_and_are_usable_by_what_follows(
    connection: Connection, fresh: str, group: str
) -> None:
    told: list[ObjectResult] = []
    overlay = [config_map("a", namespace=fresh, x="1"), definition("gadgets", "Gadget", group), namespace_object(fresh)]

    results = bring(connection, overlay, namespace=fresh, force=True, on_result=told.append)

    assert [result.action for result in results] == [Action.CREATED] * 3, results
    assert [result.ref.kind for result in results] == ["ConfigMap", "CustomResourceDefinition", "Namespace"]
    assert told[-1].ref.kind == "ConfigMap"
    assert sorted(map(str, told)) == sorted(map(str, results))
    assert live(connection, f"/apis/{group}/v1/namespaces/{fresh}/gadgets")["items"] == []


def test_a_definition_and_its_custom_resources_go_in_one_apply(
    connection: Connection, stores_custom_resources: None, fresh: str, group: str
) -> None:
    overlay = [
        thing(f"{group}/v1", "Gadget", "one", spec={"size": 1}),
        definition("gadgets", "Gadget", group),
        namespace_object(fresh),
    ]

    first = bring(connection, overlay, namespace=fresh, force=True)
    second = bring(connection, overlay, namespace=fresh, force=True)

    assert [result.action for result in first] == [Action.CREATED] * 3, first
    assert [result.action for result in second] == [Action.UNCHANGED] * 3, second
    assert live(connection, f"/apis/{group}/v1/namespaces/{fresh}/gadgets/one")["spec"] == {"size": 1}


def test_what_needs_a_failed_namespace_or_definition_is_skipped_and_says_so(
    connection: Connection, namespace: str
) -> None:
    bad_namespace = thing("v1", "Namespace", f"test-{secrets.token_hex(4)}", spec={"nonsense": 1})
    group = f"g{secrets.token_hex(3)}.example.com"
    misnamed = {**definition("gadgets", "Gadget", group).content, "metadata": {"name": f"wrong.{group}"}}

    results = bring(
        connection,
        [
            bad_namespace,
            config_map("a", namespace=bad_namespace.ref.name, x="1"),
            manifest(misnamed),
            thing(f"{group}/v1", "Gadget", "one", spec={"size": 1}),
            config_map("fine", x="1"),
        ],
        namespace=namespace,
        force=True,
    )

    assert [result.action for result in results] == [
        Action.FAILED, Action.SKIPPED, Action.FAILED, Action.SKIPPED, Action.CREATED,
    ], results  # fmt: skip
    assert results[1].message == f"needs Namespace {bad_namespace.ref.name}, which failed"
    assert f"wrong.{group}, which failed" in results[3].message


def test_every_invalid_object_is_reported_and_all_others_are_applied(connection: Connection, namespace: str) -> None:
    misspelt = manifest(deployment("misspelt").content | {"spec": {"replicaz": 1}})
    results = bring(
        connection,
        [config_map("a", x="1"), config_map("UPPER", x="1"), deployment("web"), misspelt, service("web")],
        namespace=namespace,
        force=True,
    )

    assert [result.action for result in results] == [
        Action.CREATED, Action.FAILED, Action.CREATED, Action.FAILED, Action.CREATED,
    ], results  # fmt: skip
    assert "metadata.name" in results[1].message
    assert "replicaz" in results[3].message


def test_a_forced_conflict_takes_the_field_and_names_who_had_it(
    connection: Connection, namespace: str, owned_by_other: Callable[[Manifest], None]
) -> None:
    owned_by_other(config_map("a", x="theirs"))

    (result,) = bring(connection, [config_map("a", x="ours")], namespace=namespace, force=True)

    assert result.action is Action.UPDATED
    assert result.message == "took over .data.x of other"
    assert live(connection, f"/api/v1/namespaces/{namespace}/configmaps/a")["data"] == {"x": "ours"}


def test_a_conflict_that_is_not_forced_fails_and_names_field_and_manager(
    connection: Connection, namespace: str, owned_by_other: Callable[[Manifest], None]
) -> None:
    owned_by_other(config_map("a", x="theirs"))

    (result,) = bring(connection, [config_map("a", x="ours")], namespace=namespace, force=False)

    assert result.action is Action.FAILED
    assert ".data.x of other" in result.message
    assert live(connection, f"/api/v1/namespaces/{namespace}/configmaps/a")["data"] == {"x": "theirs"}


@pytest.mark.parametrize(
    ("key", "spoilt"),
    [("password", "not base64: {}!"), ("password", 12345), ("bad/key", "")],
    ids=["not base64", "not text", "bad key"],
)
def test_an_invalid_secret_fails_without_its_value_in_the_message(
    connection: Connection, namespace: str, key: str, spoilt: str | int
) -> None:
    value = secrets.token_hex(12)
    encoded = base64.b64encode(value.encode()).decode()
    bad = spoilt.format(value) if isinstance(spoilt, str) else spoilt

    (result,) = bring(connection, [secret("key", **{"other": encoded, key: bad})], namespace=namespace, force=True)

    assert result.action is Action.FAILED
    assert not [said for said in (value, encoded, "12345") if said in result.message]
    assert key in result.message


def test_a_change_of_an_immutable_field_says_so_readably(connection: Connection, namespace: str) -> None:
    bring(connection, [deployment("web")], namespace=namespace, force=True)

    (result,) = bring(connection, [deployment("web", selector="else")], namespace=namespace, force=True)

    assert result.action is Action.FAILED
    assert "spec.selector: field is immutable; this cannot change while the object exists" in result.message
    assert "LabelSelector" not in result.message


def test_an_unknown_kind_fails_alone_and_says_what_to_do(connection: Connection, namespace: str) -> None:
    results = bring(
        connection,
        [
            config_map("a", x="1"),
            thing("apps/v1", "Deploymnet", "web"),
            thing("nowhere.example.com/v1", "Gadget", "one"),
            thing("apps/v1beta1", "Deployment", "old"),
        ],
        namespace=namespace,
        force=True,
    )

    assert [result.action for result in results] == [Action.CREATED] + [Action.FAILED] * 3
    assert results[1].message == "the cluster knows apps/v1 but no kind Deploymnet in it; did you mean Deployment?"
    assert "nowhere.example.com/v1 (kind Gadget)" in results[2].message
    assert "CustomResourceDefinition missing" in results[2].message
    assert results[3].message.endswith("it has apps/v1")


def test_a_missing_namespace_is_not_created_but_named(connection: Connection) -> None:
    missing = f"test-{secrets.token_hex(4)}"
    role = f"test-{secrets.token_hex(4)}"

    with pytest.raises(Permanent, match=f"namespace {missing} does not exist; add it to the overlay"):
        bring(connection, [config_map("a", x="1"), cluster_role(role)], namespace=missing, force=True)

    assert connection.request("GET", f"/api/v1/namespaces/{missing}").status == 404
    assert connection.request("GET", f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{role}").status == 404


def test_a_namespace_that_the_cluster_refuses_says_why_and_nothing_else_is_tried(connection: Connection) -> None:
    name, role = (f"test-{secrets.token_hex(4)}" for _ in range(2))
    home = manifest(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"team": "not a label"}}}
    )

    results = bring(connection, [home, config_map("a", x="1"), cluster_role(role)], namespace=name)

    assert [result.action for result in results] == [Action.FAILED, Action.SKIPPED, Action.SKIPPED]
    assert "metadata.labels" in results[0].message
    assert results[2].message == f"needs Namespace {name}, which failed"
    assert connection.request("GET", f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{role}").status == 404


def test_another_namespace_that_is_missing_fails_its_objects_alone(connection: Connection, namespace: str) -> None:
    missing = f"test-{secrets.token_hex(4)}"

    results = bring(
        connection, [config_map("a", namespace=missing, x="1"), config_map("b", x="1")], namespace=namespace
    )

    assert [result.action for result in results] == [Action.FAILED, Action.CREATED]
    assert results[0].message.startswith(f"namespace {missing} does not exist; add it to the overlay")


def test_names_with_colons_reach_their_object(
    connection: Connection, namespace: str, clean: Callable[[str], None]
) -> None:
    name = f"system:test:{secrets.token_hex(4)}"
    clean(f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{name}")

    (result,) = bring(connection, [cluster_role(name)], namespace=namespace, force=True)

    assert (result.action, result.ref.name) == (Action.CREATED, name), result
    assert live(connection, f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{name}")["metadata"]["name"] == name


def test_an_object_outside_namespaces_loses_the_one_that_it_names(
    connection: Connection, namespace: str, clean: Callable[[str], None]
) -> None:
    role = cluster_role(f"test-{secrets.token_hex(4)}")
    clean(f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{role.ref.name}")
    misplaced = manifest({**role.content, "metadata": {"name": role.ref.name, "namespace": namespace}})

    (result,) = bring(connection, [misplaced], namespace=namespace, force=True)

    assert result.action is Action.CREATED, result
    assert result.ref.namespace is None


def test_admission_webhooks_come_last(connection: Connection, namespace: str, clean: Callable[[str], None]) -> None:
    webhook = validating_webhook(f"test-{secrets.token_hex(4)}")
    clean(f"/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{webhook.ref.name}")
    told: list[ObjectResult] = []

    bring(
        connection,
        [webhook, deployment("web"), config_map("a", x="1")],
        namespace=namespace,
        force=True,
        on_result=told.append,
    )

    assert [result.ref.kind for result in told] == ["ConfigMap", "Deployment", "ValidatingWebhookConfiguration"]
    assert {result.action for result in told} == {Action.CREATED}


def test_the_check_before_a_phase_stops_it(connection: Connection, namespace: str) -> None:
    calls: list[int] = []

    def check() -> None:
        calls.append(1)
        if len(calls) == 3:  # after the inventory and the ConfigMap
            raise RuntimeError("no longer ours")

    with pytest.raises(RuntimeError, match="no longer ours"):
        bring(connection, [config_map("a", x="1"), deployment("web")], namespace=namespace, force=True, check=check)

    assert connection.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/a").status == 200
    assert connection.request("GET", f"/apis/apps/v1/namespaces/{namespace}/deployments/web").status == 404


def test_an_object_that_is_there_twice_once_its_namespace_is_settled_is_refused(
    connection: Connection, namespace: str
) -> None:
    twice = [config_map("a", x="1"), config_map("a", namespace=namespace, x="2")]

    with pytest.raises(Permanent, match=f"ConfigMap {namespace}/a"):
        bring(connection, twice, namespace=namespace, force=True)

    assert connection.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/a").status == 404


def test_an_object_that_is_being_deleted_does_not_count_as_applied(connection: Connection, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps/a"
    held = manifest({**config_map("a", x="1").content, "metadata": {"name": "a", "finalizers": ["example.com/hold"]}})
    bring(connection, [held], namespace=namespace, force=True)
    connection.request("DELETE", path)

    (stuck,) = bring(connection, [held], namespace=namespace, force=True, settle=0.3)
    assert stuck.action is Action.FAILED
    assert "still being deleted after 0.3 s" in stuck.message

    body = {"metadata": {"finalizers": None}}
    connection.request("PATCH", path, body=body, content_type="application/merge-patch+json")
    (free,) = bring(connection, [config_map("a", x="1")], namespace=namespace, force=True)
    assert free.action is Action.CREATED
