"""Which values of a manifest are left to the cluster, for each shape that a value and its record can have."""

from __future__ import annotations

from typing import Any

import pytest

from deployer.cluster.kept import Spot, kept

ITEM = 'k:{"name":"a"}'


def left(path: tuple[str, ...], wanted: Any, live: Any, ours: Any, *, others: Any = None, theirs: Any = None) -> Any:
    known = ours if others is None else others
    spot = Spot(wanted, live, ours, known, {} if theirs is None else theirs)
    return kept(spot, path, any_step="*")


@pytest.mark.parametrize(
    ("wanted", "live", "ours", "applied"),
    [
        ({"x": 1}, {"x": 2}, {"f:x": {}}, {"x": 2}),
        ({"x": 1}, {"x": None}, {"f:x": {}}, {"x": None}),
        ({"x": 1, "y": 1}, {"x": 2, "y": 2}, {"f:y": {}}, {"y": 1}),
        ({"x": 1, "y": 1}, {"y": 2}, {"f:y": {}}, {"y": 1}),
        ({"y": 1}, {"x": 2, "y": 1}, {"f:x": {}, "f:y": {}}, {"x": 2, "y": 1}),
        ({"x": {}}, {"x": {"filled": "in"}}, {"f:x": {}}, {"x": {}}),
        ({"x": {"a": 1}}, {"x": {"a": 2, "theirs": 3}}, {"f:x": {"f:a": {}}}, {"x": {"a": 2}}),
        ({"x": {"a": 1}}, {"x": {"a": 2, "b": 3}}, {"f:x": {}}, {"x": {"a": 2, "b": 3}}),
        ({"x": {"a": 1}, "y": 1}, {"x": {"a": 2}, "y": 1}, {"f:y": {}}, {"y": 1}),
        ({"x": [1]}, {"x": [2, 3]}, {"f:x": {}}, {"x": [2, 3]}),
        ({"x": ["a"]}, {"x": ["b", "a"]}, {"f:x": {'v:"a"': {}}}, {"x": ["a"]}),
    ],
    ids=["scalar", "null", "another's", "gone", "gone from git", "empty in git", "map", "atomic map", "another's map",
         "atomic list", "set"],
)  # fmt: skip
def test_what_we_are_on_record_for_is_as_it_is_live_and_the_rest_is_left_out(
    wanted: Any, live: Any, ours: Any, applied: Any
) -> None:
    everything = {**ours, "f:x": ours.get("f:x", {})}
    assert left(("x",), wanted, live, ours, others=everything) == applied


@pytest.mark.parametrize(
    ("wanted", "live", "applied"),
    [
        ([1, 2, 3], [1, 9, 3], None),
        ([1, 2, 3], [1, 9, 4], {"x": [1, 9, 3]}),
        ([1, 2], [1], None),
        ({"1": 1, "a": 1}, {"1": 9, "a": 1}, None),
        ({"1": 1, "a": 1}, {"1": 9, "a": 2}, {"x": {"1": 9, "a": 1}}),
        ({"1": {"b": 1}, "a": 1}, {"1": {"b": 9}, "a": 2}, {"x": {"1": {"b": 9}, "a": 1}}),
    ],
    ids=["only it differs", "something else differs", "it is gone", "map", "something else of a map", "in a map in it"],
)
def test_a_part_of_what_somebody_else_has_as_one_is_as_it_is_live_and_all_of_it_is_left_out_if_it_may(
    wanted: Any, live: Any, applied: Any
) -> None:
    assert left(("x", "1"), {"x": wanted}, {"x": live}, {}, others={"f:x": {}}) == applied


def test_an_item_keeps_what_names_it_and_what_is_ours() -> None:
    wanted = {"x": [{"name": "b", "v": 1}, {"name": "a", "v": 1, "w": 1}]}
    live = {"x": [{"name": "a", "v": 2, "w": 2}, {"name": "b", "v": 1}]}
    ours: Any = {"f:x": {ITEM: {".": {}, "f:v": {}}, 'k:{"name":"b"}': {".": {}, "f:v": {}}}}

    assert left(("x", "1"), wanted, live, ours) == {"x": [{"name": "b", "v": 1}, {"name": "a", "v": 2}]}
    assert left(("x", "*", "w"), wanted, live, ours) == {"x": [{"name": "b", "v": 1}, {"name": "a", "v": 1}]}


def test_an_item_that_is_not_there_or_not_ours_any_more_is_left_out() -> None:
    wanted = {"x": [{"name": "a", "v": 1}, {"name": "b", "v": 1}]}
    ours: Any = {"f:x": {ITEM: {".": {}, "f:v": {}}}}

    assert left(("x", "1"), wanted, {"x": [{"name": "a", "v": 1}]}, ours) == {"x": [{"name": "a", "v": 1}]}
    known: Any = {"f:x": {**ours["f:x"], 'k:{"name":"b"}': {".": {}}}}
    both = {"x": [{"name": "b", "v": 2}, {"name": "a", "v": 1}]}
    assert left(("x", "1"), wanted, both, ours, others=known) == {"x": [{"name": "a", "v": 1}]}


def test_a_path_below_an_atomic_list_counts_its_items_where_they_are() -> None:
    assert left(("x", "1"), {"x": [1, 2, 3]}, {"x": [1, 9, 4]}, {"f:x": {}}) == {"x": [1, 9, 3]}


def test_of_a_manager_only_what_it_is_on_record_for() -> None:
    wanted = {"x": 1, "y": {"a": 1, "b": 1}}
    live = {"x": 2, "y": {"a": 2, "b": 2}}
    ours: Any = {"f:x": {}, "f:y": {"f:b": {}}}
    known: Any = {"f:x": {}, "f:y": {"f:a": {}, "f:b": {}}}

    theirs: Any = {"f:y": {".": {}, "f:a": {}}}

    assert left((), wanted, live, ours, others=known, theirs=theirs) == {"x": 1, "y": {"b": 1}}
    assert left(("x",), wanted, live, ours, others=known, theirs=theirs) == wanted


@pytest.mark.parametrize("path", [("z",), ("x", "a"), ("x", "0"), ("y", "9"), ("y", "-"), ("y", "a")])
def test_a_path_to_nothing_leaves_nothing_alone(path: tuple[str, ...]) -> None:
    wanted = {"x": 1, "y": [1, 2]}

    assert left(path, wanted, {"x": 2, "y": [3, 4]}, {"f:x": {}, "f:y": {}}) == wanted
