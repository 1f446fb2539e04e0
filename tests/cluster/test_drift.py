"""What is drift: a change of what git owns, an object that is gone, one too many; and who did it."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deployer.cluster.applyset import applyset_id
from deployer.cluster.connection import Connection, Response, connect
from deployer.model import JSON, PART_OF, Action, Author, DriftKind, FieldDrift, Manifest, ObjectDrift, ObjectRef
from deployer.settings import ClusterSettings, FileSecret
from tests.cluster.bring import INVENTORY, bring, drifted
from tests.cluster.hands import Hands
from tests.cluster.objects import config_map, deployment, manifest, secret, service, thing


@pytest.fixture
def others(connection: Connection, namespace: str) -> Hands:
    return Hands(connection, namespace)


def labelled(made: Manifest, **labels: str) -> Manifest:
    return manifest({**made.content, "metadata": {"name": made.ref.name, "labels": labels}})


def replacing(path: str, value: Any) -> dict[str, Any]:
    return {"op": "replace", "path": path, "value": value}


def only(found: tuple[ObjectDrift, ...]) -> ObjectDrift:
    (one,) = found
    return one


def test_a_changed_image_is_told_with_who_changed_it_and_when(
    connection: Connection, namespace: str, others: Hands
) -> None:
    subject = deployment("web")
    bring(connection, [subject], namespace=namespace)
    others.edit(subject, replacing("/spec/template/spec/containers/0/image", "shop:2"))

    found = only(drifted(connection, [subject], namespace=namespace))

    assert (found.ref.name, found.kind, found.note) == ("web", DriftKind.CHANGED, "")
    (field,) = found.fields
    path = 'spec.template.spec.containers[name="main"].image'
    assert (field.path, field.git, field.live, field.hidden) == (path, "shop:1", "shop:2", False)
    assert field.author is not None
    assert field.author.manager == "kubectl-edit"
    assert field.author.at is not None
    assert abs(field.author.at - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_removed_label_that_git_has_is_nobodys(connection: Connection, namespace: str, others: Hands) -> None:
    subject = labelled(config_map("a", x="1"), tier="front")
    bring(connection, [subject], namespace=namespace)
    others.merge(subject, {"metadata": {"labels": {"tier": None}}})

    found = only(drifted(connection, [subject], namespace=namespace))

    assert found.fields == (FieldDrift("metadata.labels.tier", "front", "(none)", None),)


ENV = "/spec/template/spec/containers/0/env"


def test_a_removed_variable_is_nobodys_although_others_have_variables_there(
    connection: Connection, namespace: str, others: Hands
) -> None:
    subject = deployment("web", containers=[
        {"name": "main", "image": "shop:1", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
    ])  # fmt: skip
    bring(connection, [subject], namespace=namespace)
    others.edit(subject, {"op": "remove", "path": f"{ENV}/1"}, by="alice")
    others.edit(subject, {"op": "add", "path": f"{ENV}/-", "value": {"name": "X", "value": "3"}}, by="bob")

    found = only(drifted(connection, [subject], namespace=namespace))

    by = {field.path.rpartition("[")[2]: field.author.manager if field.author else None for field in found.fields}
    assert by == {'name="B"]': None, 'name="X"]': "bob"}


@pytest.mark.parametrize(("value", "live"), [(False, True), (0, 30)])
def test_git_s_value_is_told_also_where_the_api_server_leaves_it_out(
    connection: Connection, namespace: str, others: Hands, value: Any, live: Any
) -> None:
    name = "paused" if value is False else "minReadySeconds"
    content: Any = deployment("web").content
    subject = manifest({**content, "spec": {**content["spec"], name: value}})
    bring(connection, [subject], namespace=namespace)
    others.merge(subject, {"spec": {name: live}})

    (field,) = only(drifted(connection, [subject], namespace=namespace)).fields

    assert (field.path, field.git, field.live) == (f"spec.{name}", json.dumps(value), json.dumps(live))


def test_git_s_empty_text_is_told_in_an_item_that_is_elsewhere_in_the_cluster(
    connection: Connection, namespace: str, others: Hands
) -> None:
    subject = deployment("web", containers=[
        {"name": "main", "image": "shop:1", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": ""}]},
    ])  # fmt: skip
    bring(connection, [subject], namespace=namespace)
    others.edit(subject, replacing(ENV, [{"name": "B", "value": "mine"}, {"name": "A", "value": "1"}]))

    (field,) = only(drifted(connection, [subject], namespace=namespace)).fields

    assert field.path.endswith('[name="B"].value')
    assert (field.git, field.live) == ('""', "mine")


def test_a_job_that_goes_by_itself_is_none_when_it_is_gone_and_any_other_is_missing(
    connection: Connection, namespace: str
) -> None:
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "shop:1"}]}
    going = thing("batch/v1", "Job", "going", spec={"ttlSecondsAfterFinished": 60, "template": {"spec": pod}})
    staying = thing("batch/v1", "Job", "staying", spec={"template": {"spec": pod}})
    bring(connection, [going, staying], namespace=namespace)
    for name in ("going", "staying"):
        path = f"/apis/batch/v1/namespaces/{namespace}/jobs/{name}"
        assert connection.request("DELETE", path, body={"propagationPolicy": "Background"}).status == 200

    assert only(drifted(connection, [going, staying], namespace=namespace)).ref.name == "staying"
    reverted = bring(connection, [going, staying], namespace=namespace, resting=frozenset())
    assert [result.action for result in reverted] == [Action.KEPT, Action.CREATED]
    (again, _) = bring(connection, [going, staying], namespace=namespace)
    assert again.action is Action.CREATED


def test_a_deployment_that_was_scaled_by_hand(connection: Connection, namespace: str, others: Hands) -> None:
    subject = deployment("web", replicas=1)
    bring(connection, [subject], namespace=namespace)
    others.scale(subject, 4)

    (field,) = only(drifted(connection, [subject], namespace=namespace)).fields

    assert (field.path, field.git, field.live) == ("spec.replicas", "1", "4")
    assert field.author is None or field.author.manager == "kubectl", "before 1.22 no scaling is on record"


def test_replicas_that_an_autoscaler_set_are_none_even_if_it_is_not_seen(sandbox_kubeconfig: Path) -> None:
    """Only newer API servers than the real one at hand have on record what was scaled."""
    settings = ClusterSettings(kubeconfig=FileSecret(file=sandbox_kubeconfig))
    with connect(settings, name="sandbox") as connection:
        name = f"test-{secrets.token_hex(4)}"
        body: dict[str, JSON] = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        assert connection.request("POST", "/api/v1/namespaces", body=body).status == 201
        subject, others = deployment("web", replicas=1), Hands(connection, name)
        bring(connection, [subject], namespace=name)
        others.scale(subject, 4, by="kube-controller-manager")

        assert drifted(connection, [subject], namespace=name) == ()


def test_a_deleted_object_is_missing(connection: Connection, namespace: str, others: Hands) -> None:
    gone, staying = config_map("gone", x="1"), config_map("staying", x="1")
    bring(connection, [gone, staying], namespace=namespace)
    others.delete(gone)

    found = only(drifted(connection, [gone, staying], namespace=namespace))

    assert found == ObjectDrift(ObjectRef("v1", "ConfigMap", namespace, "gone"), DriftKind.MISSING)


def test_an_object_that_is_being_deleted_is_missing_already(
    connection: Connection, namespace: str, others: Hands
) -> None:
    held = manifest({**config_map("a", x="1").content, "metadata": {"name": "a", "finalizers": ["example.com/hold"]}})
    bring(connection, [held], namespace=namespace)
    others.delete(held)

    found = only(drifted(connection, [held], namespace=namespace))

    assert (found.kind, found.note) == (DriftKind.MISSING, "the old one is still being deleted")
    others.merge(held, {"metadata": {"finalizers": None}})


def test_an_object_with_our_label_is_one_too_many_and_told_with_its_maker(
    connection: Connection, namespace: str, others: Hands
) -> None:
    subject = config_map("a", x="1")
    bring(connection, [subject], namespace=namespace)
    others.create(labelled(config_map("more", x="1"), **{PART_OF: applyset_id(INVENTORY, namespace)}))

    found = only(drifted(connection, [subject], namespace=namespace))

    assert (found.ref.name, found.kind, found.fields) == ("more", DriftKind.EXTRA, ())
    assert found.author is not None
    assert found.author.manager == "kubectl-create"


def test_an_object_that_got_our_label_later_is_whoever_put_it_theres(
    connection: Connection, namespace: str, others: Hands
) -> None:
    subject, more = config_map("a", x="1"), config_map("more", x="1")
    bring(connection, [subject], namespace=namespace)
    others.create(more, by="controller")
    others.merge(more, {"metadata": {"labels": {PART_OF: applyset_id(INVENTORY, namespace)}}}, by="kubectl-label")

    found = only(drifted(connection, [subject], namespace=namespace))

    assert found.author is not None
    assert found.author.manager == "kubectl-label"


def test_an_object_that_lost_our_label_is_missing(connection: Connection, namespace: str, others: Hands) -> None:
    subject = config_map("a", x="1")
    bring(connection, [subject], namespace=namespace)
    others.merge(subject, {"metadata": {"labels": {PART_OF: None}}})

    assert only(drifted(connection, [subject], namespace=namespace)).kind is DriftKind.MISSING


def test_an_object_that_is_another_sets_is_missing_with_whose_it_is(
    connection: Connection, namespace: str, others: Hands
) -> None:
    subject = config_map("a", x="1")
    bring(connection, [subject], namespace=namespace)
    others.merge(subject, {"metadata": {"labels": {PART_OF: "applyset-another-v1"}}})

    found = only(drifted(connection, [subject], namespace=namespace))

    assert found.kind is DriftKind.MISSING
    assert "applyset-another-v1" in found.note


def test_of_a_secret_only_that_it_differs(connection: Connection, namespace: str, others: Hands) -> None:
    values = [base64.b64encode(secrets.token_bytes(12)).decode() for _ in range(4)]
    subject = secret("keys", a=values[0], b=values[1])
    bring(connection, [subject], namespace=namespace)
    others.merge(subject, {"data": {"a": values[2], "c": values[3]}})

    found = only(drifted(connection, [subject], namespace=namespace))

    (field,) = found.fields
    assert (field.path, field.git, field.live, field.hidden) == ("data.a", "", "", True)
    assert str(field).startswith("data.a changed (hidden) by kubectl-edit at ")
    assert not [value for value in values if value in repr(found)]


def test_a_difference_counts_whether_or_not_conflicts_are_forced(
    connection: Connection, namespace: str, others: Hands
) -> None:
    subject = config_map("a", x="ours")
    bring(connection, [subject], namespace=namespace)
    others.merge(subject, {"data": {"x": "theirs"}})

    found = only(drifted(connection, [subject], namespace=namespace, force=False))

    assert found.note == ""
    assert [(field.path, field.git, field.live) for field in found.fields] == [("data.x", "ours", "theirs")]


def test_what_only_recreating_would_put_back_is_told_by_its_fields(
    connection: Connection, namespace: str, others: Hands
) -> None:
    subject = deployment("web")
    bring(connection, [subject], namespace=namespace)
    others.delete(subject)
    label = {PART_OF: applyset_id(INVENTORY, namespace)}
    others.create(labelled(deployment("web", selector="else"), **label))

    found = only(drifted(connection, [subject], namespace=namespace))

    assert found.kind is DriftKind.CHANGED
    assert "spec.selector: field is immutable" in found.note
    assert {field.path: (field.git, field.live) for field in found.fields} == {
        "spec.selector.matchLabels.app": ("web", "else"),
        "spec.template.metadata.labels.app": ("web", "else"),
    }


def test_what_is_refused_is_drift_although_git_names_nothing_but_an_empty_value(
    connection: Connection, namespace: str, others: Hands
) -> None:
    """Where the API server allows one kind of volume only, applying `emptyDir: {}` over another one is refused."""
    subject = deployment("web", volumes=[{"name": "a", "emptyDir": {}}])
    bring(connection, [subject], namespace=namespace)
    assert drifted(connection, [subject], namespace=namespace) == ()
    others.edit(
        subject, replacing("/spec/template/spec/volumes/0", {"name": "a", "hostPath": {"path": "/"}})
    )  # fmt: skip

    found = only(drifted(connection, [subject], namespace=namespace))

    assert found.kind is DriftKind.CHANGED
    assert 'spec.template.spec.volumes[name="a"].emptyDir' in [field.path for field in found.fields]


def test_what_is_refused_is_drift_although_nothing_can_be_seen_to_differ(sandbox_kubeconfig: Path) -> None:
    settings = ClusterSettings(kubeconfig=FileSecret(file=sandbox_kubeconfig))
    with connect(settings) as connection:
        namespace = f"refused-{secrets.token_hex(4)}"
        body: dict[str, JSON] = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        assert connection.request("POST", "/api/v1/namespaces", body=body).status == 201
        subject = deployment("web")
        bring(connection, [subject], namespace=namespace)
        wrong = {"deployer/drift-ignore": "spec.replicas"}
        content: Any = subject.content
        wanted = manifest({**content, "metadata": {**content["metadata"], "annotations": wrong}})
        Hands(connection, namespace).merge(subject, {"metadata": {"annotations": wrong}})

        found = only(drifted(connection, [wanted], namespace=namespace))

    assert (found.kind, found.fields) == (DriftKind.CHANGED, ())
    assert "is to be" in found.note


BARRED = 'admission webhook "policy.example.com" denied the request, or is away'


@pytest.fixture(params=[403, 500])
def barred(
    request: pytest.FixtureRequest, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], None]:
    """From now on all dry runs are refused."""
    ask = connection.request
    refusal = Response(request.param, {"kind": "Status", "status": "Failure", "message": BARRED})

    def asking(method: str, path: str, **rest: Any) -> Any:
        return refusal if "dryRun" in rest.get("query", {}) else ask(method, path, **rest)

    return lambda: monkeypatch.setattr(type(connection), "request", staticmethod(asking))


@pytest.mark.parametrize("image", [None, "shop:2"], ids=["as git wants it", "changed"])
def test_what_stands_in_the_way_of_asking_is_no_drift_itself(
    connection: Connection, namespace: str, others: Hands, barred: Callable[[], None], image: str | None
) -> None:
    variables: JSON = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    subject = deployment("web", containers=[{"name": "main", "image": "shop:1", "env": variables}])
    bring(connection, [subject], namespace=namespace)
    others.edit(subject, replacing(ENV, list(reversed(variables))))  # this only a dry run can judge
    if image:
        others.edit(subject, replacing("/spec/template/spec/containers/0/image", image))
    barred()
    found = drifted(connection, [subject], namespace=namespace)

    assert [(field.git, field.live) for each in found for field in each.fields] == [("shop:1", image)] * bool(image)
    assert [each.note for each in found] == [BARRED] * bool(image)


def test_an_object_to_be_applied_only_if_absent_is_drift_only_when_it_is_gone(
    connection: Connection, namespace: str, others: Hands
) -> None:
    annotated = {"name": "a", "annotations": {"deployer/apply": "if-absent"}}
    subject = manifest({**config_map("a", x="1").content, "metadata": annotated})
    bring(connection, [subject], namespace=namespace)
    others.merge(subject, {"data": {"x": "2"}})
    assert drifted(connection, [subject], namespace=namespace) == ()
    others.delete(subject)

    assert only(drifted(connection, [subject], namespace=namespace)).kind is DriftKind.MISSING


def test_an_object_of_a_kind_that_the_cluster_lost_is_missing(connection: Connection, namespace: str) -> None:
    subject = thing("gone.example.com/v1", "Widget", "w", namespace=namespace)

    found = only(drifted(connection, [subject], namespace=namespace))

    assert found.kind is DriftKind.MISSING
    assert "Widget" in found.note


def test_an_atomic_list_is_told_with_whoever_replaced_it(connection: Connection, namespace: str, others: Hands) -> None:
    subject = deployment("web")
    pod: Any = subject.content["spec"]
    pod["template"]["spec"]["containers"][0]["args"] = ["--quiet", "--port=80"]
    bring(connection, [subject], namespace=namespace)
    others.edit(subject, replacing("/spec/template/spec/containers/0/args/1", "--port=81"))

    (field,) = only(drifted(connection, [subject], namespace=namespace)).fields

    assert field.path == 'spec.template.spec.containers[name="main"].args[1]'
    assert field.author is not None
    assert field.author.manager == "kubectl-edit"


def test_many_fields_are_told_as_their_number(connection: Connection, namespace: str, others: Hands) -> None:
    subject = config_map("a", **{f"key{number}": "1" for number in range(60)})
    bring(connection, [subject], namespace=namespace)
    others.merge(subject, {"data": {f"key{number}": "2" for number in range(60)}})

    found = only(drifted(connection, [subject], namespace=namespace))

    assert (len(found.fields), found.note) == (50, "and 10 fields more")


def test_a_long_value_is_cut(connection: Connection, namespace: str, others: Hands) -> None:
    subject = config_map("a", x="1")
    bring(connection, [subject], namespace=namespace)
    others.merge(subject, {"data": {"x": "y" * 10_000}})

    (field,) = only(drifted(connection, [subject], namespace=namespace)).fields

    assert len(field.live) < 100


def test_a_check_writes_nothing_and_asks_only_about_what_differs(
    connection: Connection, namespace: str, others: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = [*(config_map(f"c{number}", x="1") for number in range(8)), service("web"), deployment("web")]
    bring(connection, wanted, namespace=namespace)
    others.merge(wanted[0], {"data": {"x": "2"}})
    others.delete(wanted[1])
    sent: list[tuple[str, str]] = []
    ask = connection.request

    def asking(method: str, path: str, **rest: Any) -> Any:
        sent.append((method, "dry" if "dryRun" in rest.get("query", {}) else ""))
        return ask(method, path, **rest)

    monkeypatch.setattr(type(connection), "request", staticmethod(asking))

    assert len(drifted(connection, wanted, namespace=namespace)) == 2
    assert {each for each in sent if each[0] != "GET"} == {("PATCH", "dry")}
    assert len([each for each in sent if each[0] == "PATCH"]) <= 2, "one object, once to learn who owns what differs"


def test_what_a_controller_writes_during_the_check_is_none(
    connection: Connection, namespace: str, others: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = deployment("web")
    bring(connection, [subject], namespace=namespace)
    others.edit(subject, replacing("/spec/template/spec/containers/0/image", "shop:2"))
    ask = connection.request
    written: list[str] = []

    def asking(method: str, path: str, **rest: Any) -> Any:
        if "dryRun" in rest.get("query", {}) and len(written) < 2:
            written.append(path)
            others.merge(subject, {"metadata": {"annotations": {"revision": str(len(written))}}}, by="controller")
        return ask(method, path, **rest)

    monkeypatch.setattr(type(connection), "request", staticmethod(asking))
    found = only(drifted(connection, [subject], namespace=namespace))

    assert len(written) == 2
    assert [field.live for field in found.fields] == ["shop:2"]


def test_nothing_differs_after_the_deployment_that_puts_it_back(
    connection: Connection, namespace: str, others: Hands
) -> None:
    wanted = [config_map("a", x="1"), config_map("b", x="1"), deployment("web", replicas=0)]
    bring(connection, wanted, namespace=namespace)
    others.merge(wanted[0], {"data": {"x": "2"}})
    others.delete(wanted[1])
    others.scale(wanted[2], 3)
    others.create(labelled(config_map("more", x="1"), **{PART_OF: applyset_id(INVENTORY, namespace)}))
    assert len(drifted(connection, wanted, namespace=namespace)) == 4

    bring(connection, wanted, namespace=namespace)

    assert drifted(connection, wanted, namespace=namespace) == ()


def test_what_is_found_can_be_written_down() -> None:
    author = Author("kubectl-edit", datetime(2026, 11, 23, 14, 2, 33, tzinfo=UTC))
    field = FieldDrift("spec.replicas", "3", "5", author)
    found = ObjectDrift(ObjectRef("apps/v1", "Deployment", "shop", "web"), DriftKind.CHANGED, (field,))

    assert str(found) == "Deployment.apps shop/web changed: spec.replicas 3 → 5 by kubectl-edit at 14:02"
    assert json.loads(json.dumps(asdict(found), default=str))["fields"][0]["live"] == "5"
