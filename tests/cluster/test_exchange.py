"""What somebody put in the place of git's, where the API server takes only one of the two, is put back as well."""

from __future__ import annotations

from typing import Any

import pytest

from deployer.cluster.connection import Connection
from deployer.model import JSON, Action, DriftKind, DriftRule, Manifest
from tests.cluster.bring import bring, drifted
from tests.cluster.hands import Hands
from tests.cluster.objects import manifest, service, thing

POD = "/spec/template/spec"
CONTAINER = f"{POD}/containers/0"
LIFECYCLE = {"preStop": {"exec": {"command": ["sync"]}}}
Hand = dict[str, Any]


@pytest.fixture
def others(connection: Connection, namespace: str) -> Hands:
    return Hands(connection, namespace)


def web(*, pod: dict[str, JSON] | None = None, strategy: dict[str, JSON] | None = None, **container: JSON) -> Manifest:
    main = {"name": "main", "image": "shop:1", **container}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [main], **(pod or {})}}
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    return thing("apps/v1", "Deployment", "web", spec={**spec, **({"strategy": strategy} if strategy else {})})


def ingress() -> Manifest:
    backend = {"service": {"name": "x", "port": {"number": 80}}}
    return thing("networking.k8s.io/v1", "Ingress", "web", spec={"defaultBackend": backend})


def replacing(path: str, value: JSON) -> Hand:
    return {"op": "replace", "path": path, "value": value}


