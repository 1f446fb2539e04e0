"""The cheap comparison against the truth: what the API server itself says that an apply would change."""

from __future__ import annotations

import base64
import copy
import json
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deployer.cluster.compare import holds
from deployer.cluster.connection import Connection, Response, connect
from deployer.settings import ClusterSettings, FileSecret
from tests.cluster.catalogue import BY_VERSION, OBJECTS, PATHS, Content
from tests.cluster.objects import definition

Steps = tuple[str | int, ...]


class Subject:
    """One object in a cluster, applied as the deployer does it."""

    def __init__(self, connection: Connection, path: str, desired: Content) -> None:
        self.connection = connection
        self.path = path
        self.desired = desired

    def apply(self, desired: Content | None = None, *, manager: str = "deployer", dry: bool = False) -> Response:
        query = {"fieldManager": manager, "force": "true"} | ({"dryRun": "All"} if dry else {})
        return self.connection.request(
            "PATCH", self.path, query=query, body=desired or self.desired, content_type="application/apply-patch+yaml"
        )

    def update(self, *operations: Content) -> None:
        """As `kubectl edit` by another manager does it."""
        response = self.connection.request(
            "PATCH", self.path, query={"fieldManager": "editor"}, body=list(operations),
            content_type="application/json-patch+json",
        )  # fmt: skip
        assert response.status == 200, response.body

    def live(self) -> Content:
        body = self.connection.request("GET", self.path).body
        assert isinstance(body, dict)
        return body

    def settled(self) -> Content:
        """The live object once controllers have taken note of it."""
        seen = self.live()
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            time.sleep(0.05)
            if (now := self.live())["metadata"]["resourceVersion"] == seen["metadata"]["resourceVersion"]:
                break
            seen = now
        return seen

    def holds(self, desired: Content | None = None) -> bool:
        return holds(self.live(), desired or self.desired, has_status=True)

    def would_change(self, desired: Content | None = None) -> bool:
        """What the API server says, asked again when a controller wrote the object meanwhile."""
        while True:
            before, response, after = self.live(), self.apply(desired, dry=True), self.live()
            if before["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"]:
                return response.status >= 400 or written(before, has_status=True) != written(
                    response.body, has_status=True
                )


def written(content: Any, *, has_status: bool) -> str:
    """All of an object that an apply can write, with every null in it."""
    kept = ("managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink")
    metadata = {key: value for key, value in content["metadata"].items() if key not in kept}
    aside = {"apiVersion", "kind", "metadata"} | ({"status"} if has_status else set())
    return json.dumps([metadata, {k: v for k, v in content.items() if k not in aside}], sort_keys=True)


@pytest.fixture
def subject(connection: Connection, namespace: str) -> Callable[[Content], Subject]:
    def make(desired: Content) -> Subject:
        made = Subject(connection, PATHS[desired["kind"]].format(namespace), copy.deepcopy(desired))
        response = made.apply()
        assert response.status == 201, response.body
        made.settled()
        return made

    return make


@pytest.mark.parametrize("name", OBJECTS)
def test_what_was_applied_holds_and_every_single_change_to_it_is_seen(
    subject: Callable[[Content], Subject], name: str
) -> None:
    made = subject(OBJECTS[name])

    assert made.holds()
    assert not made.would_change()
    check_every_change(made)


@pytest.mark.parametrize("name", BY_VERSION)
def test_the_same_of_kinds_whose_version_depends_on_the_cluster(
    connection: Connection, namespace: str, name: str
) -> None:
    plural, versions, content = BY_VERSION[name]
    if name == "autoscaler" and connection.version().startswith("v1.20."):
        pytest.skip("1.20 reads autoscalers back with every metric twice")
    version = next(v for v in versions if serves(connection, v, plural))
    made = Subject(
        connection, f"/apis/{version}/namespaces/{namespace}/{plural}/subject", content | {"apiVersion": version}
    )
    assert made.apply().status == 201
    made.settled()

    assert made.holds()
    assert not made.would_change()
    check_every_change(made)


