"""Workloads that become healthy by themselves, where a cluster is asked to let them."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import yaml

from deployer.sandbox.kubernetes import SandboxCluster
from deployer.sandbox.kubernetes.rollouts import SECONDS
from tests.sandbox.kubernetes.client import Client, eventually
from tests.sandbox.kubernetes.objects import Object, container, deployment

REVISION = "deployment.kubernetes.io/revision"


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


def test_an_api_service_becomes_available(lively: Client) -> None:
    path = "/apis/apiregistration.k8s.io/v1/apiservices"
    spec = {"group": "example.com", "version": "v1", "groupPriorityMinimum": 1, "versionPriority": 1}
    lively.post(path, {"metadata": {"name": "v1.example.com"}, "spec": spec})
    eventually(lambda: _conditions(lively.get(f"{path}/v1.example.com").body).get("Available") == "True")


def test_the_pods_of_a_deployment_are_there_to_be_seen(lively: Client) -> None:
    namespace = lively.make_namespace()
    lively.post(f"/apis/apps/v1/namespaces/{namespace}/deployments", deployment(replicas=2))
    pods = f"/api/v1/namespaces/{namespace}/pods"
    eventually(lambda: [p["status"]["phase"] for p in lively.get(pods).body["items"]] == ["Running", "Running"])
    assert [p["status"]["containerStatuses"][0]["ready"] for p in lively.get(pods).body["items"]] == [True, True]


def test_nothing_becomes_healthy_unasked(sandbox: Client) -> None:
    namespace = sandbox.make_namespace()
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    sandbox.post(path, deployment())
    eventually(lambda: _conditions(sandbox.get(f"{path}/web").body).get("Available") == "False")
    time.sleep(2 * SECONDS)
    assert "readyReplicas" not in sandbox.get(f"{path}/web").body["status"]


# What follows holds on a real API server with its controller manager as well.


def _items(api: Client, namespace: str, plural: str) -> list[Object]:
    group = "/api/v1" if plural == "pods" else "/apis/apps/v1"
    found: list[Object] = api.get(f"{group}/namespaces/{namespace}/{plural}").body["items"]
    return [obj for obj in found if "deletionTimestamp" not in obj["metadata"]]


def _make_ready(api: Client, namespace: str) -> None:
    for pod in _items(api, namespace, "pods"):
        body = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
        name = pod["metadata"]["name"]
        answer = api.patch(f"/api/v1/namespaces/{namespace}/pods/{name}/status", body)
        assert answer.status in (200, 404)  # an old one goes as soon as a new one is ready


def test_a_deployment_makes_a_replica_set_and_that_makes_pods(api: Client, namespace: str, deployments: str) -> None:
    api.post(deployments, deployment(replicas=2))
    eventually(lambda: len(_items(api, namespace, "pods")) == 2)
    [replica_set] = _items(api, namespace, "replicasets")
    assert replica_set["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"
    assert replica_set["metadata"]["ownerReferences"][0]["name"] == "web"
    for pod in _items(api, namespace, "pods"):
        assert pod["metadata"]["ownerReferences"][0]["uid"] == replica_set["metadata"]["uid"]
        assert pod["metadata"]["labels"]["pod-template-hash"] in replica_set["metadata"]["name"]
    eventually(lambda: api.get(f"{deployments}/web").body["status"].get("updatedReplicas") == 2)
    assert api.get(f"{deployments}/web").body["metadata"]["generation"] == 1


def test_a_deployment_is_available_when_its_pods_are_ready(api: Client, namespace: str, deployments: str) -> None:
    api.post(deployments, deployment(replicas=2))
    eventually(lambda: len(_items(api, namespace, "pods")) == 2)
    assert _conditions(api.get(f"{deployments}/web").body).get("Available") != "True"
    _make_ready(api, namespace)
    eventually(lambda: api.get(f"{deployments}/web").body["status"].get("availableReplicas") == 2)
    eventually(lambda: _reason(api, deployments) == "NewReplicaSetAvailable")


def test_a_new_template_replaces_the_old_pods_as_the_new_ones_get_ready(
    api: Client, namespace: str, deployments: str
) -> None:
    api.post(deployments, deployment(replicas=1))
    eventually(lambda: len(_items(api, namespace, "pods")) == 1)
    _make_ready(api, namespace)
    eventually(lambda: _reason(api, deployments) == "NewReplicaSetAvailable")
    api.put(f"{deployments}/web", deployment("web", container(image="registry.invalid/web:2"), replicas=1))
    eventually(lambda: len(_items(api, namespace, "pods")) == 2)
    _make_ready(api, namespace)
    eventually(lambda: [pod["spec"]["containers"][0]["image"][-1] for pod in _items(api, namespace, "pods")] == ["2"])
    eventually(lambda: api.get(f"{deployments}/web").body["metadata"]["annotations"][REVISION] == "2")
    eventually(lambda: _reason(api, deployments) == "NewReplicaSetAvailable")


def test_a_deployment_whose_deadline_passes_says_so(api: Client, deployments: str) -> None:
    api.post(deployments, deployment(progressDeadlineSeconds=1))
    eventually(lambda: _reason(api, deployments) == "ProgressDeadlineExceeded", 20)


def test_scaling_and_deleting_take_pods_away(api: Client, namespace: str, deployments: str) -> None:
    api.post(deployments, deployment(replicas=3))
    eventually(lambda: len(_items(api, namespace, "pods")) == 3)
    api.patch(f"{deployments}/web", {"spec": {"replicas": 1}})
    eventually(lambda: len(_items(api, namespace, "pods")) == 1)
    api.delete(f"{deployments}/web", {"propagationPolicy": "Background"})
    eventually(lambda: not _items(api, namespace, "replicasets") and not _items(api, namespace, "pods"))


def _reason(api: Client, deployments: str) -> str | None:
    conditions = api.get(f"{deployments}/web").body.get("status", {}).get("conditions", [])
    return next((each["reason"] for each in conditions if each["type"] == "Progressing"), None)
