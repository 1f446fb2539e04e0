"""What is left to others: neither drift nor written, by rules of the settings and by an annotation."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from typing import Any

import pytest

from deployer.cluster.aside import Aside, aside
from deployer.cluster.change import Verdict
from deployer.cluster.connection import Connection
from deployer.model import PART_OF, Action, DriftRule, Manifest, ObjectRef
from tests.cluster.bring import bring, drifted, planned
from tests.cluster.hands import Hands
from tests.cluster.objects import config_map, deployment, manifest, secret

REPLICAS = DriftRule(kind="Deployment", path="/spec/replicas")


@pytest.fixture
def others(connection: Connection, namespace: str) -> Hands:
    return Hands(connection, namespace)


@pytest.fixture
def writes(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of all that is written from now on."""
    written: list[str] = []
    ask = connection.request

    def asking(method: str, path: str, **rest: Any) -> Any:
        if method != "GET" and "dryRun" not in (rest.get("query") or {}):
            written.append(path)
        return ask(method, path, **rest)

    monkeypatch.setattr(type(connection), "request", staticmethod(asking))
    return written


def with_metadata(made: Manifest, **metadata: Any) -> Manifest:
    return manifest({**made.content, "metadata": {"name": made.ref.name, **metadata}})


def ignoring(made: Manifest, said: str) -> Manifest:
    return with_metadata(made, annotations={"deployer/drift-ignore": said})


def image(others: Hands, subject: Manifest) -> Any:
    return others.live(subject)["spec"]["template"]["spec"]["containers"][0]["image"]


def change_image(others: Hands, subject: Manifest, *, by: str = "kubectl-edit") -> None:
    operation = {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "shop:9"}
    others.edit(subject, operation, by=by)


def scale(others: Hands, subject: Manifest) -> None:
    others.scale(subject, 4)


def untier(others: Hands, subject: Manifest) -> None:
    others.merge(subject, {"metadata": {"labels": {"tier": None}}})


def named(value: Any) -> str:
    return value.__name__ if callable(value) else str(value)


@pytest.mark.parametrize(
    ("rule", "happens"),
    [
        (REPLICAS, scale),
        (DriftRule(path="/spec"), scale),
        (DriftRule(name="web", path="/spec/template/spec/containers/0/image"), change_image),
        (DriftRule(path="/spec/template/spec/containers/*/image"), change_image),
        (DriftRule(managers=("other", "kubectl-edit")), change_image),
        (DriftRule(path="/spec/template", managers=("kubectl-edit",)), change_image),
        (DriftRule(path="/metadata/labels/tier"), untier),
        (DriftRule(path="/metadata/labels"), untier),
        (DriftRule(path="/metadata"), untier),
    ],
    ids=named,
)
def test_what_a_rule_names_is_no_drift_and_is_not_written(
    connection: Connection, namespace: str, others: Hands, writes: list[str], *,
    rule: DriftRule, happens: Callable[[Hands, Manifest], None],
) -> None:  # fmt: skip
    subject = with_metadata(deployment("web", replicas=1), labels={"tier": "front"})
    subject = manifest({**subject.content, "spec": {**dict(subject.content["spec"]), "strategy": {}}})  # type: ignore[arg-type]
    bring(connection, [subject], namespace=namespace, ignore=(rule,))
    happens(others, subject)
    writes.clear()

    assert drifted(connection, [subject], namespace=namespace, ignore=(rule,)) == ()
    (result,) = bring(connection, [subject], namespace=namespace, ignore=(rule,))

    assert (result.action, writes) == (Action.UNCHANGED, [])
    assert len(drifted(connection, [subject], namespace=namespace)) == 1, "and without the rule it is"


@pytest.mark.parametrize(
    "rule",
    [
        DriftRule(kind="StatefulSet", path="/spec"),
        DriftRule(kind="Deployment.example.com", path="/spec"),
        DriftRule(name="other", path="/spec"),
        DriftRule(path="/spec/template/spec/containers/1/image"),
        DriftRule(path="/spec/template/spec/containers/0/imagePullPolicy"),
        DriftRule(path="/spec/template/spec/containers/0/image/0"),
        DriftRule(managers=("other",)),
        DriftRule(path="/metadata", managers=("kubectl-edit",)),
    ],
    ids=str,
)
def test_what_it_does_not_name_is_drift(connection: Connection, namespace: str, others: Hands, rule: DriftRule) -> None:
    subject = deployment("web")
    bring(connection, [subject], namespace=namespace)
    change_image(others, subject)

    assert len(drifted(connection, [subject], namespace=namespace, ignore=(rule,))) == 1


@pytest.mark.parametrize("rule", [REPLICAS, DriftRule(path="/spec/replicas", managers=("kubectl-edit",))], ids=str)
def test_it_stays_when_something_else_is_written(
    connection: Connection, namespace: str, others: Hands, rule: DriftRule
) -> None:
    bring(connection, [deployment("web", replicas=1)], namespace=namespace)
    others.merge(deployment("web"), {"spec": {"replicas": 4}})
    after = with_metadata(deployment("web", replicas=2), labels={"tier": "front"})

    for _ in range(2):  # what was not applied the first time must not be taken away the second time
        (result, _) = bring(connection, [after, config_map("a", x="1")], namespace=namespace, ignore=(rule,))
        assert result.message == "", "nothing is taken over"

    live = others.live(after)
    assert (live["spec"]["replicas"], live["metadata"]["labels"]["tier"]) == (4, "front")


