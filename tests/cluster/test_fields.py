"""Paths and values of what differs between two states of an object."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployer.cluster.change import FieldChange
from deployer.cluster.fields import changed, line


def lines(before: Any, after: Any) -> list[str]:
    return [line(change) for change in changed({"spec": before}, {"spec": after})]


def container(name: str, **rest: Any) -> dict[str, Any]:
    return {"name": name, **rest}


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({"replicas": 3}, {"replicas": 5}, ["spec.replicas 3 → 5"]),
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": 1}, {"a": True}, ["spec.a 1 → true"]),
        ({"port": 80}, {"port": "80"}, ['spec.port 80 → "80"']),
        ({"a": None}, {}, []),
        ({}, {"a": "x y"}, ['spec.a (none) → "x y"']),
        ({"a": {"b": [1]}}, {}, ['spec.a {"b":[1]} → (none)']),
        ({"a": ""}, {"a": "(none)"}, ['spec.a "" → "(none)"']),
        ({"a.b/c": "x"}, {"a.b/c": "y"}, ['spec["a.b/c"] x → y']),
        ({'a"]': "x"}, {'a"]': "y"}, ['spec["a\\"]"] x → y']),
        ({"args": ["a", "b"]}, {"args": ["a", "c", "d"]}, ["spec.args[1] b → c", "spec.args[2] (none) → d"]),
        ({"a": [1]}, {"a": {"b": 1}}, ['spec.a [1] → {"b":1}']),
    ],
)  # fmt: skip
def test_a_difference_is_told_in_one_line(before: Any, after: Any, told: list[str]) -> None:
    assert lines(before, after) == told


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (
            [container("web", image="a:1"), container("side", image="b:1")],
            [container("new", image="c:1"), container("web", image="a:2"), container("side", image="b:1")],
            ['spec[name="web"].image a:1 → a:2', 'spec[name="new"] (none) → {"name":"new","image":"c:1"}'],
        ),
        (
            [{"containerPort": 80, "protocol": "TCP"}],
            [{"containerPort": 80, "protocol": "TCP", "name": "web"}],
            ['spec[containerPort=80,protocol="TCP"].name (none) → web'],
        ),
        (
            [{"port": 53, "protocol": "TCP", "a": 1}, {"port": 53, "protocol": "UDP", "a": 1}],
            [{"port": 53, "protocol": "TCP", "a": 1}, {"port": 53, "protocol": "UDP", "a": 2}],
            ['spec[port=53,protocol="UDP"].a 1 → 2'],
        ),
        (
            [{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/b"}],
            [{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/b", "readOnly": True}],
            ['spec[mountPath="/b"].readOnly (none) → true'],
        ),
        ([{"type": "A", "s": 1}], [{"type": "A", "s": 2}], ['spec[type="A"].s 1 → 2']),
        (
            [{"name": "a", "v": 1}, {"name": "a", "v": 2}],
            [{"name": "a", "v": 1}, {"name": "a", "v": 3}],
            ["spec[1].v 2 → 3"],
        ),
        ([container("a"), container("b")], [container("b"), container("a")],
         ['spec ["name=\\"a\\"","name=\\"b\\""] → ["name=\\"b\\"","name=\\"a\\""]']),
        ([], [container("a")], ['spec[name="a"] (none) → {"name":"a"}']),
    ],
)  # fmt: skip
def test_items_of_lists_are_compared_by_what_names_them(before: Any, after: Any, told: list[str]) -> None:
    assert lines(before, after) == told


def test_what_the_api_server_keeps_in_an_object_is_no_difference() -> None:
    before = {"kind": "Service", "metadata": {"name": "a", "resourceVersion": "1", "generation": 1}, "status": {"a": 1}}
    after = {"kind": "Service", "metadata": {"name": "a", "resourceVersion": "2", "managedFields": [{}]}}

    assert changed(before, after) == ()


def test_of_a_secret_only_what_changed_is_told() -> None:
    values = [secrets.token_hex(8) for _ in range(3)]
    base = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}}
    quoted = {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": values[2]}}
    before = base | {"metadata": {"name": "a", **quoted}, "data": {"a": values[0], "b.c": "x", "same": "x"}}
    after = base | {"metadata": {"name": "a", "labels": {"x": "y"}}, "data": {"a": values[1], "d": "x", "same": "x"}}

    found = changed(before, after)

    assert found == (
        FieldChange("data.a", None, None, hidden=True),
        FieldChange('data["b.c"]', None, None, hidden=True),
        FieldChange("data.d", None, None, hidden=True),
        FieldChange("metadata.labels", None, {"x": "y"}),
    )
    assert line(found[0]) == "data.a changed (hidden)"
    assert not any(value in repr(found) for value in values)


def test_of_a_secrets_annotations_only_what_changed_is_told() -> None:
    values = [secrets.token_hex(8) for _ in range(3)]
    base = {"apiVersion": "v1", "kind": "Secret"}
    before = base | {"metadata": {"annotations": {"tool/original": values[0], "deployer/prune": "false"}}}
    after = base | {"metadata": {"annotations": {"tool/original": values[1], "deployer/prune": "true", "x": values[2]}}}

    found = changed(before, after)

    assert found == (
        FieldChange('metadata.annotations["deployer/prune"]', "false", "true"),
        FieldChange('metadata.annotations["tool/original"]', None, None, hidden=True),
        FieldChange("metadata.annotations.x", None, None, hidden=True),
    )
    added = changed(base | {"metadata": {}}, after)
    assert added == (FieldChange("metadata.annotations", None, None, hidden=True),)
    assert changed(base, after) == (FieldChange("metadata", None, None, hidden=True),)


@pytest.mark.parametrize("data", ["text", ["text"], {"a": {"b": "text"}}])
def test_nothing_of_a_secrets_malformed_data_is_told(data: Any) -> None:
    base = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}}

    for found in (changed(base, base | {"data": data}), changed(base | {"data": data}, base | {"data": {"a": "x"}})):
        assert found
        assert all(change.hidden and change.old is change.new is None for change in found)


@given(st.text(max_size=500), st.text(max_size=500))
def test_a_line_is_one_short_line_that_a_terminal_only_prints(key: str, value: str) -> None:
    for change in (FieldChange(f"data.{key}", value, [value]), *changed({"data": {key: value}}, {"data": {key: "x"}})):
        told = line(change)
        assert len(told) <= 300 + 3 * 80
        assert all(letter.isprintable() or letter == "\t" for letter in told)


def test_escapes_that_would_command_a_terminal_are_written_out() -> None:
    assert line(FieldChange("a\x1b[2J", "\x1b[31mred\u202e", "\x9b1m\n")) == (
        'a\\u001b[2J "\\u001b[31mred\\u202e" → "\\u009b1m\\n"'
    )


LEAVES = st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["", "a", "b"])
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "key", "x"]), inner)
)


@given(TREES, TREES)
def test_a_difference_is_told_exactly_when_there_is_one(before: Any, after: Any) -> None:
    assert bool(lines(before, after)) is (without_nulls(before) != without_nulls(after))
    assert lines(before, before) == []


def without_nulls(value: Any) -> Any:
    """With each value's type, because Python takes 1 for True."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return (type(value), value)
