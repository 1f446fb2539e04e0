"""What is no drift, whatever it looks like: the API server's own doing, controllers' and injectors'."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from typing import Any

import pytest

from deployer.cluster.connection import Connection
from deployer.model import Action, DriftKind, Manifest
from tests.cluster.bring import bring, drifted
from tests.cluster.catalogue import OBJECTS
from tests.cluster.hands import Hands
from tests.cluster.objects import config_map, definition, manifest, secret, service, thing, validating_webhook

BUNDLE = base64.b64encode(b"-----BEGIN CERTIFICATE-----").decode()
BLANK = base64.b64encode(b"\n").decode()
SIDECAR = {"name": "proxy", "image": "proxy:1", "volumeMounts": [{"name": "certs", "mountPath": "/certs"}]}


@pytest.fixture
def others(connection: Connection, namespace: str) -> Hands:
    return Hands(connection, namespace)


@pytest.fixture
def brought(
    connection: Connection, namespace: str, clean: Callable[[str], None], others: Hands
) -> Callable[..., tuple[Manifest, ...]]:
    """Applies objects to the test's namespace; those outside of it are gone after the test."""

    def apply(*wanted: Manifest) -> tuple[Manifest, ...]:
        results = bring(connection, wanted, namespace=namespace)
        assert {result.action for result in results} == {Action.CREATED}, results
        for each in wanted:
            if each.ref.kind in ("ClusterRole", "CustomResourceDefinition", "APIService") or "Webhook" in each.ref.kind:
                clean(others.path(each))
        return wanted

    return apply


def web(**spec: Any) -> Manifest:
    """A Deployment with a list of each sort."""
    container = {
        "name": "main",
        "image": "shop:1",
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        "ports": [{"containerPort": 80, "protocol": "TCP"}, {"containerPort": 53, "protocol": "UDP"}],
        "resources": {"limits": {"cpu": "1000m", "memory": "1024Mi"}, "requests": {"cpu": "0.25", "memory": "1e6"}},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    }
    pod = {"containers": [container], "volumes": [{"name": "tmp", "emptyDir": {}}]}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": pod}
    rest = {"replicas": 0, "selector": {"matchLabels": {"app": "web"}}, "template": template, **spec}
    return thing("apps/v1", "Deployment", "web", spec={key: value for key, value in rest.items() if value is not None})


def autoscaler(target: str) -> Manifest:
    spec = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target}, "maxReplicas": 9}
    return thing("autoscaling/v1", "HorizontalPodAutoscaler", target, spec=spec)


def of_pod(others: Hands, subject: Manifest) -> dict[str, Any]:
    spec: dict[str, Any] = others.live(subject)["spec"]["template"]["spec"]
    return spec


def in_pod(spec: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"template": {"spec": spec}}}


def webhook(bundle: str | None) -> Manifest:
    made = validating_webhook(f"test-{secrets.token_hex(4)}")
    hook = dict(made.content["webhooks"][0])  # type: ignore[arg-type,index]
    client = {"service": {"namespace": "default", "name": "hook"}}
    return manifest({**made.content, "webhooks": [{**hook, "clientConfig": client | bundled(bundle)}]})


def bundled(bundle: str | None) -> dict[str, str]:
    return {} if bundle is None else {"caBundle": bundle}


def converted(bundle: str | None) -> Manifest:
    """A definition whose versions a webhook converts."""
    made = definition("things", "Thing", f"test-{secrets.token_hex(4)}.example.com")
    client = {"service": {"namespace": "default", "name": "hook", "path": "/convert"}} | bundled(bundle)
    conversion = {"strategy": "Webhook", "webhook": {"clientConfig": client, "conversionReviewVersions": ["v1"]}}
    return manifest({**made.content, "spec": {**made.content["spec"], "conversion": conversion}})  # type: ignore[dict-item]


def aggregated() -> Manifest:
    name = f"test-{secrets.token_hex(4)}"
    chosen = {"clusterRoleSelectors": [{"matchLabels": {"aggregate-to": name}}]}
    kind = "ClusterRole"
    return thing("rbac.authorization.k8s.io/v1", kind, name, aggregationRule=chosen)


def test_defaults_quantities_and_empty_values_are_none(
    connection: Connection, namespace: str, brought: Callable[..., Any]
) -> None:
    empty = manifest({**config_map("empty").content, "metadata": {"name": "empty", "labels": {}, "annotations": {}}})
    wanted = brought(web(strategy={}), service("web"), empty, secret("keys"), config_map("a", x=""))

    assert drifted(connection, wanted, namespace=namespace) == ()