@pytest.mark.parametrize("asked", ["dry run", "apply"])
def test_what_is_written_meanwhile_stays_as_well(
    connection: Connection, namespace: str, others: Hands, monkeypatch: pytest.MonkeyPatch, *, asked: str
) -> None:
    bring(connection, [deployment("web", replicas=1)], namespace=namespace)
    ask = connection.request
    scaled: list[str] = []

    def asking(method: str, path: str, **rest: Any) -> Any:
        query = rest.get("query") or {}
        if path.endswith("/web") and method == "PATCH" and ("dryRun" in query) is (asked == "dry run") and not scaled:
            scaled.append(path)
            others.merge(deployment("web"), {"spec": {"replicas": 4}})
        return ask(method, path, **rest)

    monkeypatch.setattr(type(connection), "request", staticmethod(asking))
    after = with_metadata(deployment("web", replicas=2), labels={"tier": "front"})
    (change,) = planned(connection, [after], namespace=namespace, ignore=(REPLICAS,)).changes
    bring(connection, [after], namespace=namespace, ignore=(REPLICAS,))

    assert scaled
    assert [field.path for field in change.fields] == ["metadata.labels.tier"]
    live = others.live(after)
    assert (live["spec"]["replicas"], live["metadata"]["labels"]["tier"]) == (4, "front")


def test_it_stays_when_git_drops_it(connection: Connection, namespace: str, others: Hands) -> None:
    bring(connection, [deployment("web", replicas=3)], namespace=namespace, ignore=(REPLICAS,))
    unnamed = deployment("web")
    spec: Any = unnamed.content["spec"]
    del spec["replicas"]

    bring(connection, [with_metadata(unnamed, labels={"tier": "front"})], namespace=namespace, ignore=(REPLICAS,))

    assert others.live(unnamed)["spec"]["replicas"] == 3


def test_it_has_git_s_value_when_it_is_created(connection: Connection, namespace: str, others: Hands) -> None:
    bring(connection, [deployment("web", replicas=3)], namespace=namespace, ignore=(REPLICAS,))

    assert others.live(deployment("web"))["spec"]["replicas"] == 3


def test_it_is_set_when_the_rule_is_gone(connection: Connection, namespace: str, others: Hands) -> None:
    subject = deployment("web")
    bring(connection, [subject], namespace=namespace)
    change_image(others, subject)
    rule = DriftRule(path="/spec/template/spec/containers/0/image")
    bring(connection, [subject, config_map("a", x="1")], namespace=namespace, ignore=(rule,))
    assert image(others, subject) == "shop:9"

    bring(connection, [subject, config_map("a", x="1")], namespace=namespace)

    assert image(others, subject) == "shop:1"


def test_it_is_no_conflict(connection: Connection, namespace: str, others: Hands) -> None:
    subject = deployment("web")
    bring(connection, [subject], namespace=namespace)
    change_image(others, subject)
    after = with_metadata(subject, labels={"tier": "front"})
    rule = DriftRule(managers=("kubectl-edit",))

    (refused,) = bring(connection, [after], namespace=namespace, force=False)
    (result,) = bring(connection, [after], namespace=namespace, force=False, ignore=(rule,))

    assert (refused.action, result.action) == (Action.FAILED, Action.UPDATED)
    assert image(others, subject) == "shop:9"


def test_an_item_is_found_by_its_key_wherever_it_is(connection: Connection, namespace: str, others: Hands) -> None:
    subject = deployment("web")
    bring(connection, [subject], namespace=namespace)
    sidecar = {"name": "proxy", "image": "proxy:1"}
    others.edit(subject, {"op": "add", "path": "/spec/template/spec/containers/0", "value": sidecar}, by="injector")
    others.edit(subject, {"op": "replace", "path": "/spec/template/spec/containers/1/image", "value": "shop:9"})
    rule = DriftRule(path="/spec/template/spec/containers/0/image")

    assert drifted(connection, [subject], namespace=namespace, ignore=(rule,)) == ()


def with_args(*args: str) -> Manifest:
    made = deployment("web")
    spec: Any = made.content["spec"]
    spec["template"]["spec"]["containers"][0]["args"] = list(args)
    return made


def change_arg(others: Hands, place: int, value: str) -> None:
    at = f"/spec/template/spec/containers/0/args/{place}"
    others.edit(with_args(), {"op": "replace", "path": at, "value": value})


