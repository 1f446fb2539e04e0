"""What somebody added to a list of git's: which of it is drift, and how it is taken away."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from deployer.cluster.applyset import Scope
from deployer.cluster.aside import Aside
from deployer.cluster.connection import Connection
from deployer.cluster.strays import Stray, removal, strays
from deployer.model import Action, Drift, DriftKind, DriftRule, Manifest
from tests.cluster.bring import bring, drifted, planned
from tests.cluster.hands import Hands
from tests.cluster.objects import config_map, service, thing
from tests.examples import environment

MAIN = 'spec.template.spec.containers[name="main"]'


@pytest.fixture
def others(connection: Connection, namespace: str) -> Hands:
    return Hands(connection, namespace)


def web(*env: str, image: str = "shop:1") -> Manifest:
    container = {
        "name": "main",
        "image": image,
        "env": [{"name": name, "value": "1"} for name in env],
        "ports": [{"containerPort": 80, "protocol": "TCP"}],
    }
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    return thing("apps/v1", "Deployment", "web", spec=spec)


def adding(name: str, *, to: str = "env") -> dict[str, Any]:
    value = {"name": name, "value": "x"} if to == "env" else {"containerPort": 99, "protocol": "TCP"}
    return {"op": "add", "path": f"/spec/template/spec/containers/0/{to}/-", "value": value}


def names(others: Hands, subject: Manifest, *, of: str = "env") -> list[Any]:
    (container,) = others.live(subject)["spec"]["template"]["spec"]["containers"]
    return [item.get("name", item.get("containerPort")) for item in container[of]]


@pytest.mark.parametrize("by", ["kubectl-edit", "reloader", "deployer"])
def test_an_extra_variable_in_our_container_is_drift_whoever_added_it(
    connection: Connection, namespace: str, others: Hands, by: str
) -> None:
    subject = web("A", "B")
    bring(connection, [subject], namespace=namespace)
    others.edit(subject, adding("EXTRA"), by=by)

    (found,) = drifted(connection, [subject], namespace=namespace)

    assert found.kind is DriftKind.CHANGED
    (field,) = found.fields
    assert (field.path, field.git) == (f'{MAIN}.env[name="EXTRA"]', "(none)")
    assert field.live == '{"name":"EXTRA","value":"x"}'
    assert field.author is not None
    assert field.author.manager == by


def test_one_that_nobody_is_on_record_for_is_none(connection: Connection, namespace: str, others: Hands) -> None:
    """That is how what an admission webhook injects looks."""
    subject = web("A")
    bring(connection, [subject], namespace=namespace)
    others.edit(subject, adding("INJECTED"), by="webhook")
    record = [entry for entry in others.live(subject)["metadata"]["managedFields"] if entry["manager"] != "webhook"]
    others.edit(subject, {"op": "replace", "path": "/metadata/managedFields", "value": record})
    assert names(others, subject) == ["A", "INJECTED"]

    assert drifted(connection, [subject], namespace=namespace) == ()


@pytest.mark.parametrize(("by", "drift"), [("kubectl-edit", True), ("kubectl", True), ("injector", False)])
def test_what_is_beside_git_s_own_items_is_drift_if_kubectl_added_it(
    connection: Connection, namespace: str, others: Hands, by: str, *, drift: bool
) -> None:
    wanted = [web("A"), service("web")]
    bring(connection, wanted, namespace=namespace)
    container = {"name": "debug", "image": "debug:1"}
    others.edit(wanted[0], {"op": "add", "path": "/spec/template/spec/containers/-", "value": container}, by=by)
    port = {"op": "add", "path": "/spec/ports/0/name", "value": "http"}
    more = {"op": "add", "path": "/spec/ports/-", "value": {"name": "debug", "port": 99, "protocol": "TCP"}}
    others.edit(wanted[1], port, more, by=by)

    found = drifted(connection, wanted, namespace=namespace)

    told = [field.path for each in found for field in each.fields]
    expected = ['spec.template.spec.containers[name="debug"]', 'spec.ports[name="debug"]']
    assert told == (expected if drift else [])


def test_what_kubectl_changes_in_an_injected_container_makes_it_no_stray(
    connection: Connection, namespace: str, others: Hands
) -> None:
    subject = web("A")
    bring(connection, [subject], namespace=namespace)
    at = "/spec/template/spec/containers"
    others.edit(subject, {"op": "add", "path": f"{at}/-", "value": {"name": "s", "image": "s:1"}}, by="injector")
    others.edit(subject, {"op": "replace", "path": f"{at}/1/image", "value": "s:2"})

    assert drifted(connection, [subject], namespace=namespace) == ()


@pytest.mark.parametrize("written", [True, False], ids=["empty in git", "not in git"])
def test_a_list_of_which_git_names_nothing_is_its_owner_s(
    connection: Connection, namespace: str, others: Hands, *, written: bool
) -> None:
    subject = web()
    spec: Any = subject.content["spec"]
    if not written:
        del spec["template"]["spec"]["containers"][0]["env"]
    bring(connection, [subject], namespace=namespace)
    others.edit(subject, {"op": "add", "path": "/spec/template/spec/containers/0/env", "value": [{"name": "A"}]})

    assert drifted(connection, [subject], namespace=namespace) == ()


def test_where_an_environment_is_held_a_deployment_takes_strays_away_and_nothing_else(
    connection: Connection, namespace: str, others: Hands
) -> None:
    subject = web("A", "B")
    bring(connection, [subject], namespace=namespace)
    by_hand = [adding("FIRST"), adding("SECOND"), adding("", to="ports")]
    others.edit(subject, *by_hand, {"op": "add", "path": "/metadata/annotations", "value": {"note": "by hand"}})

    (change,) = planned(connection, [subject], namespace=namespace, hold=True).changes
    (result,) = bring(connection, [subject], namespace=namespace, hold=True)

    assert {field.path for field in change.fields} == {
        f'{MAIN}.env[name="FIRST"]', f'{MAIN}.env[name="SECOND"]', f'{MAIN}.ports[containerPort=99,protocol="TCP"]',
    }  # fmt: skip
    assert result.action is Action.UPDATED
    assert result.message.startswith("removed /spec/template/spec/containers/0/")
    assert "of kubectl-edit" in result.message
    assert (names(others, subject), names(others, subject, of="ports")) == (["A", "B"], [80])
    metadata = others.live(subject)["metadata"]
    assert metadata["annotations"]["note"] == "by hand"
    assert [each["operation"] for each in metadata["managedFields"] if each["manager"] == "deployer"] == ["Apply"]
    assert drifted(connection, [subject], namespace=namespace) == ()


def test_what_git_changes_beside_a_stray_is_applied_with_it(
    connection: Connection, namespace: str, others: Hands
) -> None:
    bring(connection, [web("A", "B")], namespace=namespace)
    others.edit(web("A"), adding("EXTRA"))

    (result,) = bring(connection, [web("B", image="shop:2")], namespace=namespace, hold=True)

    assert result.action is Action.UPDATED
    assert names(others, web()) == ["B"]
    assert others.live(web())["spec"]["template"]["spec"]["containers"][0]["image"] == "shop:2"


def test_where_an_environment_is_only_observed_they_stay(connection: Connection, namespace: str, others: Hands) -> None:
    subject = web("A")
    bring(connection, [subject], namespace=namespace)
    others.edit(subject, adding("EXTRA"))

    results = bring(connection, [subject, config_map("new", x="1")], namespace=namespace)

    assert [result.action for result in results] == [Action.UNCHANGED, Action.CREATED]
    assert names(others, subject) == ["A", "EXTRA"]


def test_what_git_names_by_now_is_none(connection: Connection, namespace: str, others: Hands) -> None:
    bring(connection, [web("A")], namespace=namespace)
    others.edit(web(), adding("B"))

    bring(connection, [web("A", "B")], namespace=namespace, hold=True)

    assert names(others, web()) == ["A", "B"]


@pytest.mark.parametrize(
    "rule",
    [
        DriftRule(path="/spec/template/spec/containers/0/env"),
        DriftRule(path="/spec/template/spec/containers/*/env/*", kind="Deployment"),
        DriftRule(managers=("reloader",)),
        DriftRule(path="/spec", managers=("reloader",), name="web"),
    ],
    ids=str,
)
def test_one_that_is_left_alone_is_none_and_stays(
    connection: Connection, namespace: str, others: Hands, rule: DriftRule
) -> None:
    subject = web("A")
    bring(connection, [subject], namespace=namespace)
    others.edit(subject, adding("EXTRA"), by="reloader")

    assert drifted(connection, [subject], namespace=namespace, ignore=(rule,)) == ()
    bring(connection, [subject, config_map("new", x="1")], namespace=namespace, ignore=(rule,), hold=True)
    assert names(others, subject) == ["A", "EXTRA"]


@pytest.mark.parametrize(
    "rule",
    [
        DriftRule(managers=("other",)),
        DriftRule(path="/spec/template/spec/containers/1/env"),
        DriftRule(path="/spec/template/spec/containers/0/env/0"),
        DriftRule(path="/spec/template/spec/containers/0/env/1"),
    ],
    ids=str,
)
def test_one_that_no_rule_names_is_drift(
    connection: Connection, namespace: str, others: Hands, rule: DriftRule
) -> None:
    subject = web("A")
    bring(connection, [subject], namespace=namespace)
    others.edit(subject, adding("EXTRA") | {"path": "/spec/template/spec/containers/0/env/0"}, by="reloader")

    assert len(drifted(connection, [subject], namespace=namespace, ignore=(rule,))) == 1


def test_it_is_looked_for_anew_when_the_object_changed_meanwhile(
    connection: Connection, namespace: str, others: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = web("A", "B")
    bring(connection, [subject], namespace=namespace)
    others.edit(subject, adding("EXTRA"))
    ask = connection.request
    moved: list[str] = []

    def asking(method: str, path: str, **rest: Any) -> Any:
        if "json-patch" in rest.get("content_type", "") and not moved:
            moved.append(path)
            env = others.live(subject)["spec"]["template"]["spec"]["containers"][0]["env"]
            place = {"op": "replace", "path": "/spec/template/spec/containers/0/env", "value": env[::-1]}
            others.edit(subject, place)
        return ask(method, path, **rest)

    monkeypatch.setattr(type(connection), "request", staticmethod(asking))
    bring(connection, [subject], namespace=namespace, hold=True)

    assert moved
    assert sorted(names(others, subject)) == ["A", "B"]


@pytest.mark.parametrize("drift", Drift)
def test_only_an_environment_that_reverts_drift_is_held(drift: Drift) -> None:
    rules = (DriftRule(path="/spec/replicas"),)

    scope = Scope.of(replace(environment(), drift=drift, drift_ignore=rules))

    assert (scope.hold, scope.ignore) == (drift is Drift.REVERT, rules)


def test_items_are_removed_from_the_end_so_that_none_of_the_others_moves() -> None:
    places = [("spec", "items", 2), ("spec", "items", 10), ("spec", "items", 1, "env", 3), ("spec", "more", 0)]

    first, *removals = removal("7", [Stray(place, (), "kubectl") for place in places])

    assert first == {"op": "test", "path": "/metadata/resourceVersion", "value": "7"}
    assert [each["path"] for each in removals if isinstance(each, dict)] == [
        "/spec/more/0", "/spec/items/10", "/spec/items/2", "/spec/items/1/env/3",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "fields", [{}, {"f:spec": {}}, {"f:spec": {"f:items": {"k:{}": {}}}}, {"f:spec": {"f:items": 3}}]
)
def test_a_record_that_is_not_well_formed_makes_none(fields: Any) -> None:
    entry = {"manager": "kubectl", "operation": "Update", "fieldsV1": fields}
    live: Any = {"metadata": {"managedFields": [entry, 7, {}]}, "spec": {"items": [{"a": 1}]}}

    assert strays(live, {"spec": {"items": [{"a": 2}]}}, Aside()) == ()
