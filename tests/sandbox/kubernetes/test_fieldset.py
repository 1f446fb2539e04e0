"""Sets of field paths, written and read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from deployer.sandbox.kubernetes.fieldset import decode, encode, path_text, with_parents, without

_ELEMENTS = st.one_of(
    st.text(min_size=1, max_size=3).map("f:{}".format),
    st.sampled_from(['k:{"name":"a"}', 'v:"x"', "i:0", "f:."]),
)
_PATHS = st.frozensets(st.lists(_ELEMENTS, min_size=1, max_size=4).map(tuple), max_size=12)


@given(_PATHS)
def test_what_is_written_is_read_again(paths: frozenset[tuple[str, ...]]) -> None:
    assert decode(encode(paths)) == paths


def test_fields_v1_is_read_as_the_specification_has_it() -> None:
    fields = {"f:a": {}, "f:b": {".": {}, "f:c": {}}, "f:d": {'k:{"n":"x"}': {"f:e": {}}}}
    assert decode(fields) == {("f:a",), ("f:b",), ("f:b", "f:c"), ("f:d", 'k:{"n":"x"}', "f:e")}


def test_parents_are_fields_and_never_items() -> None:
    path = ("f:spec", "f:list", 'k:{"name":"a"}', "f:image")
    assert with_parents([path]) == {("f:spec",), ("f:spec", "f:list"), path}


def test_everything_below_a_prefix_is_taken_out() -> None:
    paths = frozenset([("f:status",), ("f:status", "f:a"), ("f:statusx",)])
    assert without(paths, [("f:status",)]) == {("f:statusx",)}


def test_paths_are_written_for_people() -> None:
    path = ("f:spec", "f:ports", 'k:{"port":80,"protocol":"TCP"}', "f:name")
    assert path_text(path) == '.spec.ports[port=80,protocol="TCP"].name'
    assert path_text(("f:metadata", "f:finalizers", 'v:"x/y"')) == '.metadata.finalizers[="x/y"]'