def serves(connection: Connection, version: str, plural: str) -> bool:
    body = connection.request("GET", f"/apis/{version}").body
    return isinstance(body, dict) and any(each["name"] == plural for each in body.get("resources", []))


def check_every_change(made: Subject) -> None:
    """Each field dropped and each value changed, one at a time: where the API server sees a change, so do we."""
    live = made.live()
    seen = 0
    for what, variant in variants(made.desired):
        if not holds(live, variant, has_status=True):
            seen += 1
        elif what[:1] != ("status",):
            assert not made.would_change(variant), what
    assert seen


def variants(desired: Content) -> Iterator[tuple[Steps, Content]]:
    for path, value in places(desired):
        if path[0] in ("apiVersion", "kind") or path == ("metadata", "name") or len(path) == 1:
            continue
        for replacement in replacements(value):
            variant = copy.deepcopy(desired)
            *parents, last = path
            parent: Any = variant
            for step in parents:
                parent = parent[step]
            if replacement is DROPPED:
                del parent[last]
            else:
                parent[last] = replacement
            yield path, variant


DROPPED = object()


def replacements(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [DROPPED, None, *([{}] if value else [])]
    if isinstance(value, list):
        return [DROPPED, None, *([[], list(reversed(value)), [*value, *value[:1]]] if value else [])]
    if isinstance(value, bool):
        return [DROPPED, None, not value, int(value)]
    return [DROPPED, None, value + 1 if isinstance(value, int) else f"{value}x", "", 0, False]


def places(value: Any, path: Steps = ()) -> Iterator[tuple[Steps, Any]]:
    if path:
        yield path, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


class TestSomeoneElse:
    """What others do to a Deployment that we applied."""

    @pytest.fixture
    def made(self, subject: Callable[[Content], Subject]) -> Subject:
        return subject(OBJECTS["deployment"])

    @pytest.mark.parametrize(
        ("operation", "path", "value"),
        [
            ("replace", "/spec/replicas", 1),
            ("replace", "/spec/template/spec/containers/0/image", "shop:2"),
            ("replace", "/spec/template/spec/containers/0/resources/limits/cpu", "2"),
            ("replace", "/spec/template/spec/containers/0/env/1/value", "1"),
            ("add", "/spec/template/spec/containers/0/args/1", "--other"),
            ("add", "/spec/template/spec/tolerations/1", {"key": "b", "operator": "Exists"}),
            ("remove", "/spec/template/spec/containers/0/env/2", None),
            ("remove", "/spec/template/spec/containers/1", None),
            ("remove", "/metadata/labels/app", None),
        ],
    )
    def test_a_field_of_ours_that_an_editor_changed_is_seen(
        self, made: Subject, operation: str, path: str, value: Any
    ) -> None:
        made.update({"op": operation, "path": path, "value": value})

        assert not made.holds()
        assert made.would_change()

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            ("/metadata/annotations", {"note": "mine"}),
            ("/metadata/labels/other", "x"),
            ("/spec/template/spec/containers/0/env/0", {"name": "ADDED", "value": "x"}),
            ("/spec/template/spec/containers/0/env/3", {"name": "ADDED", "value": "x"}),
            ("/spec/template/spec/containers/2", {"name": "injected", "image": "proxy:1"}),
            ("/spec/revisionHistoryLimit", 3),
        ],
    )
    def test_what_an_editor_adds_beside_ours_makes_no_difference(self, made: Subject, path: str, value: Any) -> None:
        made.update({"op": "add", "path": path, "value": value})

        assert made.holds()
        assert not made.would_change()

    def test_a_field_that_another_manager_took_over_and_set_back_is_not_ours(self, made: Subject) -> None:
        made.update({"op": "replace", "path": "/spec/replicas", "value": 1})
        made.update({"op": "replace", "path": "/spec/replicas", "value": 0})

        assert not made.holds()

    def test_fields_that_another_applier_shares_are_still_ours(self, subject: Callable[[Content], Subject]) -> None:
        made = subject(OBJECTS["role"])
        assert made.apply(manager="other").status == 200

        assert made.holds()

    def test_ours_in_another_order_is_seen_where_an_apply_may_put_it_right(self, made: Subject) -> None:
        containers = made.live()["spec"]["template"]["spec"]["containers"]
        path = "/spec/template/spec/containers"
        made.update({"op": "replace", "path": path, "value": list(reversed(containers))})

        assert not made.holds()

    def test_an_object_that_only_others_applied_does_not_hold(
        self, subject: Callable[[Content], Subject], connection: Connection, namespace: str
    ) -> None:
        made = Subject(connection, PATHS["ConfigMap"].format(namespace), OBJECTS["config map"])
        assert made.apply(manager="other").status == 201

        assert not made.holds()


