"""Whatever was done to an object before: what is said of it is what the API server then makes true."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deployer.cluster.change import Verdict
from deployer.cluster.compare import holds
from deployer.cluster.connection import Connection
from deployer.cluster.dry_run import DryRun
from deployer.cluster.patch import patch
from deployer.cluster.resources import Resource
from deployer.cluster.target import Target
from deployer.model import Manifest, ObjectRef
from tests.cluster.catalogue import OBJECTS, PATHS, Content
from tests.cluster.objects import definition
from tests.cluster.test_compare import Subject, written

ENTRIES = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from("ABC")}, optional={"value": st.sampled_from(["", "x", "y"])}),
    max_size=3,
    unique_by=lambda entry: entry["name"],
)
PODS = st.fixed_dictionaries(
    {},
    optional={
        "env": st.one_of(st.none(), ENTRIES),
        "args": st.one_of(st.none(), st.lists(st.sampled_from("ab"), max_size=2)),
        "tty": st.sampled_from([None, False, True]),
        "resources": st.sampled_from(
            [{}, None, {"limits": {}}, {"limits": {"cpu": "1"}}, {"limits": {"cpu": "1000m"}}]
        ),
        "securityContext": st.sampled_from([None, {}, {"privileged": False}, {"privileged": True}]),
    },
)
STRATEGIES = st.sampled_from([None, {}, {"type": "Recreate"}, {"type": "RollingUpdate"}])
MANAGERS = st.sampled_from(["deployer", "deployer", "other"])
QUOTE = "kubectl.kubernetes.io/last-applied-configuration"
ANNOTATIONS = st.none() | st.dictionaries(
    st.sampled_from([QUOTE, "deployer/prune", "note"]), st.sampled_from(["", "x", "y", None]), max_size=2
)
AROUND = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from([None, {}, {"replicas": 7}, {"conditions": []}]),
        "annotations": ANNOTATIONS,
        "paused": st.sampled_from([None, False, True, 0, 1]),
    },
)


def any_deployment(container: Content, strategy: Any, around: Content) -> Content:
    desired = copy.deepcopy(OBJECTS["generated deployment"])
    desired["spec"]["strategy"] = strategy
    desired["spec"]["template"]["spec"]["containers"] = [{"name": "main", "image": "shop:1", **container}]
    for key, value in around.items():
        place = {"status": desired, "annotations": desired["metadata"], "paused": desired["spec"]}[key]
        place[key] = value
    return desired


@pytest.mark.thorough
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    history=st.lists(st.tuples(MANAGERS, PODS, STRATEGIES, AROUND), min_size=1, max_size=4),
    then=st.tuples(PODS, STRATEGIES, AROUND),
)
def test_it_never_holds_when_an_apply_would_change_something(
    connection: Connection, namespace: str, history: list[Any], then: Any
) -> None:
    made = Subject(connection, PATHS["Deployment"].format(namespace), {})
    connection.request("DELETE", made.path)
    applied = [
        desired
        for manager, *parts in history
        if made.apply(desired := any_deployment(*parts), manager=manager).status < 300
    ]
    if applied:
        for desired in (*applied, any_deployment(*then)):
            assert not (made.holds(desired) and made.would_change(desired)), desired


class Judged:
    """An object of which nobody else writes anything, and the verdicts on it."""

    def __init__(self, connection: Connection, resource: Resource, namespace: str) -> None:
        self.resource = resource
        self.namespace = namespace
        self.dry_run = DryRun(connection, force=True)
        self.made = Subject(connection, resource.path(namespace, "subject"), {})

    def forget(self) -> None:
        self.made.connection.request("DELETE", self.made.path)

    def target(self, desired: Content) -> Target:
        ref = ObjectRef(desired["apiVersion"], desired["kind"], self.namespace, "subject")
        return Target(Manifest(ref, desired), self.resource)

    def check(self, desired: Content) -> Verdict:
        """What is said of it comes true when it is applied."""
        before = self.made.live()
        certain = holds(before, desired, has_status=self.resource.has_status)
        change = self.dry_run.of(self.target(desired), before)
        response = patch(self.made.connection, self.target(desired), force=True)
        truth = self._truth(before, response.status)
        assert change.verdict is truth, (change, before, desired)
        assert not (certain and truth is Verdict.UPDATE), (before, desired)
        assert truth is not Verdict.UPDATE or change.fields or change.note
        return truth

    def _truth(self, before: Content, status: int) -> Verdict:
        if status >= 400:
            return Verdict.REFUSE
        has_status, after = self.resource.has_status, self.made.live()
        if written(before, has_status=has_status) != written(after, has_status=has_status):
            return Verdict.UPDATE
        return Verdict.UNCHANGED if owned(before) == owned(after) else Verdict.OWN


def owned(content: Content) -> list[Content]:
    """What is ours; without the time, which the API server may write anew when nothing else changes."""
    ours = [entry for entry in content["metadata"].get("managedFields", []) if entry["manager"] == "deployer"]
    return [{key: value for key, value in entry.items() if key != "time"} for entry in ours]


CONFIG_MAPS = st.fixed_dictionaries(
    {},
    optional={
        "data": st.none() | st.dictionaries(st.sampled_from("ab"), st.sampled_from(["", "1", "x", None]), max_size=2),
        "binaryData": st.sampled_from([None, {}, {"c": "eA=="}, {"c": "eQ=="}]),
        "annotations": ANNOTATIONS,
        "labels": st.sampled_from([None, {}, {"a": ""}, {"a": "b"}]),
        "finalizers": st.sampled_from([None, []]),
        "status": st.sampled_from([None, {}, {"a": 1}]),
    },
)


def any_config_map(parts: Content) -> Content:
    described = {key: value for key, value in parts.items() if key in ("annotations", "labels", "finalizers")}
    rest = {key: value for key, value in parts.items() if key not in described}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "subject", **described}, **rest}


@pytest.mark.thorough
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    history=st.lists(st.tuples(MANAGERS, CONFIG_MAPS), max_size=3), then=st.lists(CONFIG_MAPS, min_size=1, max_size=3)
)
def test_the_verdict_on_a_config_map_comes_true(
    connection: Connection, namespace: str, history: list[Any], then: list[Content]
) -> None:
    judged = Judged(connection, Resource("v1", "configmaps", namespaced=True, has_status=False), namespace)
    judged.forget()
    judged.made.apply(any_config_map({}))
    for manager, parts in history:
        judged.made.apply(any_config_map(parts), manager=manager)
    for parts in then:
        if judged.check(any_config_map(parts)) is not Verdict.REFUSE:
            assert judged.check(any_config_map(parts)) is Verdict.UNCHANGED


@pytest.fixture
def free(connection: Connection, namespace: str, clean: Callable[[str], None]) -> Judged:
    """A kind without a status subresource, whose resources may hold anything."""
    if connection.version().startswith("v1.20."):
        pytest.skip("builds of 1.20 with a newer Go than its own end themselves when a custom resource is stored")
    group = f"f{secrets.token_hex(3)}.example.com"
    content: Any = copy.deepcopy(definition("frees", "Free", group).content)
    version = content["spec"]["versions"][0]
    version["schema"] = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/frees.{group}"
    clean(path)
    assert Subject(connection, path, content).apply().status == 201
    return Judged(connection, Resource(f"{group}/v1", "frees", namespaced=True, has_status=False), namespace)


TREES: Any = st.recursive(
    st.none() | st.booleans() | st.sampled_from([0, 1, 1.0, 0.5, "", "a", "1"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "name"]), inner, max_size=2),
    max_leaves=4,
)
FREE = st.fixed_dictionaries({}, optional={"spec": TREES, "status": TREES, "annotations": ANNOTATIONS})


def any_free(judged: Judged, parts: Content) -> Content:
    described = {key: value for key, value in parts.items() if key == "annotations"}
    rest = {key: value for key, value in parts.items() if key != "annotations"}
    about = {"apiVersion": judged.resource.api_version, "kind": "Free"}
    return {**about, "metadata": {"name": "subject", **described}, **rest}


@pytest.mark.thorough
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(st.tuples(MANAGERS, FREE), max_size=3), then=st.lists(FREE, min_size=1, max_size=3))
def test_the_verdict_on_a_custom_resource_comes_true(free: Judged, history: list[Any], then: list[Content]) -> None:
    free.forget()
    free.made.apply(any_free(free, {}))
    for manager, parts in history:
        free.made.apply(any_free(free, parts), manager=manager)
    for parts in then:
        if free.check(any_free(free, parts)) is not Verdict.REFUSE:
            assert free.check(any_free(free, parts)) is Verdict.UNCHANGED


@pytest.mark.parametrize(
    ("first", "then", "said"),
    [
        ({"status": {"a": 1}}, {"status": {"a": 2}}, "its status"),
        ({"spec": [{"a": None}]}, {"spec": [{}]}, "a field that is null"),
        ({"spec": {"a": None}}, {"spec": {}}, "a field that is null"),
        ({"annotations": {QUOTE: "x"}}, {"annotations": {QUOTE: "y"}}, QUOTE),
    ],
)
def test_a_difference_that_is_not_shown_is_said(free: Judged, first: Content, then: Content, said: str) -> None:
    assert free.made.apply(any_free(free, first)).status == 201
    desired = any_free(free, then)

    change = free.dry_run.of(free.target(desired), free.made.live())

    assert (change.verdict, change.fields) == (Verdict.UPDATE, ())
    assert said in change.note
    assert free.check(desired) is Verdict.UPDATE


@pytest.mark.parametrize("values", [(1, True), (False, 0), ([1], [True]), ([{"a": 0}], [{"a": False}])])
def test_a_truth_value_is_no_number(free: Judged, values: tuple[Any, Any]) -> None:
    first, then = values
    assert free.made.apply(any_free(free, {"spec": {"a": first}})).status == 201

    assert free.check(any_free(free, {"spec": {"a": then}})) is Verdict.UPDATE
    assert repr(free.made.live()["spec"]["a"]) == repr(then)