@pytest.mark.parametrize("reorder", ["env", "ports", "volumeMounts"])
def test_a_keyed_list_in_another_order_is_none(
    connection: Connection, namespace: str, brought: Callable[..., Any], others: Hands, reorder: str
) -> None:
    mounts = [{"name": "tmp", "mountPath": "/tmp"}, {"name": "tmp", "mountPath": "/var"}]
    subject = web()
    pod: Any = subject.content["spec"]
    pod["template"]["spec"]["containers"][0]["volumeMounts"] = mounts
    brought(subject)
    pod = of_pod(others, subject)
    pod["containers"][0][reorder].reverse()
    others.merge(subject, in_pod({"containers": pod["containers"]}))
    assert of_pod(others, subject)["containers"][0][reorder] == pod["containers"][0][reorder]

    assert drifted(connection, [subject], namespace=namespace) == ()


def test_finalizers_and_owners_are_none_in_whatever_order(
    connection: Connection, namespace: str, brought: Callable[..., Any], others: Hands
) -> None:
    named = ["example.com/a", "example.com/b"]
    subject = manifest({**config_map("a", x="1").content, "metadata": {"name": "a", "finalizers": named}})
    brought(subject)
    more = ["example.com/theirs", *reversed(named)]
    home: Any = connection.request("GET", f"/api/v1/namespaces/{namespace}").body  # an owner that is there
    owner = {"apiVersion": "v1", "kind": "Namespace", "name": namespace, "uid": home["metadata"]["uid"]}
    others.merge(subject, {"metadata": {"finalizers": more, "ownerReferences": [owner]}}, by="kubectl-edit")

    assert drifted(connection, [subject], namespace=namespace) == ()
    others.merge(subject, {"metadata": {"finalizers": None}})


def test_replicas_that_git_does_not_name_are_none(
    connection: Connection, namespace: str, brought: Callable[..., Any], others: Hands
) -> None:
    (subject,) = brought(web(replicas=None))
    others.scale(subject, 4)

    assert drifted(connection, [subject], namespace=namespace) == ()


def test_replicas_of_an_autoscaler_in_git_are_none_and_are_left_to_it(
    connection: Connection, namespace: str, brought: Callable[..., Any], others: Hands
) -> None:
    wanted = brought(web(replicas=2), autoscaler("web"))
    others.scale(wanted[0], 4, by="kube-controller-manager")

    assert drifted(connection, wanted, namespace=namespace) == ()
    bring(connection, [*wanted, config_map("new", x="1")], namespace=namespace)
    assert others.live(wanted[0])["spec"]["replicas"] == 4


def test_replicas_of_an_autoscaler_that_is_missing_are_its_own_still(
    connection: Connection, namespace: str, brought: Callable[..., Any], others: Hands
) -> None:
    wanted = brought(web(replicas=2), autoscaler("web"))
    others.scale(wanted[0], 4)
    others.delete(wanted[1])

    assert [found.kind for found in drifted(connection, wanted, namespace=namespace)] == [DriftKind.MISSING]


def test_replicas_of_an_autoscaler_in_the_cluster_are_none_until_it_is_gone(
    connection: Connection, namespace: str, brought: Callable[..., Any], others: Hands
) -> None:
    (subject,) = brought(web(replicas=2))
    scaler = autoscaler("web")
    others.create(scaler)
    others.scale(subject, 4)

    assert drifted(connection, [subject], namespace=namespace) == ()
    others.delete(scaler)
    (found,) = drifted(connection, [subject], namespace=namespace)
    assert [field.path for field in found.fields] == ["spec.replicas"]


@pytest.mark.parametrize("first", [True, False], ids=["before ours", "after ours"])
def test_an_injected_sidecar_with_its_volume_and_annotation_is_none(
    connection: Connection, namespace: str, brought: Callable[..., Any], others: Hands, *, first: bool
) -> None:
    (subject,) = brought(web())
    pod = of_pod(others, subject)
    containers = [SIDECAR, *pod["containers"]] if first else [*pod["containers"], SIDECAR]
    volumes = [{"name": "certs", "emptyDir": {}}, *pod["volumes"]]
    annotations = {"sidecar.example.com/status": "injected"}
    template = {"metadata": {"annotations": annotations}, "spec": {"containers": containers, "volumes": volumes}}
    patch = {"metadata": {"annotations": annotations}, "spec": {"template": template}}
    others.merge(subject, patch, by="sidecar-injector")

    assert drifted(connection, [subject], namespace=namespace) == ()


def test_a_sidecar_before_ours_is_none_even_if_something_else_differs(
    connection: Connection, namespace: str, brought: Callable[..., Any], others: Hands
) -> None:
    (subject,) = brought(web())
    containers = [{"name": "proxy", "image": "proxy:1"}, *of_pod(others, subject)["containers"]]
    others.merge(subject, in_pod({"containers": containers}), by="sidecar-injector")
    others.edit(subject, {"op": "replace", "path": "/spec/template/spec/containers/1/image", "value": "shop:2"})

    (found,) = drifted(connection, [subject], namespace=namespace)

    assert [field.path for field in found.fields] == ['spec.template.spec.containers[name="main"].image']


