"""What the server fills in, on both kinds of cluster; fields that only newer versions have are not looked at."""

from __future__ import annotations

import base64

import pytest

from tests.sandbox.kubernetes.client import Client
from tests.sandbox.kubernetes.objects import container, deployment, service

_CONTAINER = {
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "imagePullPolicy": "IfNotPresent",
}
_POD = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "securityContext": {},
    "schedulerName": "default-scheduler",
}


def test_a_deployment(api: Client, deployments: str) -> None:
    spec = api.post(deployments, deployment()).body["spec"]
    assert (spec["replicas"], spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"]) == (1, 10, 600)
    assert spec["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
    }
    pod = spec["template"]["spec"]
    assert {key: pod[key] for key in _POD} == _POD
    assert pod["containers"] == [container() | _CONTAINER]


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("web", "Always"),
        ("web:latest", "Always"),
        ("web:1", "IfNotPresent"),
        ("registry.invalid:5000/web", "Always"),
        ("registry.invalid:5000/web:1", "IfNotPresent"),
        ("web@sha256:" + "0" * 64, "IfNotPresent"),
    ],
)
def test_images_that_may_change_are_always_pulled(api: Client, deployments: str, image: str, policy: str) -> None:
    obj = api.post(f"{deployments}?dryRun=All", deployment("web", container(image=image))).body
    assert obj["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] == policy


def test_probes_ports_and_environment(api: Client, deployments: str) -> None:
    probe = {"httpGet": {"port": 80}}
    field = {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    body = container(livenessProbe=probe, ports=[{"containerPort": 80}], env=[field, {"name": "EMPTY", "value": ""}])
    obj = api.post(deployments, deployment("web", body)).body["spec"]["template"]["spec"]["containers"][0]
    assert obj["livenessProbe"] == {
        "httpGet": {"path": "/", "port": 80, "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
    assert obj["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    assert obj["env"][0]["valueFrom"]["fieldRef"]["apiVersion"] == "v1"
    assert obj["env"][1] == {"name": "EMPTY"}


def test_volumes(api: Client, deployments: str) -> None:
    body = deployment()
    body["spec"]["template"]["spec"]["volumes"] = [
        {"name": "none"},
        {"name": "secret", "secret": {"secretName": "s"}},
        {"name": "config", "configMap": {"name": "c"}},
        {"name": "host", "hostPath": {"path": "/x"}},
    ]
    volumes = api.post(deployments, body).body["spec"]["template"]["spec"]["volumes"]
    assert volumes == [
        {"name": "none", "emptyDir": {}},
        {"name": "secret", "secret": {"secretName": "s", "defaultMode": 420}},
        {"name": "config", "configMap": {"name": "c", "defaultMode": 420}},
        {"name": "host", "hostPath": {"path": "/x", "type": ""}},
    ]


def test_what_is_empty_is_left_out(api: Client, deployments: str) -> None:
    body = deployment("web", container(args=[], env=[], volumeMounts=[], stdin=False))
    body["metadata"] |= {"labels": {}, "annotations": {}}
    body["spec"]["template"]["spec"] |= {"nodeSelector": {}, "tolerations": [], "hostNetwork": False}
    obj = api.post(deployments, body).body
    assert not {"labels", "annotations"} & obj["metadata"].keys()
    pod = obj["spec"]["template"]["spec"]
    assert not {"nodeSelector", "tolerations", "hostNetwork"} & pod.keys()
    assert pod["containers"] == [container() | _CONTAINER]


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ("1000m", "1"),
        ("0.5", "500m"),
        ("100m", "100m"),
        ("1024Mi", "1Gi"),
        ("1000", "1k"),
        ("1.5Gi", "1536Mi"),
        ("0", "0"),
        ("1e3", "1e3"),
        (2, "2"),
    ],
)
def test_quantities_are_canonical(api: Client, namespace: str, given: object, canonical: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/resourcequotas?dryRun=All"
    obj = api.post(path, {"metadata": {"name": "q"}, "spec": {"hard": {"requests.cpu": given}}}).body
    assert obj["spec"]["hard"] == {"requests.cpu": canonical}


def test_a_service(api: Client, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/services"
    obj = api.post(path, service(ports=[{"port": 80}, {"port": 81, "name": "b", "targetPort": "http"}])).body
    assert obj["reason"] == "Invalid"
    body = service(ports=[{"port": 80, "name": "a"}, {"port": 81, "name": "b", "targetPort": "http"}])
    obj = api.post(path, body).body
    assert (obj["spec"]["type"], obj["spec"]["sessionAffinity"]) == ("ClusterIP", "None")
    assert obj["spec"]["clusterIP"].startswith("10.")
    assert obj["spec"]["clusterIPs"] == [obj["spec"]["clusterIP"]]
    assert obj["spec"]["ports"] == [
        {"port": 80, "name": "a", "protocol": "TCP", "targetPort": 80},
        {"port": 81, "name": "b", "protocol": "TCP", "targetPort": "http"},
    ]
    assert obj["status"] == {"loadBalancer": {}}


def test_services_without_an_address_of_the_cluster(api: Client, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/services"
    headless = api.post(path, service("headless", clusterIP="None")).body["spec"]
    assert (headless["clusterIP"], headless["clusterIPs"]) == ("None", ["None"])
    external = {"metadata": {"name": "external"}, "spec": {"type": "ExternalName", "externalName": "a.example"}}
    assert "clusterIP" not in api.post(path, external).body["spec"]
    node = api.post(path, service("node", type="NodePort")).body["spec"]
    assert 30000 <= node["ports"][0]["nodePort"] < 32768
    assert node["externalTrafficPolicy"] == "Cluster"


def test_a_secret(api: Client, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/secrets"
    body = {"metadata": {"name": "a"}, "data": {"x": "eA=="}, "stringData": {"y": "why", "x": "ex"}}
    obj = api.post(path, body).body
    assert obj["type"] == "Opaque"
    assert "stringData" not in obj
    assert {key: base64.b64decode(value) for key, value in obj["data"].items()} == {"x": b"ex", "y": b"why"}


def test_a_stateful_set(api: Client, namespace: str) -> None:
    body = deployment() | {"kind": "StatefulSet"}
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1024Mi"}}}
    body["spec"] |= {"serviceName": "web", "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim}]}
    spec = api.post(f"/apis/apps/v1/namespaces/{namespace}/statefulsets", body).body["spec"]
    assert (spec["replicas"], spec["podManagementPolicy"], spec["revisionHistoryLimit"]) == (1, "OrderedReady", 10)
    assert spec["updateStrategy"] == {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}
    template = spec["volumeClaimTemplates"][0]
    assert (template["spec"]["volumeMode"], template["spec"]["resources"]["requests"]["storage"]) == (
        "Filesystem",
        "1Gi",
    )


def test_a_daemon_set(api: Client, namespace: str) -> None:
    body = deployment() | {"kind": "DaemonSet"}
    spec = api.post(f"/apis/apps/v1/namespaces/{namespace}/daemonsets", body).body["spec"]
    assert spec["updateStrategy"]["type"] == "RollingUpdate"
    assert spec["updateStrategy"]["rollingUpdate"]["maxUnavailable"] == 1


def test_a_job_selects_its_own_pods(api: Client, namespace: str) -> None:
    body = {"metadata": {"name": "a"}, "spec": {"template": {"spec": {"containers": [container()]}}}}
    body["spec"]["template"]["spec"]["restartPolicy"] = "Never"  # type: ignore[index]
    obj = api.post(f"/apis/batch/v1/namespaces/{namespace}/jobs", body).body
    spec = obj["spec"]
    assert (spec["completions"], spec["parallelism"], spec["backoffLimit"]) == (1, 1, 6)
    assert list(spec["selector"]["matchLabels"].values()) == [obj["metadata"]["uid"]]
    assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()


def test_a_claim_and_a_network_policy(api: Client, namespace: str) -> None:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    path = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims?dryRun=All"
    obj = api.post(path, {"metadata": {"name": "a"}, "spec": claim}).body
    assert (obj["spec"]["volumeMode"], obj["status"]["phase"]) == ("Filesystem", "Pending")
    path = f"/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies"
    policy = {"podSelector": {}, "ingress": [{"ports": [{"port": 80}]}]}
    spec = api.post(path, {"metadata": {"name": "a"}, "spec": policy}).body["spec"]
    assert spec["policyTypes"] == ["Ingress"]
    assert spec["ingress"] == [{"ports": [{"port": 80, "protocol": "TCP"}]}]


def test_an_autoscaler_in_its_first_version(api: Client, namespace: str) -> None:
    path = f"/apis/autoscaling/v1/namespaces/{namespace}/horizontalpodautoscalers"
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    spec = {"scaleTargetRef": target, "maxReplicas": 3, "targetCPUUtilizationPercentage": 50}
    api.post(path, {"metadata": {"name": "a"}, "spec": spec})
    assert api.get(f"{path}/a").body["spec"] == spec | {"minReplicas": 1}
    kind = {"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "a"}}
    again = api.apply(f"{path}/a", {**kind, "spec": {**spec, "minReplicas": 2}}, force="true")
    assert (again.status, again.body["spec"]["minReplicas"]) == (200, 2)


def test_an_autoscaler_in_both_versions(sandbox: Client) -> None:
    """autoscaling/v2 is newer than the real API server at hand may be."""
    namespace = sandbox.make_namespace()
    first, second = (
        f"/apis/autoscaling/{version}/namespaces/{namespace}/horizontalpodautoscalers" for version in ("v1", "v2")
    )  # fmt: skip
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    spec = {"scaleTargetRef": target, "maxReplicas": 3, "targetCPUUtilizationPercentage": 50}
    sandbox.post(first, {"metadata": {"name": "a"}, "spec": spec})
    seen = sandbox.get(f"{second}/a").body
    assert seen["apiVersion"] == "autoscaling/v2"
    assert seen["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 50
    sandbox.patch(f"{second}/a", {"spec": {"maxReplicas": 5}})
    assert sandbox.get(f"{first}/a").body["spec"]["targetCPUUtilizationPercentage"] == 50


def test_roles_and_bindings(api: Client, namespace: str) -> None:
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    assert api.post(f"{path}/roles", {"metadata": {"name": "a:b"}, "rules": []}).body["rules"] is None
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
    assert api.post(f"{path}/roles", {"metadata": {"name": "b"}, "rules": [rule]}).body["rules"] == [rule]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "b"}
    subjects = [{"kind": "ServiceAccount", "name": "x"}, {"kind": "User", "name": "y"}]
    obj = api.post(f"{path}/rolebindings", {"metadata": {"name": "b"}, "roleRef": role, "subjects": subjects}).body
    assert obj["roleRef"] == role
    assert obj["subjects"][1]["apiGroup"] == "rbac.authorization.k8s.io"
