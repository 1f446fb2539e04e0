"""The inventory in a cluster, beside kubectl, and what happens to what left git."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deployer.cluster.applyset import Inventory, applyset_id
from deployer.cluster.connection import Connection
from deployer.cluster.inventory import Keeper
from deployer.model import Action, ObjectResult, Permanent, PrunePolicy, Temporary
from tests.cluster.bring import INVENTORY, bring, scope
from tests.cluster.objects import cluster_role, config_map, deployment, manifest, namespace_object, service, thing

_KUBECTL = shutil.which("kubectl") or shutil.which("kubectl", path=str(Path(sys.executable).parent)) or "kubectl"


@pytest.fixture
def kubectl(kubeconfig: Path) -> Callable[..., str]:
    def run(*arguments: str, stdin: str = "") -> str:
        environment = {
            "HOME": str(kubeconfig.parent), "KUBECONFIG": str(kubeconfig), "PATH": "/usr/bin:/bin",
            "KUBECTL_APPLYSET": "true",
        }  # fmt: skip
        done = subprocess.run(
            [_KUBECTL, *arguments],
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def there(connection: Connection, path: str) -> bool:
    return connection.request("GET", path).status == 200


def names(connection: Connection, namespace: str) -> set[str]:
    body: Any = connection.request("GET", f"/api/v1/namespaces/{namespace}/configmaps").body
    return {item["metadata"]["name"] for item in body["items"]} - {INVENTORY, "kube-root-ca.crt"}


def head(connection: Connection, namespace: str) -> Inventory:
    return Keeper(connection, scope(namespace)).read()


def maps(count: int) -> list[Any]:
    return [config_map(f"c{number:02}", x="1") for number in range(count)]


def by_name(results: tuple[ObjectResult, ...]) -> dict[str, Action]:
    return {result.ref.name: result.action for result in results}


def test_kubectl_lists_exactly_the_environments_objects_by_the_label(
    connection: Connection, namespace: str, kubectl: Callable[..., str]
) -> None:
    bring(connection, [*maps(3), deployment("web"), service("web")], namespace=namespace)

    label = f"applyset.kubernetes.io/part-of={applyset_id(INVENTORY, namespace)}"
    listed = kubectl("get", "configmaps,deployments,services,secrets", "-n", namespace, "-l", label, "-o", "name")

    assert sorted(listed.split()) == [
        "configmap/c00", "configmap/c01", "configmap/c02", "deployment.apps/web", "service/web",
    ]  # fmt: skip


def test_the_id_is_the_one_that_kubectl_computes(
    connection: Connection, namespace: str, kubectl: Callable[..., str]
) -> None:
    content = json.dumps(config_map("a", x="1").content)
    arguments = ["apply", "--server-side", "--prune", "--applyset=configmaps/parent", "-n", namespace, "-f", "-"]
    kubectl(*arguments, stdin=content)

    parent: Any = connection.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/parent").body

    assert parent["metadata"]["labels"]["applyset.kubernetes.io/id"] == applyset_id("parent", namespace)


def test_the_head_names_kinds_and_namespaces_of_all_objects(
    connection: Connection, namespace: str, clean: Callable[[str], None]
) -> None:
    other, role = (f"test-{secrets.token_hex(4)}" for _ in range(2))
    clean(f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{role}")
    clean(f"/api/v1/namespaces/{other}")

    overlay = [
        namespace_object(other),
        config_map("far", namespace=other, x="1"),
        deployment("web"),
        cluster_role(role),
    ]
    bring(connection, overlay, namespace=namespace)

    found = head(connection, namespace)
    assert found.kinds == {"Namespace", "ConfigMap", "Deployment.apps", "ClusterRole.rbac.authorization.k8s.io"}
    assert found.namespaces == {other}
    assert found.stamp.commit == "c" * 40


def test_what_left_git_is_deleted_also_when_its_kind_and_namespace_left_with_it(
    connection: Connection, namespace: str, clean: Callable[[str], None]
) -> None:
    other, role = (f"test-{secrets.token_hex(4)}" for _ in range(2))
    clean(f"/api/v1/namespaces/{other}")
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": other}}
    assert connection.request("POST", "/api/v1/namespaces", body=body).status == 201
    bring(
        connection,
        [*maps(2), deployment("web"), config_map("far", namespace=other, x="1"), cluster_role(role)],
        namespace=namespace,
    )

    results = bring(connection, maps(1), namespace=namespace)

    assert by_name(results) == {
        "c00": Action.UNCHANGED, "c01": Action.DELETED, "web": Action.DELETED, "far": Action.DELETED,
        role: Action.DELETED,
    }  # fmt: skip
    assert names(connection, namespace) == {"c00"}
    assert names(connection, other) == set()
    assert not there(connection, f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{role}")
    found = head(connection, namespace)
    assert (found.kinds, found.namespaces) == ({"ConfigMap"}, frozenset())


def test_nothing_without_our_label_is_deleted(connection: Connection, namespace: str) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs"}}
    assert connection.request("POST", f"/api/v1/namespaces/{namespace}/configmaps", body=body).status == 201

    bring(connection, maps(2), namespace=namespace)
    bring(connection, maps(1), namespace=namespace)

    assert names(connection, namespace) == {"c00", "theirs"}


def test_an_object_that_wants_to_stay_stays_in_the_inventory_and_says_so(
    connection: Connection, namespace: str
) -> None:
    metadata = {"name": "kept", "annotations": {"deployer/prune": "false"}}
    keeper = manifest({"apiVersion": "v1", "kind": "Secret", "metadata": metadata})
    bring(connection, [*maps(1), keeper], namespace=namespace)

    for _ in range(2):
        results = bring(connection, maps(1), namespace=namespace)
        assert by_name(results) == {"c00": Action.UNCHANGED, "kept": Action.KEPT}
        assert 'deployer/prune: "false"' in results[1].message
    assert head(connection, namespace).kinds == {"ConfigMap", "Secret"}


def test_claims_stay_unless_the_environment_says_otherwise(connection: Connection, namespace: str) -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    bring(connection, [*maps(1), thing("v1", "PersistentVolumeClaim", "data", spec=spec)], namespace=namespace)

    kept = bring(connection, maps(1), namespace=namespace)
    gone = bring(connection, maps(1), namespace=namespace, prune=PrunePolicy(protected=False))

    assert by_name(kept)["data"] is Action.KEPT
    assert by_name(gone)["data"] is Action.DELETED


def test_with_pruning_off_everything_stays(connection: Connection, namespace: str) -> None:
    bring(connection, maps(2), namespace=namespace)

    results = bring(connection, maps(1), namespace=namespace, prune=None)

    assert by_name(results) == {"c00": Action.UNCHANGED, "c01": Action.KEPT}
    assert by_name(bring(connection, maps(1), namespace=namespace))["c01"] is Action.DELETED


def test_over_the_budget_nothing_is_written_at_all(connection: Connection, namespace: str) -> None:
    bring(connection, maps(12), namespace=namespace)
    before = head(connection, namespace)

    with pytest.raises(Permanent, match="would delete 7 of 12 objects"):
        bring(connection, [*maps(5), config_map("new", x="1")], namespace=namespace)

    assert names(connection, namespace) == {each.ref.name for each in maps(12)}
    assert head(connection, namespace) == before


def test_an_object_of_another_set_is_neither_taken_over_nor_deleted(connection: Connection, namespace: str) -> None:
    bring(connection, maps(2), namespace=namespace)
    path = f"/api/v1/namespaces/{namespace}/configmaps/c01"
    body = {"metadata": {"labels": {"applyset.kubernetes.io/part-of": "applyset-other-v1"}}}
    connection.request("PATCH", path, body=body, content_type="application/merge-patch+json")

    wanted = bring(connection, maps(2), namespace=namespace)
    left = bring(connection, maps(1), namespace=namespace)

    assert by_name(wanted) == {"c00": Action.UNCHANGED, "c01": Action.FAILED}
    assert "belongs to another set (applyset-other-v1)" in wanted[1].message
    assert by_name(left) == {"c00": Action.UNCHANGED}
    assert there(connection, path)


def test_nothing_is_deleted_when_something_could_not_be_applied(connection: Connection, namespace: str) -> None:
    bring(connection, maps(2), namespace=namespace)

    results = bring(connection, [config_map("c00", x="2"), config_map("UPPER", x="1")], namespace=namespace)

    assert by_name(results) == {"c00": Action.UPDATED, "UPPER": Action.FAILED}
    assert names(connection, namespace) == {"c00", "c01"}


def test_an_apply_that_died_midway_leaves_nothing_unowned_and_nothing_forgotten(
    connection: Connection, namespace: str
) -> None:
    bring(connection, [*maps(1), service("old")], namespace=namespace)

    class Died(Exception):  # noqa: N818 - reads as what happened
        pass

    def die(result: ObjectResult) -> None:
        if result.action is Action.CREATED:
            raise Died

    with pytest.raises(Died):
        bring(connection, [*maps(3), deployment("web")], namespace=namespace, on_result=die)
    assert head(connection, namespace).kinds == {"ConfigMap", "Service", "Deployment.apps"}

    results = bring(connection, maps(1), namespace=namespace)

    assert names(connection, namespace) == {"c00"}
    assert by_name(results)["old"] is Action.DELETED
    assert head(connection, namespace).kinds == {"ConfigMap"}


def test_a_worker_that_slept_while_a_newer_one_wrote_is_refused(connection: Connection, namespace: str) -> None:
    bring(connection, maps(1), namespace=namespace, fence=5)
    slept = []

    def newer_one_comes() -> None:
        if not slept:
            slept.append(1)
            bring(connection, [config_map("c00", x="new")], namespace=namespace, fence=7)

    with pytest.raises(Temporary, match="written by somebody else meanwhile"):
        bring(connection, [config_map("c00", x="old")], namespace=namespace, fence=6, check=newer_one_comes)
    with pytest.raises(Temporary, match="newer deployment"):
        bring(connection, [config_map("c00", x="old")], namespace=namespace, fence=6)

    content: Any = connection.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/c00").body
    assert content["data"] == {"x": "new"}


def test_between_two_phases_a_stale_worker_is_stopped(connection: Connection, namespace: str) -> None:
    def newer_one_comes(result: ObjectResult) -> None:
        if result.ref.kind == "ConfigMap":
            bring(connection, [config_map("c00", x="new")], namespace=namespace, fence=7)

    with pytest.raises(Temporary, match="written by somebody else meanwhile"):
        bring(
            connection,
            [config_map("c00", x="old"), deployment("web")],
            namespace=namespace,
            fence=6,
            on_result=newer_one_comes,
        )
    assert not there(connection, f"/apis/apps/v1/namespaces/{namespace}/deployments/web")


def test_a_second_apply_of_the_same_writes_nothing(connection: Connection, namespace: str) -> None:
    overlay = [*maps(3), deployment("web"), service("web")]
    bring(connection, overlay, namespace=namespace)
    before = head(connection, namespace)
    checks: list[int] = []

    results = bring(connection, overlay, namespace=namespace, fence=9, check=lambda: checks.append(1))

    assert {result.action for result in results} == {Action.UNCHANGED}
    assert checks == []
    assert head(connection, namespace).version == before.version


def test_a_set_that_kubectl_keeps_is_not_touched(
    connection: Connection, namespace: str, kubectl: Callable[..., str]
) -> None:
    content = json.dumps(config_map("a", x="1").content)
    arguments = ["apply", "--server-side", "--prune", f"--applyset=configmaps/{INVENTORY}", "-n", namespace, "-f", "-"]
    kubectl(*arguments, stdin=content)

    with pytest.raises(Permanent, match="is kept by kubectl/"):
        bring(connection, maps(1), namespace=namespace)
