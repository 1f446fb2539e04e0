"""Rendered YAML becomes named objects and a digest, or one failure that names every mistake."""

from __future__ import annotations

import json
import secrets

import pytest
import yaml

from deployer.model import ObjectRef, Permanent, Stage
from deployer.source.manifests import SHOWN_MISTAKES, parse


def config(name: object = "a", **changes: object) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **changes}


def written(*objects: object) -> bytes:
    return yaml.safe_dump_all(objects, allow_unicode=True).encode()


def refused(rendered: bytes) -> str:
    with pytest.raises(Permanent) as error:
        parse(rendered)
    assert error.value.stage is Stage.RENDER
    return error.value.message


def test_objects_come_in_the_order_of_the_output_with_their_names() -> None:
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "system:shop.reader"},
    }
    manifests = parse(written(config("b", metadata={"name": "b", "namespace": "shop"}), role))
    assert [each.ref for each in manifests.objects] == [
        ObjectRef("v1", "ConfigMap", "shop", "b"),
        ObjectRef("rbac.authorization.k8s.io/v1", "ClusterRole", None, "system:shop.reader"),
    ]
    assert manifests.objects[1].content == role


def test_values_are_read_as_go_reads_them() -> None:
    (only,) = parse(
        b"apiVersion: v1\nkind: A\nmetadata: {name: on-call}\nspec: {mode: 0644, at: 1:30, on: 1e3}"
    ).objects
    assert only.content["spec"] == {"mode": 420, "at": "1:30", "true": 1000}


@pytest.mark.parametrize("namespace", [None, ""])
def test_an_empty_namespace_names_none(namespace: str | None) -> None:
    (only,) = parse(written(config(metadata={"name": "a", "namespace": namespace}))).objects
    assert only.ref.namespace is None


def test_lists_are_taken_apart() -> None:
    inner = {"apiVersion": "v1", "kind": "List", "items": [config("b"), config("c")]}
    outer = {"apiVersion": "v1", "kind": "List", "metadata": {}, "items": [config("a"), inner, config("d")]}
    typed = {"apiVersion": "v1", "kind": "ConfigMapList", "items": [config("e")]}
    empty = {"apiVersion": "v1", "kind": "List", "items": None}
    assert [each.ref.name for each in parse(written(outer, typed, empty)).objects] == ["a", "b", "c", "d", "e"]


def test_an_object_whose_kind_ends_in_list_stays_one() -> None:
    allow_list = {"apiVersion": "e.com/v1", "kind": "AllowList", "metadata": {"name": "a"}, "items": [1]}
    assert [each.ref.kind for each in parse(written(allow_list)).objects] == ["AllowList"]


def test_the_digest_is_of_the_content_alone() -> None:
    first, second = config("a", data={"p": "1", "q": "2"}), config("b")
    one = parse(written(first, second)).digest
    assert len(bytes.fromhex(one)) == 32
    assert parse(written(second, first)).digest == one
    assert (
        parse(
            b"# generated\n---\n---\n" + b"---\n".join(json.dumps(each).encode() + b"\n" for each in (second, first))
        ).digest
        == one
    )
    assert parse(written({"apiVersion": "v1", "kind": "List", "items": [first, second]})).digest == one
    assert parse(written(first)).digest != one
    assert parse(written(config("a", data={"p": 1, "q": "2"}), second)).digest != one


@pytest.mark.parametrize(
    "rendered", [b"", b"\n", b"# nothing\n", b"---\n---\n", b"apiVersion: v1\nkind: List\nitems: []"]
)
def test_nothing_rendered_is_a_failure_that_says_so(rendered: bytes) -> None:
    assert "renders to nothing" in refused(rendered)


@pytest.mark.parametrize(
    "name",
    [
        "a/b",
        "..",
        ".",
        "../../nodes/a",
        "a%2fb",
        "a%",
        "a?force=true",
        "a#b",
        "a\\b",
        "a b",
        "a\tb",
        "a\nb",
        "a\x7f",
        "\u202ea",
        "x" * 254,
    ],
)
def test_a_name_that_would_escape_its_path_is_refused(name: str) -> None:
    message = refused(written(config(name)))
    assert message.startswith("document 1 (ConfigMap ")
    assert "metadata.name" in message
    assert message.isprintable()


@pytest.mark.parametrize(
    "name", ["a", "a.b", "a..b", "system:node", "a_b", "A", "system:controller:x-y", "ü", "x" * 253]
)
def test_a_name_that_is_one_segment_of_a_path_is_taken(name: str) -> None:
    assert parse(written(config(name))).objects[0].ref.name == name


@pytest.mark.parametrize("namespace", ["a/b", "..", ".", "a.b", "A", "a%2f", "a?x", "-a", "a ", "a\n", "ü"])
def test_a_namespace_that_would_escape_its_path_is_refused(namespace: str) -> None:
    assert "metadata.namespace" in refused(written(config(metadata={"name": "a", "namespace": namespace})))