def test_a_field_that_left_git_is_seen_until_it_is_applied(subject: Callable[[Content], Subject]) -> None:
    made = subject(OBJECTS["config map"])
    less = copy.deepcopy(made.desired)
    del less["data"]["b"]

    assert not made.holds(less)
    assert made.apply(less).status == 200
    assert made.holds(less)
    assert not made.holds()


def test_an_object_on_its_way_out_does_not_hold(subject: Callable[[Content], Subject]) -> None:
    desired = copy.deepcopy(OBJECTS["config map"])
    desired["metadata"]["finalizers"] = ["example.com/b", "example.com/a"]
    made = subject(desired)
    assert made.holds()

    made.connection.request("DELETE", made.path)

    assert not made.holds()
    made.update({"op": "remove", "path": "/metadata/finalizers"})


def test_finalizers_are_a_set_in_the_order_in_which_they_stand(subject: Callable[[Content], Subject]) -> None:
    desired = copy.deepcopy(OBJECTS["config map"])
    desired["metadata"]["finalizers"] = ["example.com/b", "example.com/a"]
    made = subject(desired)

    try:
        for finalizers in (
            ["example.com/b"],
            ["example.com/a", "example.com/b"],
            ["example.com/b", "example.com/c"],
            [],
        ):
            variant = copy.deepcopy(desired)
            variant["metadata"]["finalizers"] = finalizers
            assert not made.holds(variant)
    finally:
        made.update({"op": "remove", "path": "/metadata/finalizers"})


@pytest.mark.parametrize("field", ["uid", "resourceVersion", "managedFields"])
def test_metadata_that_an_apply_would_be_refused_for_is_not_certain(
    subject: Callable[[Content], Subject], field: str
) -> None:
    made = subject(OBJECTS["role"])
    variant = copy.deepcopy(made.desired)
    variant["metadata"][field] = [{"manager": "x"}] if field == "managedFields" else "12345"

    assert not made.holds(variant)
    assert made.would_change(variant)


@pytest.mark.parametrize("field", ["uid", "resourceVersion", "managedFields", "creationTimestamp", "generation"])
def test_metadata_without_a_value_makes_no_difference(subject: Callable[[Content], Subject], field: str) -> None:
    made = subject(OBJECTS["role"])
    variant = copy.deepcopy(made.desired)
    variant["metadata"][field] = None

    assert made.holds(variant)
    assert not made.would_change(variant)


def test_a_definition_holds_in_the_form_in_which_kubebuilder_writes_it(
    connection: Connection, clean: Callable[[str], None], namespace: str
) -> None:
    group = f"{namespace}.example.com"
    desired = copy.deepcopy(dict(definition("gadgets", "Gadget", group).content))
    desired["metadata"]["creationTimestamp"] = None
    desired["status"] = {"acceptedNames": {"kind": "", "plural": ""}, "conditions": [], "storedVersions": []}
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gadgets.{group}"
    clean(path)
    made = Subject(connection, path, desired)
    assert made.apply().status == 201
    made.settled()

    assert made.holds()
    assert not made.would_change()
    check_every_change(made)


def custom(spec: Any, fields: Any = None, **entry: Any) -> Content:
    """A live custom resource with a record of what we own in its spec."""
    ours = {
        "manager": "deployer", "operation": "Apply", "apiVersion": "example.com/v1",
        "fieldsV1": {"f:spec": fields} if fields is not None else {},
    }  # fmt: skip
    return {"metadata": {"name": "a", "managedFields": [ours | entry]}, "spec": spec}