@pytest.mark.parametrize("placeholder", [None, "", BLANK], ids=["none", "empty", "blank"])
@pytest.mark.parametrize("make", [webhook, converted])
def test_an_injected_ca_bundle_is_none(
    connection: Connection, namespace: str, brought: Callable[..., Any], others: Hands, *,
    make: Callable[[str | None], Manifest], placeholder: str | None,
) -> None:  # fmt: skip
    (subject,) = brought(make(placeholder))
    at = "/webhooks/0" if make is webhook else "/spec/conversion/webhook"
    certificate = {"op": "add", "path": f"{at}/clientConfig/caBundle", "value": BUNDLE}
    others.edit(subject, certificate, by="cainjector")

    assert drifted(connection, [subject], namespace=namespace) == ()
    (result,) = bring(connection, [subject], namespace=namespace)
    assert result.action is Action.UNCHANGED


def test_an_address_and_a_port_that_the_cluster_gives_are_none(
    connection: Connection, namespace: str, brought: Callable[..., Any]
) -> None:
    port = {"port": 80, "targetPort": 8080, "protocol": "TCP"}
    given = thing("v1", "Service", "given", spec={"type": "NodePort", "ports": [port], "selector": {"app": "a"}})
    left = thing("v1", "Service", "left", spec={"clusterIP": "", "ports": [{**port, "nodePort": 0}]})

    assert drifted(connection, brought(given, left), namespace=namespace) == ()


def test_tokens_of_a_service_account_are_none(
    connection: Connection, namespace: str, brought: Callable[..., Any], others: Hands
) -> None:
    plain = thing("v1", "ServiceAccount", "plain")
    named = thing("v1", "ServiceAccount", "named", secrets=[{"name": "ours"}], imagePullSecrets=[{"name": "ours"}])
    wanted = brought(plain, named)
    for account in wanted:
        kept = others.live(account).get("secrets", [])
        token = {"name": f"{account.ref.name}-token-{secrets.token_hex(3)}"}
        others.merge(account, {"secrets": [*kept, token]}, by="kube-controller-manager")

    assert drifted(connection, wanted, namespace=namespace) == ()


@pytest.mark.parametrize("named", [True, False], ids=["empty in git", "not in git"])
def test_rules_of_an_aggregated_role_are_none_and_stay(
    connection: Connection, namespace: str, brought: Callable[..., Any], others: Hands, *, named: bool
) -> None:
    made = aggregated()
    (subject,) = brought(manifest({**made.content, "rules": []}) if named else made)
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    others.merge(subject, {"rules": rules}, by="clusterrole-aggregation-controller")

    assert drifted(connection, [subject], namespace=namespace) == ()
    bring(connection, [subject, config_map("new", x="1")], namespace=namespace)
    assert others.live(subject)["rules"] == rules


def test_a_status_is_none(connection: Connection, namespace: str, brought: Callable[..., Any], others: Hands) -> None:
    wanted = brought(web(), service("web"))
    others.merge(wanted[0], {"status": {"replicas": 3, "observedGeneration": 9}}, by="controller", part="/status")
    address = {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}
    others.merge(wanted[1], address, by="controller", part="/status")

    assert drifted(connection, wanted, namespace=namespace) == ()


def test_what_kubectl_quotes_of_an_object_is_none(
    connection: Connection, namespace: str, brought: Callable[..., Any], others: Hands
) -> None:
    (subject,) = brought(config_map("a", x="1"))
    quote = {"kubectl.kubernetes.io/last-applied-configuration": '{"data":{"x":"2"}}', "note": "by hand"}
    others.merge(subject, {"metadata": {"annotations": quote, "labels": {"theirs": "1"}}})

    assert drifted(connection, [subject], namespace=namespace) == ()


def test_what_is_written_and_put_back_by_hand_is_none(
    connection: Connection, namespace: str, brought: Callable[..., Any], others: Hands
) -> None:
    (subject,) = brought(config_map("a", x="1"))
    for value in ("2", "1"):
        others.merge(subject, {"data": {"x": value}})

    assert drifted(connection, [subject], namespace=namespace) == ()


def test_an_object_that_left_git_and_is_kept_is_none(connection: Connection, namespace: str) -> None:
    annotated = {"name": "kept", "annotations": {"deployer/prune": "false"}}
    kept = manifest({**config_map("kept", x="1").content, "metadata": annotated})
    wish = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1024Mi"}}}
    claim = thing("v1", "PersistentVolumeClaim", "data", spec=wish)
    staying = config_map("a", x="1")
    bring(connection, [staying, kept, claim], namespace=namespace)
    bring(connection, [staying], namespace=namespace)

    assert drifted(connection, [staying], namespace=namespace) == ()
    assert drifted(connection, [staying, kept], namespace=namespace, prune=None) == ()


@pytest.mark.parametrize("name", OBJECTS)
def test_objects_as_people_and_generators_write_them_are_none(
    connection: Connection, namespace: str, brought: Callable[..., Any], name: str
) -> None:
    wanted = brought(manifest(OBJECTS[name]))

    assert drifted(connection, wanted, namespace=namespace) == ()