@pytest.mark.parametrize(
    "api_version", ["v1/", "/v1", "a/b/c", "../v1", "a/..", "v1?x", "a%2fb/v1", "V 1", "v1\n", "a..b/v1"]
)
def test_an_api_version_that_would_escape_its_path_is_refused(api_version: str) -> None:
    assert "apiVersion" in refused(written(config(apiVersion=api_version)))


@pytest.mark.parametrize("kind", ["a/b", "..", "Pod?", "Pod%2f", "1Pod", "Po d", "Pod\n"])
def test_a_kind_that_would_escape_its_path_is_refused(kind: str) -> None:
    assert "kind" in refused(written(config(kind=kind)))


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (5, "is a number, not an object"),
        ("text", "is a string, not an object"),
        ([], "is a sequence, not an object"),
        (False, "is a boolean, not an object"),
        ({}, "has no apiVersion"),
        ({"apiVersion": 1}, "apiVersion is a number, not a string; put it in quotes"),
        ({"apiVersion": "v1"}, "has no kind"),
        ({"apiVersion": "v1", "kind": ""}, "kind is empty"),
        ({"apiVersion": "v1", "kind": ["Pod"]}, "kind is a sequence, not a string"),
        ({"apiVersion": "v1", "kind": "Pod"}, "metadata is empty"),
        ({"apiVersion": "v1", "kind": "Pod", "metadata": "a"}, "metadata is a string"),
        (config(metadata={}), "has no metadata.name"),
        (config(""), "metadata.name is empty"),
        (config(None), "metadata.name is empty"),
        (config(123), "metadata.name is a number, not a string; put it in quotes"),
        (config(True), "metadata.name is a boolean"),
        (config(metadata={"name": "a", "namespace": 1}), "metadata.namespace is a number"),
        (config(metadata={"generateName": "a-"}), "has generateName: every deployment would make one more"),
        ({"kind": "ConfigMapList", "items": [config("a"), 7]}, "document 1, item 2: is a number"),
    ],
)
def test_what_is_no_object_is_refused_with_the_reason(document: object, reason: str) -> None:
    assert reason in refused(written(document))


def test_an_object_that_stands_twice_is_refused_with_both_places() -> None:
    message = refused(written(config("a"), config("b"), config("a", data={"x": "y"})))
    assert message == "ConfigMap a stands twice, in document 1 and document 3; leave one"


def test_another_version_of_its_api_does_not_make_it_another_object() -> None:
    objects = [config(apiVersion=f"example.com/{version}", kind="Thing") for version in ("v1", "v2")]
    assert "(example.com/v1 and example.com/v2)" in refused(written(*objects))


def test_another_namespace_kind_or_group_makes_it_another_object() -> None:
    others = [
        config(metadata={"name": "a", "namespace": "x"}),
        config(kind="Secret"),
        config(apiVersion="example.com/v1"),
    ]
    assert len(parse(written(config(), *others)).objects) == 4


def test_all_mistakes_are_reported_together() -> None:
    message = refused(written(config("a"), config("a"), config("x/y"), {"kind": "Pod"}, 5))
    assert message.startswith("4 mistakes in the rendered manifests: ")
    assert message.count("; ") >= 3
    for part in ("ConfigMap a stands twice", "document 3", "document 4 (Pod)", "document 5"):
        assert part in message


def test_of_very_many_mistakes_the_rest_is_counted() -> None:
    message = refused(written(*[{}] * (SHOWN_MISTAKES + 5)))
    assert message.endswith("; and 5 more")
    assert len(message) < 1000


def test_what_cannot_be_read_is_refused_with_its_place() -> None:
    assert refused(b"a: b\nc: [").startswith("reading the rendered manifests: line ")
    assert "levels deep" in refused(b"[" * 20_000)


@pytest.mark.parametrize(
    "broken",
    [
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a/b}\nstringData: {password: VALUE}",
        "apiVersion: v1\nkind: Secret\nmetadata: VALUE\nstringData: {password: VALUE}",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: [VALUE]}\nVALUE: VALUE",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {VALUE: 1, VALUE: 2}",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {password: !!int VALUE}",
        'apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {password: "VALUE}',
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {password: *VALUE}",
        "VALUE",
        "- VALUE",
    ],
)
def test_no_value_of_a_secret_is_in_a_message(broken: str) -> None:
    value = secrets.token_hex(8)
    with pytest.raises(Permanent) as error:
        parse(broken.replace("VALUE", f"x{value}").encode())
    causes = [error.value, error.value.__cause__, error.value.__cause__ and error.value.__cause__.__cause__]
    assert all(value not in f"{each} {each!r}" for each in causes)


def test_an_object_does_not_show_its_content() -> None:
    value = secrets.token_hex(8)
    assert value not in repr(parse(written(config(kind="Secret", stringData={"password": value}))))
