"""Whatever a body holds, reading it gives checked values or `Malformed`."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployer.webhooks.payload import Fields, decode, numbered, one_line
from deployer.webhooks.refusal import Malformed

DEEP = 200_000


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "{",
        "[]",
        "null",
        "7",
        '"text"',
        "true",
        '{"a": NaN}',
        '{"a": -Infinity}',
        '{"a": ' + "9" * 5000 + "}",
        "[" * DEEP,
        "[" * DEEP + "]" * DEEP,
        '{"a":' * DEEP + "1" + "}" * DEEP,
        "\ufeff{}",
        '{"a": "\n"}',
        "{} {}",
    ],
    ids=lambda text: repr(text)[:20],
)
def test_what_is_no_object_of_json_is_malformed(text: str) -> None:
    with pytest.raises(Malformed, match="the payload is"):
        Fields.parse(text)


@pytest.mark.parametrize("body", [b"", b"\xff\xfe{\x00}\x00", b'{"a": "\xe4"}', b"\xed\xa0\x80"])
def test_a_body_that_is_empty_or_not_utf8_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed, match="the body is"):
        decode(body)


def test_of_a_key_that_is_there_twice_the_last_one_counts() -> None:
    assert Fields.parse('{"a": "one", "a": "two"}').text("a") == "two"


def test_depth_and_numbers_that_nobody_reads_do_no_harm() -> None:
    assert Fields.parse('{"a": "x", "b": ' + "[" * 200 + "]" * 200 + ', "c": 1e999}').text("a") == "x"


def test_a_message_says_where_and_what() -> None:
    payload = Fields.parse('{"a": {"b": [], "c": null}}')
    with pytest.raises(Malformed, match=r"^a\.b is a list, not an object$"):
        payload.section("a").section("b")
    with pytest.raises(Malformed, match=r"^a\.c is null, not an object$"):
        payload.section("a").section("c")
    with pytest.raises(Malformed, match=r"^a\.d is missing, not true or false$"):
        payload.section("a").flag("d")


def test_true_is_not_a_number_and_a_fraction_neither() -> None:
    for value in ("true", "1.0", '"1"'):
        with pytest.raises(Malformed, match="not a whole number"):
            Fields.parse(f'{{"a": {value}}}').number("a")
    assert Fields.parse('{"a": 12}').number("a") == 12


@pytest.mark.parametrize("name", ["main\n", "a\x00b", "a\x7fb", "a\x85b", "\ud800", ""])
def test_a_name_with_characters_that_no_name_has_is_malformed(name: str) -> None:
    with pytest.raises(Malformed):
        Fields.parse(json.dumps({"a": name})).name("a")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("one\ntwo", "one"),
        ("\n\n  one  \r\n two", "one"),
        ("a\tb\x1b[2Jc", "a b [2Jc"),
        ("right\u202eleft", "right left"),
        ("\ud83d", ""),
        ("größe 👩", "größe 👩"),
        ("", ""),
        ("\n", ""),
    ],
)
def test_one_line_is_the_first_and_prints(text: str, shown: str) -> None:
    assert one_line(text) == shown


@given(st.text(st.characters(codec=None), max_size=400), st.integers(1, 50))
@settings(deadline=None)
def test_one_line_is_short_printable_and_can_be_encoded(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert line.isprintable()
    assert line.encode().decode() == line


def test_one_line_says_when_it_was_cut() -> None:
    assert one_line("x" * 101) == "x" * 99 + "…"
    assert one_line("x" * 100) == "x" * 100


def test_what_was_merged_has_a_number_a_title_both_or_neither() -> None:
    assert numbered("#", 12, "Title") == "#12 Title"
    assert numbered("#", 12, None) == "#12"
    assert numbered("#", None, "Title") == "Title"
    assert numbered("#", None, None) is None