CASES: dict[str, tuple[Manifest, tuple[Hand, ...]]] = {
    "the only port of a service": (service("web"), (replacing("/spec/ports/0/port", 81),)),
    "the only container": (web(), (replacing(f"{CONTAINER}/name", "other"),)),
    "a strategy": (
        web(strategy={"type": "Recreate"}),
        ({"op": "replace", "path": "/spec/strategy", "value": {"type": "RollingUpdate"}},),
    ),
    "what a probe does": (
        web(livenessProbe={"httpGet": {"path": "/", "port": 80}}),
        (replacing(f"{CONTAINER}/livenessProbe", {"exec": {"command": ["true"]}}),),
    ),
    "the source of a volume": (
        web(pod={"volumes": [{"name": "a", "configMap": {"name": "x"}}]}),
        (replacing(f"{POD}/volumes/0", {"name": "a", "hostPath": {"path": "/"}}),),
    ),
    "an empty source of a volume": (
        web(pod={"volumes": [{"name": "a", "emptyDir": {}}]}),
        (replacing(f"{POD}/volumes/0", {"name": "a", "hostPath": {"path": "/"}}),),
    ),
    "where a variable comes from": (
        web(env=[{"name": "A", "value": "1"}]),
        (replacing(f"{CONTAINER}/env/0", {"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}),),
    ),
    "limits below git's requests": (
        web(resources={"requests": {"memory": "1Gi"}}),
        (replacing(f"{CONTAINER}/resources", {"requests": {"memory": "1Mi"}, "limits": {"memory": "2Mi"}}),),
    ),
    "the port behind an ingress": (
        ingress(),
        (replacing("/spec/defaultBackend/service/port", {"name": "http"}),),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_drift_and_put_back_by_one_deployment(
    connection: Connection, namespace: str, others: Hands, name: str
) -> None:
    subject, by_hand = CASES[name]
    bring(connection, [subject], namespace=namespace, hold=True)
    before = spec(others, subject)
    others.edit(subject, *by_hand)

    (found,) = drifted(connection, [subject], namespace=namespace)
    (result,) = bring(connection, [subject], namespace=namespace, hold=True)

    assert found.kind is DriftKind.CHANGED
    assert found.fields
    assert result.action is Action.UPDATED, result.message
    assert drifted(connection, [subject], namespace=namespace) == ()
    assert spec(others, subject) == before
    entries = others.live(subject)["metadata"]["managedFields"]
    assert [each["operation"] for each in entries if each["manager"] == "deployer"] == ["Apply"]
    (again,) = bring(connection, [subject], namespace=namespace, hold=True)
    assert again.action is Action.UNCHANGED


def spec(others: Hands, subject: Manifest) -> object:
    return others.live(subject)["spec"]


def test_it_is_exchanged_also_while_a_controller_writes_the_object(
    connection: Connection, namespace: str, others: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject, by_hand = CASES["the only port of a service"]
    bring(connection, [subject], namespace=namespace, hold=True)
    others.edit(subject, *by_hand)
    ask, written = connection.request, []

    def asking(method: str, path: str, **rest: Any) -> Any:
        if "json-patch" in rest.get("content_type", "") and len(written) % 2 == 0:
            written.append("")
            others.merge(subject, {"metadata": {"annotations": {"at": str(len(written))}}}, by="controller")
        elif "json-patch" in rest.get("content_type", "") and rest["query"]["fieldManager"] == "deployer":
            written.append("")
        return ask(method, path, **rest)

    monkeypatch.setattr(type(connection), "request", staticmethod(asking))
    (result,) = bring(connection, [subject], namespace=namespace, hold=True)
    monkeypatch.undo()

    assert written
    assert result.action is Action.UPDATED, result.message
    assert [port["port"] for port in others.live(subject)["spec"]["ports"]] == [80]
    entries = others.live(subject)["metadata"]["managedFields"]
    assert [each["operation"] for each in entries if each["manager"] == "deployer"] == ["Apply"]


def test_what_others_have_beside_it_stays(connection: Connection, namespace: str, others: Hands) -> None:
    subject, (by_hand,) = CASES["the source of a volume"]
    content: Any = subject.content
    unscaled = {key: value for key, value in content["spec"].items() if key != "replicas"}
    subject = manifest({**content, "spec": unscaled})
    bring(connection, [subject], namespace=namespace, hold=True)
    sidecar = {"name": "side", "image": "mesh:1"}
    others.edit(subject, {"op": "add", "path": f"{POD}/containers/-", "value": sidecar}, by="mesh-injector")
    others.merge(subject, {"spec": {"replicas": 0}}, by="kubectl-scale")
    others.merge(subject, {"metadata": {"annotations": {"note": "mine"}}}, by="kubectl-annotate")
    others.edit(subject, by_hand)

    (result,) = bring(connection, [subject], namespace=namespace, hold=True)

    live = others.live(subject)
    pod = live["spec"]["template"]["spec"]
    assert result.action is Action.UPDATED, result.message
    assert [list(volume) for volume in pod["volumes"]] == [["name", "configMap"]]
    assert [container["name"] for container in pod["containers"]] == ["main", "side"]
    assert (live["spec"]["replicas"], live["metadata"]["annotations"]["note"]) == (0, "mine")


def test_of_a_container_only_what_may_be_in_the_way_is_taken_away(
    connection: Connection, namespace: str, others: Hands
) -> None:
    subject, by_hand = CASES["limits below git's requests"]
    bring(connection, [subject], namespace=namespace, hold=True)
    others.edit(subject, *by_hand, {"op": "add", "path": f"{CONTAINER}/lifecycle", "value": LIFECYCLE})

    (result,) = bring(connection, [subject], namespace=namespace, hold=True)

    (container,) = others.live(subject)["spec"]["template"]["spec"]["containers"]
    assert result.action is Action.UPDATED, result.message
    assert (container["resources"], container["lifecycle"]) == ({"requests": {"memory": "1Gi"}}, LIFECYCLE)


def test_what_no_person_put_there_is_refused_and_stays(connection: Connection, namespace: str, others: Hands) -> None:
    subject, (by_hand,) = CASES["the source of a volume"]
    bring(connection, [subject], namespace=namespace, hold=True)
    others.edit(subject, by_hand, by="csi-controller")

    (found,) = drifted(connection, [subject], namespace=namespace)
    (result,) = bring(connection, [subject], namespace=namespace, hold=True)

    assert "may not specify more than 1 volume type" in found.note
    assert result.action is Action.FAILED
    assert others.live(subject)["spec"]["template"]["spec"]["volumes"][0]["hostPath"]["path"] == "/"


def test_what_is_left_alone_is_not_taken_away_for_it(connection: Connection, namespace: str, others: Hands) -> None:
    subject, (by_hand,) = CASES["the source of a volume"]
    rules = (DriftRule(path=f"{POD}/volumes/0/hostPath"),)
    bring(connection, [subject], namespace=namespace, hold=True)
    others.edit(subject, by_hand)

    (result,) = bring(connection, [subject], namespace=namespace, hold=True, ignore=rules)

    assert result.action is Action.FAILED


def test_where_an_environment_is_only_observed_nothing_is_exchanged(
    connection: Connection, namespace: str, others: Hands
) -> None:
    subject, by_hand = CASES["the only port of a service"]
    bring(connection, [subject], namespace=namespace)
    others.edit(subject, *by_hand)

    assert drifted(connection, [subject], namespace=namespace)
    (result,) = bring(connection, [subject], namespace=namespace)

    assert result.action is Action.FAILED
    assert [port["port"] for port in others.live(subject)["spec"]["ports"]] == [81]
