"""On which line a scalar stands, whatever else is in the text."""

from __future__ import annotations

import time

import pytest

from deployer.source import scalars
from deployer.source.allowance import TooMuch, at_most


def test_the_line_of_a_text_is_that_on_which_it_stands_first() -> None:
    text = b"a: b\nfiles: [k=x/y]\nin: |\n  c: d\n  e: [f]\nout: '{g: h}'\nfolded: >\n  i: j\nlast: c\n"
    lines = {"a": 1, "x/y": 2, "k=x/y": 2, "d": 4, "f": 5, "h": 6, "j": 8, "c": 9}
    assert scalars.lines(text, lines.keys()) == lines
    assert scalars.lines(text, {"", "nowhere"}) == {}


def test_text_that_is_no_yaml_has_lines_as_far_as_it_goes() -> None:
    assert scalars.lines(b"a: b\nc: [", {"a", "b", "c", "d"}) == {"a": 1, "b": 1, "c": 2}


@pytest.mark.parametrize("text", [b"['m:x'" + b",'m:'" * 180_000 + b"]", b"[" + b"a," * 400_000 + b"]"])
def test_looking_for_a_line_takes_no_longer_than_a_number_is_worth(text: bytes) -> None:
    begun = time.monotonic()
    with pytest.raises(TooMuch), at_most(100_000):
        scalars.lines(text, {"m"})
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    ("text", "merges"),
    [("<<: {a: b}", True), ("a: {<<: *b}", True), ("! <<: x", True), ("!!merge '<<': x", True), ("'<<': x", False)],
)
def test_a_merge_is_found_in_every_spelling(text: str, merges: bool) -> None:
    assert scalars.merges(text.encode()) is merges
