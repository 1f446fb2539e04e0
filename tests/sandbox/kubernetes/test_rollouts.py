"""Workloads that become healthy by themselves, where a cluster is asked to let them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from deployer.sandbox.kubernetes import SandboxCluster
from tests.sandbox.kubernetes.client import Client, eventually
from tests.sandbox.kubernetes.objects import Object, container, deployment


@pytest.fixture(scope="module")
def lively(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    path = tmp_path_factory.mktemp("lively") / "kubeconfig"
    with SandboxCluster("lively", rollouts=True) as cluster:
        path.write_text(yaml.safe_dump(cluster.kubeconfig()))
        client = Client(path)
        yield client
        client.close()


def _conditions(obj: Object) -> dict[str, str]:
    return {condition["type"]: condition["status"] for condition in obj.get("status", {}).get("conditions", [])}


def test_a_deployment_rolls_out(lively: Client) -> None:
    path = "/apis/apps/v1/namespaces/default/deployments/web"
    lively.apply(path, deployment(replicas=3))
    eventually(lambda: _conditions(lively.get(path).body).get("Progressing") == "True")
    eventually(lambda: _conditions(lively.get(path).body).get("Available") == "True")
    status = lively.get(path).body["status"]
    assert (status["observedGeneration"], status["readyReplicas"], status["updatedReplicas"]) == (1, 3, 3)
    lively.apply(path, deployment(replicas=5))
    eventually(lambda: lively.get(path).body["status"].get("readyReplicas") == 5)
    assert lively.get(path).body["status"]["observedGeneration"] == 2


def test_a_rollout_is_no_change_of_what_is_wanted(lively: Client) -> None:
    path = "/apis/apps/v1/namespaces/default/deployments/calm"
    applied = lively.apply(path, deployment("calm")).body
    eventually(lambda: _conditions(lively.get(path).body).get("Available") == "True")
    obj = lively.get(path).body
    assert (obj["spec"], obj["metadata"]["generation"]) == (applied["spec"], 1)
    assert lively.apply(path, deployment("calm")).body == obj


@pytest.mark.parametrize(
    ("plural", "kind", "ready"),
    [("statefulsets", "StatefulSet", "readyReplicas"), ("daemonsets", "DaemonSet", "numberReady")],
)
def test_other_workloads(lively: Client, plural: str, kind: str, ready: str) -> None:
    path = f"/apis/apps/v1/namespaces/default/{plural}/web"
    body = deployment() | {"kind": kind}
    if kind == "StatefulSet":
        body["spec"]["serviceName"] = "web"
    lively.apply(path, body)
    eventually(lambda: lively.get(path).body["status"].get(ready) == 1)
    assert lively.get(path).body["status"]["observedGeneration"] == 1


def test_a_job_completes_and_a_claim_is_bound(lively: Client) -> None:
    jobs = "/apis/batch/v1/namespaces/default/jobs"
    pod = {"containers": [container()], "restartPolicy": "Never"}
    lively.post(jobs, {"metadata": {"name": "a"}, "spec": {"template": {"spec": pod}}})
    eventually(lambda: _conditions(lively.get(f"{jobs}/a").body).get("Complete") == "True")
    claims = "/api/v1/namespaces/default/persistentvolumeclaims"
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    lively.post(claims, {"metadata": {"name": "a"}, "spec": spec})
    eventually(lambda: lively.get(f"{claims}/a").body["status"]["phase"] == "Bound")


def test_nothing_becomes_healthy_unasked(sandbox: Client) -> None:
    path = f"/apis/apps/v1/namespaces/{sandbox.make_namespace()}/deployments"
    sandbox.post(path, deployment())
    assert sandbox.get(f"{path}/web").body["status"] == {}
