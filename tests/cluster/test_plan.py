"""What would change, told before anything is written, and what objects may ask of us in annotations."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from typing import Any

import pytest

from deployer.cluster.change import Change, Verdict
from deployer.cluster.connection import Connection
from deployer.model import Action, Manifest
from tests.cluster.bring import bring, planned
from tests.cluster.objects import config_map, deployment, manifest, namespace_object, secret, service, thing


def verdicts(changes: tuple[Change, ...]) -> dict[str, Verdict]:
    return {change.ref.name: change.verdict for change in changes}


def paths(change: Change) -> dict[str, tuple[Any, Any]]:
    return {field.path: (field.old, field.new) for field in change.fields}


def annotated(made: Manifest, **annotations: str) -> Manifest:
    metadata = {**made.content["metadata"], "annotations": {f"deployer/{k}": v for k, v in annotations.items()}}  # type: ignore[dict-item]
    return manifest({**made.content, "metadata": metadata})


def live(connection: Connection, path: str) -> dict[str, Any]:
    response = connection.request("GET", path)
    assert response.status == 200, response.body
    assert isinstance(response.body, dict)
    return response.body


def test_a_plan_tells_creations_updates_with_their_fields_and_deletions(connection: Connection, namespace: str) -> None:
    bring(connection, [config_map("same", x="1"), config_map("old", x="1"), deployment("web")], namespace=namespace)

    plan = planned(
        connection,
        [config_map("same", x="1"), config_map("new", x="1"), deployment("web", replicas=3)],
        namespace=namespace,
    )

    assert verdicts(plan.changes) == {
        "same": Verdict.UNCHANGED, "new": Verdict.CREATE, "web": Verdict.UPDATE, "old": Verdict.DELETE,
    }  # fmt: skip
    (web,) = (change for change in plan.changes if change.ref.name == "web")
    assert paths(web) == {"spec.replicas": (0, 3)}
    assert plan.size == 3


def test_a_plan_writes_nothing(connection: Connection, namespace: str) -> None:
    planned(connection, [config_map("a", x="1"), deployment("web")], namespace=namespace)

    listed: Any = connection.request("GET", f"/api/v1/namespaces/{namespace}/configmaps").body
    assert {item["metadata"]["name"] for item in listed["items"]} <= {"kube-root-ca.crt"}


def test_a_field_that_git_no_longer_names_is_a_difference(connection: Connection, namespace: str) -> None:
    bring(connection, [config_map("a", x="1", y="2")], namespace=namespace)

    (change,) = planned(connection, [config_map("a", x="1")], namespace=namespace).changes

    assert (change.verdict, paths(change)) == (Verdict.UPDATE, {"data.y": ("2", None)})


def test_what_somebody_else_added_is_none(connection: Connection, namespace: str) -> None:
    bring(connection, [config_map("a", x="1")], namespace=namespace)
    path = f"/api/v1/namespaces/{namespace}/configmaps/a"
    body = {"data": {"theirs": "2"}, "metadata": {"annotations": {"note": "by hand"}}}
    connection.request("PATCH", path, body=body, content_type="application/merge-patch+json")

    (change,) = planned(connection, [config_map("a", x="1")], namespace=namespace).changes

    assert change.verdict is Verdict.UNCHANGED


def test_what_was_there_before_us_is_taken_in_and_told_as_an_update(
    connection: Connection, namespace: str, owned_by_other: Callable[[Manifest], None]
) -> None:
    owned_by_other(config_map("a", x="theirs"))

    (change,) = planned(connection, [config_map("a", x="ours")], namespace=namespace).changes

    assert change.verdict is Verdict.UPDATE
    assert paths(change)["data.x"] == ("theirs", "ours")
    assert "data.x of other" in change.note


def test_a_conflict_that_must_fail_is_told_before_anything_is_written(connection: Connection, namespace: str) -> None:
    bring(connection, [config_map("a", x="1")], namespace=namespace)
    path = f"/api/v1/namespaces/{namespace}/configmaps/a"
    connection.request(
        "PATCH", path, query={"fieldManager": "other"}, body={"data": {"x": "theirs"}},
        content_type="application/merge-patch+json",
    )  # fmt: skip

    (change,) = planned(connection, [config_map("a", x="2")], namespace=namespace, force=False).changes

    assert change.verdict is Verdict.REFUSE
    assert ".data.x of other" in change.note


def test_no_value_of_a_secret_is_in_a_plan(connection: Connection, namespace: str) -> None:
    values = [secrets.token_hex(16) for _ in range(4)]
    encoded = [base64.b64encode(value.encode()).decode() for value in values]
    bring(connection, [secret("key", a=encoded[0], b=encoded[1])], namespace=namespace)
    path = f"/api/v1/namespaces/{namespace}/secrets/key"
    last = {"kubectl.kubernetes.io/last-applied-configuration": f'{{"data":{{"a":"{encoded[0]}"}}}}'}
    body = {"metadata": {"annotations": last}}
    connection.request("PATCH", path, body=body, content_type="application/merge-patch+json")
    wanted = manifest({**secret("key", a=encoded[2]).content, "stringData": {"c": values[3]}})

    plan = planned(connection, [wanted, secret("new", d=encoded[3])], namespace=namespace)
    results = bring(connection, [wanted, secret("new", d=encoded[3])], namespace=namespace)

    (change, created) = plan.changes
    assert change.verdict is Verdict.UPDATE
    assert {field.path: field.hidden for field in change.fields} == {"data.a": True, "data.b": True, "data.c": True}
    told = [change.fields, change.note, change.before, change.after, created.after, results]
    assert not [value for value in (*values, *encoded) if value in repr(told)]
    assert live(connection, path)["data"] == {"a": encoded[2], "c": encoded[3]}


def test_plain_text_of_a_secret_that_left_git_leaves_the_secret(connection: Connection, namespace: str) -> None:
    plain = {"a": secrets.token_hex(4), "b": secrets.token_hex(4)}
    bring(connection, [thing("v1", "Secret", "key", stringData=plain)], namespace=namespace)

    del plain["b"]
    (second,) = bring(connection, [thing("v1", "Secret", "key", stringData=plain)], namespace=namespace)
    (third,) = bring(connection, [thing("v1", "Secret", "key", stringData=plain)], namespace=namespace)

    assert (second.action, third.action) == (Action.UPDATED, Action.UNCHANGED)
    assert set(live(connection, f"/api/v1/namespaces/{namespace}/secrets/key")["data"]) == {"a"}


def test_an_object_to_apply_only_if_absent_is_created_once_and_then_left_alone(
    connection: Connection, namespace: str
) -> None:
    (created,) = bring(connection, [annotated(config_map("a", x="1"), apply="if-absent")], namespace=namespace)
    (left,) = bring(connection, [annotated(config_map("a", x="2"), apply="if-absent")], namespace=namespace)

    assert (created.action, left.action) == (Action.CREATED, Action.UNCHANGED)
    assert live(connection, f"/api/v1/namespaces/{namespace}/configmaps/a")["data"] == {"x": "1"}


def test_an_object_to_apply_only_if_absent_is_left_to_whoever_made_it(
    connection: Connection, namespace: str, owned_by_other: Callable[[Manifest], None]
) -> None:
    owned_by_other(config_map("a", x="theirs"))

    (left,) = bring(connection, [annotated(config_map("a", x="ours"), apply="if-absent")], namespace=namespace)

    assert left.action is Action.KEPT, "it does not carry our label, so a rollout must not look for it in the set"
    assert "left alone" in left.message
    assert live(connection, f"/api/v1/namespaces/{namespace}/configmaps/a")["data"] == {"x": "theirs"}


def test_an_immutable_field_is_named_with_the_way_to_recreate(connection: Connection, namespace: str) -> None:
    bring(connection, [deployment("web")], namespace=namespace)

    (change,) = planned(connection, [deployment("web", selector="else")], namespace=namespace).changes
    (result,) = bring(connection, [deployment("web", selector="else")], namespace=namespace)

    assert change.verdict is Verdict.REFUSE
    assert (result.action, result.message) == (Action.FAILED, change.note)
    assert result.message.startswith("spec.selector: field is immutable")
    assert result.message.endswith('annotate it deployer/recreate: "true"')


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (deployment("x"), deployment("x", selector="else")),
        (
            thing("v1", "Service", "x", spec={"clusterIP": "None", "ports": [{"port": 80, "protocol": "TCP"}]}),
            thing("v1", "Service", "x", spec={"clusterIP": "10.0.3.4", "ports": [{"port": 80, "protocol": "TCP"}]}),
        ),
        (thing("v1", "Secret", "x", type="Opaque"), thing("v1", "Secret", "x", type="example.com/other")),
    ],
    ids=lambda made: made.ref.kind,
)
def test_an_object_that_asks_for_it_is_deleted_and_created_anew(
    connection: Connection, namespace: str, before: Manifest, after: Manifest
) -> None:
    bring(connection, [before], namespace=namespace)
    plural = {"Deployment": "/apis/apps/v1/{}/deployments/x", "Service": "/api/v1/{}/services/x"}
    path = plural.get(before.ref.kind, "/api/v1/{}/secrets/x").format(f"namespaces/{namespace}")
    uid = live(connection, path)["metadata"]["uid"]

    (refused,) = bring(connection, [after], namespace=namespace)
    (change,) = planned(connection, [annotated(after, recreate="true")], namespace=namespace).changes
    (result,) = bring(connection, [annotated(after, recreate="true")], namespace=namespace)

    assert refused.action is Action.FAILED
    assert 'deployer/recreate: "true"' in refused.message
    assert change.verdict is Verdict.RECREATE
    assert result.action is Action.RECREATED, result
    assert live(connection, path)["metadata"]["uid"] != uid


def test_recreating_waits_for_finalizers_and_says_when_they_do_not_end(connection: Connection, namespace: str) -> None:
    held = deployment("web")
    metadata = {"name": "web", "finalizers": ["example.com/hold"]}
    bring(connection, [manifest({**held.content, "metadata": metadata})], namespace=namespace)
    after = annotated(deployment("web", selector="else"), recreate="true")

    (result,) = bring(connection, [after], namespace=namespace, settle=0.5)

    assert result.action is Action.FAILED
    assert "look at its finalizers" in result.message
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/web"
    body = {"metadata": {"finalizers": None}}
    connection.request("PATCH", path, body=body, content_type="application/merge-patch+json")


def test_the_replicas_that_an_autoscaler_set_are_left_alone_when_git_names_none(
    connection: Connection, namespace: str
) -> None:
    unnamed = deployment("web")
    spec = {key: value for key, value in dict(unnamed.content["spec"]).items() if key != "replicas"}  # type: ignore[arg-type]
    unnamed = manifest({**unnamed.content, "spec": spec})
    bring(connection, [unnamed], namespace=namespace)
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/web"
    scale = live(connection, f"{path}/scale")
    scale["spec"]["replicas"] = 4
    del scale["metadata"]["resourceVersion"]  # its controller writes at the same moment
    assert connection.request("PUT", f"{path}/scale", body=scale).status == 200

    (change,) = planned(connection, [unnamed], namespace=namespace).changes
    bring(connection, [unnamed, service("web")], namespace=namespace)

    assert change.verdict is Verdict.UNCHANGED
    assert live(connection, path)["spec"]["replicas"] == 4


def test_what_is_in_a_namespace_that_comes_with_it_is_told_as_created(connection: Connection) -> None:
    name = f"test-{secrets.token_hex(4)}"
    overlay = [namespace_object(name), config_map("a", namespace=name, x="1")]

    assert verdicts(planned(connection, overlay, namespace=name).changes) == {
        name: Verdict.CREATE, "a": Verdict.CREATE,
    }  # fmt: skip
