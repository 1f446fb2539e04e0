"""What is refused and with which words, on both kinds of cluster."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.kubernetes.client import Client
from tests.sandbox.kubernetes.objects import Object, config_map, container, deployment, service

REQUIRED, INVALID = "FieldValueRequired", "FieldValueInvalid"
UNSUPPORTED, FORBIDDEN = "FieldValueNotSupported", "FieldValueForbidden"
_POD = "spec.template.spec"


@pytest.mark.parametrize(
    ("meta", "cause"),
    [
        ({}, ("metadata.name", REQUIRED)),
        ({"name": "A_b"}, ("metadata.name", INVALID)),
        ({"name": "a" * 254}, ("metadata.name", INVALID)),
        ({"name": "a/b"}, ("metadata.name", INVALID)),
        ({"name": ".."}, ("metadata.name", INVALID)),
        ({"name": "a", "labels": {"a b": "c"}}, ("metadata.labels", INVALID)),
        ({"name": "a", "labels": {"a": "c d"}}, ("metadata.labels", INVALID)),
        ({"name": "a", "labels": {"a": "c" * 64}}, ("metadata.labels", INVALID)),
        ({"name": "a", "annotations": {"/a": "c"}}, ("metadata.annotations", INVALID)),
        ({"name": "a", "finalizers": ["plain"]}, ("metadata.finalizers[0]", INVALID)),
    ],
)
def test_metadata(api: Client, config_maps: str, meta: Object, cause: tuple[str, str]) -> None:
    answer = api.post(config_maps, {"metadata": meta})
    assert (answer.status, answer.reason, answer.causes[0]) == (422, "Invalid", cause)


def test_the_message_says_what_is_wrong(api: Client, config_maps: str) -> None:
    answer = api.post(config_maps, config_map("A_b"))
    problem = (
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start"
        " and end with an alphanumeric character (e.g. 'example.com', regex used for validation is"
        " '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
    )
    assert answer.message == f'ConfigMap "A_b" is invalid: metadata.name: Invalid value: "A_b": {problem}'
    assert answer.body["details"]["name"] == "A_b"
    assert answer.body["details"]["kind"] == "ConfigMap"


def test_several_mistakes_are_listed(api: Client, deployments: str) -> None:
    answer = api.post(deployments, deployment("web", {"name": "A_"}))
    assert answer.message.startswith(f'Deployment.apps "web" is invalid: [{_POD}.containers[0].name: Invalid value: ')
    assert answer.message.endswith(f"{_POD}.containers[0].image: Required value]")


def _changed(**changes: Any) -> Object:
    return deployment("web", **changes)


def _without_selector() -> Object:
    body = deployment()
    del body["spec"]["selector"]
    return body


@pytest.mark.parametrize(
    ("body", "causes"),
    [
        (_without_selector(), {("spec.selector", REQUIRED), ("spec.template.metadata.labels", INVALID)}),
        (_changed(selector={"matchLabels": {"q": "r"}}), {("spec.template.metadata.labels", INVALID)}),
        (_changed(replicas=-1), {("spec.replicas", INVALID)}),
        (_changed(strategy={"type": "Sudden"}), {("spec.strategy", UNSUPPORTED)}),
        (
            _changed(strategy={"rollingUpdate": {"maxSurge": "some", "maxUnavailable": "50%"}}),
            {("spec.strategy.rollingUpdate.maxSurge", INVALID)},
        ),
        (deployment("web", container("A_")), {(f"{_POD}.containers[0].name", INVALID)}),
        (
            deployment("web", container(), container()),
            {(f"{_POD}.containers[1].name", "FieldValueDuplicate")},
        ),
        (
            deployment("web", container(imagePullPolicy="Perhaps")),
            {(f"{_POD}.containers[0].imagePullPolicy", UNSUPPORTED)},
        ),
        (
            deployment("web", container(ports=[{"containerPort": 99999}])),
            {(f"{_POD}.containers[0].ports[0].containerPort", INVALID)},
        ),
        (
            deployment("web", container(volumeMounts=[{"name": "zz", "mountPath": "/x"}])),
            {(f"{_POD}.containers[0].volumeMounts[0].name", "FieldValueNotFound")},
        ),
        (
            deployment("web", container(resources={"limits": {"cpu": "1"}, "requests": {"cpu": "2"}})),
            {(f"{_POD}.containers[0].resources.requests", INVALID)},
        ),
    ],
)
def test_deployments(api: Client, deployments: str, body: Object, causes: set[tuple[str, str]]) -> None:
    posted = api.post(deployments, body)
    assert (posted.status, set(posted.causes)) == (422, causes)
    assert posted.body["details"]["group"] == "apps"


@pytest.mark.parametrize(
    ("body", "cause", "words"),
    [
        (
            deployment("web", container(livenessProbe={"exec": {"command": ["a"]}, "tcpSocket": {"port": 1}})),
            (f"{_POD}.containers[0].livenessProbe.tcpSocket", FORBIDDEN),
            "may not specify more than 1 handler type",
        ),
        (
            deployment(
                "web", container(env=[{"name": "A", "value": "1", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}])
            ),
            (f"{_POD}.containers[0].env[0].valueFrom", INVALID),
            "may not be specified when `value` is not empty",
        ),
        (
            _changed(strategy={"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}),
            ("spec.strategy.rollingUpdate", FORBIDDEN),
            "may not be specified when strategy `type` is 'Recreate'",
        ),
    ],
)
def test_of_what_excludes_each_other_only_one_may_be_there(
    api: Client, deployments: str, body: Object, cause: tuple[str, str], words: str
) -> None:
    answer = api.post(deployments, body)
    assert answer.status == 422
    assert cause in answer.causes
    assert words in answer.message


def test_a_volume_has_one_source(api: Client, deployments: str) -> None:
    body = deployment()
    body["spec"]["template"]["spec"]["volumes"] = [{"name": "a", "emptyDir": {}, "hostPath": {"path": "/"}}]
    answer = api.post(deployments, body)
    assert (answer.status, [reason for _, reason in answer.causes]) == (422, [FORBIDDEN])
    assert "may not specify more than 1 volume type" in answer.message


def test_a_port_behind_an_ingress_has_a_name_or_a_number(api: Client, namespace: str) -> None:
    backend = {"service": {"name": "x", "port": {"name": "http", "number": 80}}}
    body = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "a"}}
    path = f"/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses"
    answer = api.post(path, {**body, "spec": {"defaultBackend": backend}})
    assert answer.status == 422
    assert "cannot set both port name & port number" in answer.message


def test_a_deployment_needs_containers(api: Client, deployments: str) -> None:
    body = deployment()
    body["spec"]["template"]["spec"]["containers"] = []
    assert api.apply(f"{deployments}/web", body).causes == [(f"{_POD}.containers", REQUIRED)]


@pytest.mark.parametrize("quantity", ["abc", "1 Gi", "1kk", "--1", ""])
def test_what_is_no_quantity_is_not_read(api: Client, deployments: str, quantity: str) -> None:
    body = deployment("web", container(resources={"limits": {"cpu": quantity}}))
    posted = api.post(deployments, body)
    assert (posted.status, posted.reason) == (400, "BadRequest")
    assert "quantit" in posted.message
    assert api.apply(f"{deployments}/web", body).status == 500


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (service("1web"), ("metadata.name", INVALID)),
        (service("a.b"), ("metadata.name", INVALID)),
        (service(ports=[]), ("spec.ports", REQUIRED)),
        (service(ports=[{"port": 0}]), ("spec.ports[0].port", INVALID)),
        (service(ports=[{"port": 80}, {"port": 81}]), ("spec.ports[0].name", REQUIRED)),
        (service(type="Sometimes"), ("spec.type", UNSUPPORTED)),
        (service(ports=[{"port": 80, "protocol": "IPX"}]), ("spec.ports[0].protocol", UNSUPPORTED)),
    ],
)
def test_services(api: Client, namespace: str, body: Object, cause: tuple[str, str]) -> None:
    answer = api.post(f"/api/v1/namespaces/{namespace}/services", body)
    assert (answer.status, answer.causes[0]) == (422, cause)


def test_keys_of_config_maps(api: Client, config_maps: str) -> None:
    answer = api.post(config_maps, config_map(data={"a/b": ""}))
    assert answer.causes == [("data[a/b]", INVALID)]


def test_data_of_secrets(api: Client, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/secrets"
    posted = api.post(path, {"metadata": {"name": "a"}, "data": {"x": "!"}})
    assert (posted.status, posted.reason) == (400, "BadRequest")
    assert "illegal base64 data" in posted.message
    answer = api.post(path, {"metadata": {"name": "a"}, "type": "kubernetes.io/tls"})
    assert answer.causes == [("data[tls.crt]", REQUIRED), ("data[tls.key]", REQUIRED)]


def test_jobs_say_what_happens_when_they_fail(api: Client, namespace: str) -> None:
    body = {"metadata": {"name": "a"}, "spec": {"template": {"spec": {"containers": [container()]}}}}
    answer = api.post(f"/apis/batch/v1/namespaces/{namespace}/jobs", body)
    assert answer.causes == [(f"{_POD}.restartPolicy", REQUIRED)]


def test_claims(api: Client, namespace: str) -> None:
    answer = api.post(f"/api/v1/namespaces/{namespace}/persistentvolumeclaims", {"metadata": {"name": "a"}})
    assert answer.causes == [("spec.accessModes", REQUIRED), ("spec.resources[storage]", REQUIRED)]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"spec": {"selector": {"matchLabels": {"more": "x"}}}}, "spec.selector"),
    ],
)
def test_what_a_deployment_may_not_change(api: Client, deployments: str, change: Object, path: str) -> None:
    api.post(deployments, deployment())
    answer = api.patch(f"{deployments}/web", change)
    assert (answer.status, (path, INVALID) in answer.causes) == (422, True)
    assert "field is immutable" in answer.message


def test_what_a_service_may_not_change(api: Client, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/services"
    address = api.post(path, service()).body["spec"]["clusterIP"]
    answer = api.patch(f"{path}/web", {"spec": {"clusterIP": "10.96.200.200", "clusterIPs": ["10.96.200.200"]}})
    assert (answer.status, answer.reason) == (422, "Invalid")
    assert api.get(f"{path}/web").body["spec"]["clusterIP"] == address


@pytest.mark.parametrize("kind", ["configmaps", "secrets"])
def test_what_is_immutable_stays_as_it_is(api: Client, namespace: str, kind: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/{kind}"
    assert api.post(path, {"metadata": {"name": "a"}, "data": {"x": "eA=="}, "immutable": True}).status == 201
    answer = api.patch(f"{path}/a", {"data": {"x": "eQ=="}})
    assert answer.causes == [("data", FORBIDDEN)]
    assert answer.body["details"]["causes"][0]["message"] == (
        "Forbidden: field is immutable when `immutable` is set"
    )  # fmt: skip
    assert api.patch(f"{path}/a", {"immutable": False}).causes == [("immutable", FORBIDDEN)]
    assert api.patch(f"{path}/a", {"metadata": {"labels": {"a": "b"}}}).status == 200


def test_the_type_of_a_secret_stays(api: Client, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/secrets"
    api.post(path, {"metadata": {"name": "a"}})
    answer = api.patch(f"{path}/a", {"type": "other"})
    assert answer.message == 'Secret "a" is invalid: type: Invalid value: "other": field is immutable'


def test_what_a_stateful_set_may_not_change(api: Client, namespace: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/statefulsets"
    body = deployment() | {"kind": "StatefulSet"}
    body["spec"]["serviceName"] = "web"
    api.post(path, body)
    answer = api.patch(f"{path}/web", {"spec": {"serviceName": "other"}})
    assert answer.causes == [("spec", FORBIDDEN)]
    assert "updates to statefulset spec for fields other than 'replicas'" in answer.message
    assert api.patch(f"{path}/web", {"spec": {"replicas": 3}}).status == 200


def test_what_a_job_may_not_change(api: Client, namespace: str) -> None:
    path = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    pod = {"containers": [container()], "restartPolicy": "Never"}
    api.post(path, {"metadata": {"name": "a"}, "spec": {"template": {"spec": pod}}})
    answer = api.patch(f"{path}/a", {"spec": {"template": {"spec": {"restartPolicy": "OnFailure"}}}})
    assert answer.causes == [("spec.template", INVALID)]
    assert answer.message.endswith("field is immutable")


def test_what_a_binding_may_not_change(api: Client, namespace: str) -> None:
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings"
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "a"}
    api.post(path, {"metadata": {"name": "a"}, "roleRef": role})
    answer = api.patch(f"{path}/a", {"roleRef": {"name": "b"}})
    assert (answer.causes, answer.message.endswith("cannot change roleRef")) == ([("roleRef", INVALID)], True)


def test_unknown_fields_are_dropped_unless_validation_is_strict(sandbox: Client) -> None:
    """fieldValidation is newer than the real API server at hand may be."""
    path = f"/api/v1/namespaces/{sandbox.make_namespace()}/configmaps"
    answer = sandbox.post(f"{path}?fieldValidation=Strict", config_map() | {"dta": {}})
    assert (answer.status, answer.message) == (400, 'strict decoding error: unknown field "dta"')
    assert "dta" not in sandbox.post(path, config_map() | {"dta": {}}).body