def wanted(spec: Any) -> Content:
    return {"apiVersion": "example.com/v1", "kind": "Gadget", "metadata": {"name": "a"}, "spec": spec}


@pytest.mark.parametrize(
    ("live", "desired", "fields"),
    [
        ({"a": 1}, {"a": 1.0}, {"f:a": {}}),
        ({"a": {"b": [1, {"c": True}]}}, {"a": {"b": [1, {"c": True}]}}, {"f:a": {}}),
        ({"a": {}}, {"a": {}}, {"f:a": {}}),
        ({"a": {}, "b": []}, {"a": {}, "b": []}, {}),
        ({}, {"a": None}, {"f:a": {}}),
        ({"a": {"b": "x", "other": "y"}}, {"a": {"b": "x"}}, {"f:a": {".": {}, "f:b": {}}}),
        ({"a": ["x", "other", "y"]}, {"a": ["x", "y"]}, {"f:a": {'v:"y"': {}, 'v:"x"': {}}}),
        ({"a": [{"n": 2, "v": 1}]}, {"a": [{"n": 2, "v": 1}]}, {"f:a": {'k:{"n":2}': {".": {}, "f:n": {}, "f:v": {}}}}),
    ],
)  # fmt: skip
def test_it_holds(live: Any, desired: Any, fields: Any) -> None:
    assert holds(custom(live, fields), wanted(desired), has_status=False)


@pytest.mark.parametrize(
    ("live", "desired", "fields"),
    [
        ({"a": 1}, {"a": True}, {"f:a": {}}),
        ({"a": True}, {"a": 1}, {"f:a": {}}),
        ({"a": 0}, {"a": False}, {"f:a": {}}),
        ({"a": "1"}, {"a": 1}, {"f:a": {}}),
        ({"a": "1"}, {"a": "1000m"}, {"f:a": {}}),
        ({"limits": {"cpu": "1"}}, {"limits": {"cpu": "1000m"}}, {"f:limits": {"f:cpu": {}}}),
        ({"a": 1}, {"a": 1}, None),
        ({"a": 1}, {"a": 1}, {"f:b": {}}),
        ({"a": 1, "b": 1}, {"a": 1}, {"f:a": {}, "f:b": {}}),
        ({"a": {"b": 1}}, {"a": {}}, {"f:a": {"f:b": {}}}),
        ({"a": {"b": 1}}, {"a": {}}, {"f:a": {}}),
        ({"a": {"b": 1, "c": 1}}, {"a": {"b": 1}}, {"f:a": {}}),
        ({"a": {"b": None}}, {"a": {}}, {"f:a": {}}),
        ({"a": {}}, {"a": {"b": None}}, {"f:a": {}}),
        ({}, {"a": {}}, {"f:a": {}}),
        ({}, {"a": []}, {"f:a": {}}),
        ({}, {"a": None}, {}),
        ({}, {"a": ""}, {"f:a": {}}),
        ({"a": [1, 2]}, {"a": [2, 1]}, {"f:a": {}}),
        ({"a": ["x", "y"]}, {"a": ["y", "x"]}, {"f:a": {'v:"x"': {}, 'v:"y"': {}}}),
        ({"a": ["x"]}, {"a": ["x", "x"]}, {"f:a": {'v:"x"': {}}}),
        ({"a": [1]}, {"a": [True]}, {"f:a": {"v:1": {}}}),
        ({"a": ["x"]}, {"a": ["x"]}, {"f:a": {"i:0": {}}}),
        ({"a": [{"n": 1}]}, {"a": [{"n": 1}]}, {"f:a": {"i:0": {"f:n": {}}}}),
        ({"a": [{"n": 1}, {"n": 1}]}, {"a": [{"n": 1}]}, {"f:a": {'k:{"n":1}': {".": {}, "f:n": {}}}}),
        ({"a": [{"n": 1}]}, {"a": [{"n": [1]}]}, {"f:a": {'k:{"n":1}': {".": {}, "f:n": {}}}}),
        ({"a": [{"n": 1}]}, {"a": ["n"]}, {"f:a": {'k:{"n":1}': {".": {}, "f:n": {}}}}),
        ({"a": {"x": 1}}, {"a": [1]}, {"f:a": {"f:x": {}}}),
        ({"a": [{"n": 1}]}, {"a": {"n": 1}}, {"f:a": {'k:{"n":1}': {".": {}}}}),
        ({"a": 1}, {"a": 1}, {"f:a": {"f:b": {}}}),
        ("text", {"a": 1}, {"f:a": {}}),
        (None, {"a": 1}, {"f:a": {}}),
    ],
)  # fmt: skip
def test_it_is_not_certain_to_hold(live: Any, desired: Any, fields: Any) -> None:
    assert not holds(custom(live, fields), wanted(desired), has_status=False)