@pytest.mark.parametrize("pointer", ["/spec/template/spec/containers/0/args/1", "/spec/template/spec/*/0/*/1"])
def test_an_item_of_a_list_without_keys_is_counted(
    connection: Connection, namespace: str, others: Hands, pointer: str
) -> None:
    rule, subject = DriftRule(path=pointer), with_args("--quiet", "--port=80", "--safe")
    bring(connection, [subject], namespace=namespace, ignore=(rule,))
    change_arg(others, 1, "--port=81")
    assert drifted(connection, [subject], namespace=namespace, ignore=(rule,)) == ()
    change_arg(others, 2, "--fast")

    (found,) = drifted(connection, [subject], namespace=namespace, ignore=(rule,))
    assert [field.path for field in found.fields] == ['spec.template.spec.containers[name="main"].args[2]']
    (result,) = bring(connection, [subject], namespace=namespace, ignore=(rule,))

    assert result.action is Action.UPDATED
    containers = others.live(subject)["spec"]["template"]["spec"]["containers"]
    assert containers[0]["args"] == ["--quiet", "--port=81", "--safe"]


def test_a_value_of_a_secret(connection: Connection, namespace: str, others: Hands) -> None:
    ours, theirs = (base64.b64encode(secrets.token_bytes(9)).decode() for _ in range(2))
    subject = secret("keys", a=ours, b=ours)
    bring(connection, [subject], namespace=namespace)
    others.merge(subject, {"data": {"a": theirs}})
    rule = DriftRule(kind="Secret", path="/data/a")

    assert drifted(connection, [subject], namespace=namespace, ignore=(rule,)) == ()
    bring(connection, [with_metadata(subject, labels={"tier": "x"})], namespace=namespace, ignore=(rule,))
    assert others.live(subject)["data"] == {"a": theirs, "b": ours}


@pytest.mark.parametrize("said", ["/spec/replicas", " /metadata/labels/a~1b , /spec/replicas", "true", "True"])
def test_an_annotation_in_git_does_the_same(
    connection: Connection, namespace: str, others: Hands, writes: list[str], *, said: str
) -> None:
    subject = ignoring(deployment("web", replicas=1), said)
    bring(connection, [subject], namespace=namespace)
    scale(others, subject)
    writes.clear()

    assert drifted(connection, [subject], namespace=namespace) == ()
    (result,) = bring(connection, [subject], namespace=namespace)
    assert (result.action, writes) == (Action.UNCHANGED, [])


def test_an_object_that_is_left_alone_as_a_whole_is_missing_when_it_is_gone(
    connection: Connection, namespace: str, others: Hands
) -> None:
    subject = ignoring(config_map("a", x="1"), "true")
    bring(connection, [subject], namespace=namespace)
    (left,) = bring(connection, [ignoring(config_map("a", x="2"), "true")], namespace=namespace)
    assert (left.action, left.message[-28:]) == (Action.UNCHANGED, 'deployer/drift-ignore: "true"'[-28:])
    others.delete(subject)

    assert len(drifted(connection, [subject], namespace=namespace)) == 1


def test_an_annotation_that_somebody_puts_on_the_live_object_hides_nothing(
    connection: Connection, namespace: str, others: Hands
) -> None:
    subject = deployment("web", replicas=1)
    bring(connection, [subject], namespace=namespace)
    others.merge(subject, {"metadata": {"annotations": {"deployer/drift-ignore": "true"}}})
    change_image(others, subject)

    assert len(drifted(connection, [subject], namespace=namespace)) == 1


def test_an_annotation_that_is_no_pointer_is_refused_and_says_how(connection: Connection, namespace: str) -> None:
    subject = ignoring(deployment("web"), "/spec/replicas, spec.paused")

    (result,) = bring(connection, [subject], namespace=namespace)

    assert result.action is Action.FAILED
    assert result.message == (
        "deployer/drift-ignore is to be \"true\" or JSON pointers such as /spec/replicas, not 'spec.paused'"
    )


def test_an_object_never_loses_our_label(connection: Connection, namespace: str, others: Hands) -> None:
    subject = config_map("a", x="1")
    rules = (DriftRule(path="/metadata"), DriftRule(managers=("kubectl-edit",)))
    bring(connection, [subject], namespace=namespace, ignore=rules)
    mine = others.live(subject)["metadata"]["labels"][PART_OF]
    others.merge(subject, {"metadata": {"labels": {PART_OF: None, "theirs": "1"}}})
    others.merge(subject, {"metadata": {"labels": {PART_OF: mine}}, "data": {"x": "2"}})

    (change,) = planned(connection, [subject], namespace=namespace, ignore=rules).changes
    bring(connection, [config_map("a", x="1", y="2")], namespace=namespace, ignore=rules)

    assert change.verdict in (Verdict.UNCHANGED, Verdict.OWN)
    assert others.live(subject)["metadata"]["labels"] == {PART_OF: mine, "theirs": "1"}
    assert others.live(subject)["data"] == {"x": "2", "y": "2"}


def test_nothing_is_left_alone_unless_somebody_says_so() -> None:
    ref = ObjectRef("v1", "ConfigMap", "shop", "a")

    assert aside(ref, {"metadata": {"annotations": {"deployer/drift-ignore": "false"}}}, []) == Aside()
    assert aside(ref, {}, [DriftRule(kind="Secret", path="/data")]) == Aside()