@pytest.mark.parametrize(
    "entry", [{"apiVersion": "example.com/v2"}, {"operation": "Update"}, {"manager": "x"}, {"subresource": "scale"}]
)
def test_only_the_record_of_our_applies_in_this_version_counts(entry: dict[str, str]) -> None:
    live = custom({"a": 1}, {"f:a": {}})
    assert holds(live, wanted({"a": 1}), has_status=False)

    assert not holds(custom({"a": 1}, {"f:a": {}}, **entry), wanted({"a": 1}), has_status=False)


def test_the_status_of_a_kind_without_a_status_subresource_is_a_field_like_any_other() -> None:
    desired = wanted({"a": 1}) | {"status": {"b": 1}}
    live = custom({"a": 1}, {"f:a": {}})

    assert holds(live, desired, has_status=True)
    assert not holds(live, desired, has_status=False)


@pytest.mark.parametrize(
    "broken", [{}, {"metadata": None}, {"metadata": []}, {"metadata": {"managedFields": {"a": 1}}}]
)
def test_what_is_no_object_does_not_hold(broken: Content) -> None:
    assert not holds(broken, wanted({"a": 1}), has_status=False)


@pytest.mark.parametrize(
    "text",
    [
        "party \U0001f389",
        "\x7f\x85\x9f\xa0\u2028\ufeff\ufffe\uffff",
        "\x00\x1b[0m\n\t",
        "\\ud83c\\/",
        "Gr\xfc\xdfe \u4e16",
        "\U0001fffe\U0010ffff",
    ],
)
def test_every_character_arrives_as_it_was_written(subject: Callable[[Content], Subject], text: str) -> None:
    desired = copy.deepcopy(OBJECTS["config map"])
    desired["data"] = {"a": text}
    made = subject(desired)

    assert made.live()["data"] == {"a": text}
    assert made.holds()


@pytest.mark.real_cluster
def test_base64_with_line_breaks_holds(real_kubeconfig: Path) -> None:
    desired = copy.deepcopy(OBJECTS["secret"])
    desired["metadata"]["name"] = name = f"lines-{secrets.token_hex(4)}"
    desired["data"] = {"a": base64.encodebytes(bytes(range(99))).decode()}
    with connect(ClusterSettings(kubeconfig=FileSecret(file=real_kubeconfig)), name="test") as connection:
        made = Subject(connection, f"/api/v1/namespaces/default/secrets/{name}", desired)
        assert made.apply().status == 201

        assert "\n" not in made.live()["data"]["a"]
        assert made.holds()
        assert not made.would_change()
        connection.request("DELETE", made.path)


def test_a_thousand_objects_take_little_time(subject: Callable[[Content], Subject]) -> None:
    made = [subject(OBJECTS[name]) for name in ("generated deployment", "service", "config map")]
    pairs = [(each.live(), each.desired) for each in made]
    many = [json.loads(json.dumps(pairs[number % 3])) for number in range(1000)]

    took = []
    for _ in range(3):
        start = time.perf_counter()
        assert all(holds(live, desired, has_status=True) for live, desired in many)
        took.append(time.perf_counter() - start)

    assert min(took) < 0.3  # a tenth of it on an idle machine
