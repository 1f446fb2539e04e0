"""Diffs for people, and the line that sums them up."""

from __future__ import annotations

import secrets
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployer.cluster.change import Change, Verdict
from deployer.cluster.disguise import shown_pair
from deployer.cluster.unified import summary, unified
from deployer.model import ObjectRef

REF = ObjectRef("v1", "ConfigMap", "shop", "settings")


def change(before: Any, after: Any, verdict: Verdict = Verdict.UPDATE) -> Change:
    return Change(REF, verdict, before=before, after=after)


def config_map(**data: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": data}


def test_a_change_is_shown_with_three_lines_around_it() -> None:
    before = config_map(a="1", b="2", c="3", d="4", e="x\nold\ny\n", f="6")
    after = config_map(a="1", b="2", c="3", d="4", e="x\nnew\ny\n", f="6")

    assert unified(change(before, after), color=False) == (
        "--- ConfigMap shop/settings (cluster)\n"
        "+++ ConfigMap shop/settings (git)\n"
        "@@ -6,7 +6,7 @@\n"
        "   d: '4'\n"
        "   e: |\n"
        "     x\n"
        "-    old\n"
        "+    new\n"
        "     y\n"
        "   f: '6'\n"
        " kind: ConfigMap\n"
    )


def test_an_object_that_comes_or_goes_is_shown_whole() -> None:
    added = unified(change(None, config_map(a="1"), Verdict.CREATE), color=False).splitlines()
    removed = unified(change(config_map(a="1"), None, Verdict.DELETE), color=False).splitlines()

    whole = ["apiVersion: v1", "data:", "  a: '1'", "kind: ConfigMap", "metadata:", "  name: settings"]
    assert added[:2] == removed[:2] == ["--- ConfigMap shop/settings (cluster)", "+++ ConfigMap shop/settings (git)"]
    assert added[3:] == [f"+{line}" for line in whole]
    assert removed[3:] == [f"-{line}" for line in whole]


@pytest.mark.parametrize("content", [None, config_map(a="1")])
def test_what_does_not_differ_prints_nothing(content: Any) -> None:
    assert unified(change(content, content, Verdict.UNCHANGED), color=True) == ""


def test_colours_go_by_what_a_line_is_and_not_by_what_it_says() -> None:
    lines = unified(change(config_map(a="x\n-- y\n"), config_map(a="x\n")), color=True).splitlines()

    assert lines[0] == "\x1b[1m--- ConfigMap shop/settings (cluster)\x1b[0m"
    assert lines[1] == "\x1b[1m+++ ConfigMap shop/settings (git)\x1b[0m"
    assert lines[2].startswith("\x1b[36m@@")
    assert "\x1b[31m-    -- y\x1b[0m" in lines
    assert "     x" in lines
    assert "\x1b" not in unified(change(config_map(a="x"), config_map(a="y")), color=False)


def test_a_secret_shows_that_it_changed_and_nothing_else() -> None:
    values = secrets.token_hex(8), secrets.token_hex(9)
    states = [{"kind": "Secret", "apiVersion": "v1", "data": {"a": value, "b": "x"}} for value in values]

    text = unified(change(*shown_pair(*states)), color=False)

    assert "-  a: (hidden)\n+  a: (hidden, changed)\n   b: (hidden)\n" in text
    assert not any(value in text for value in values)


@given(st.text(), st.text())
def test_nothing_that_a_terminal_would_obey_passes(key: str, value: str) -> None:
    name = ObjectRef("v1", f"Kind{key}", None, value)
    text = unified(Change(name, Verdict.UPDATE, before={"data": {key: "-"}}, after={"data": {key: value}}), color=False)

    assert all(letter.isprintable() or letter in "\n\t" for letter in text)


def test_half_a_character_is_written_as_its_number() -> None:
    assert "ud800" in unified(change(config_map(a="x"), config_map(a="\ud800")), color=False)


def test_the_same_value_in_two_places_is_written_twice() -> None:
    shared = {"cpu": "1"}

    assert "&" not in unified(change(None, {"limits": shared, "requests": shared}), color=False)


def test_a_large_object_is_shown_in_reasonable_time() -> None:
    lines = [f"line {number % 50}" for number in range(20_000)]
    start = time.perf_counter()

    after = config_map(a="\n".join([*lines[:9000], *lines[9001:]]))
    text = unified(change(config_map(a="\n".join(lines)), after), color=False)

    assert text
    assert time.perf_counter() - start < 5


def counted(**verdicts: int) -> list[Change]:
    return [Change(REF, Verdict(name)) for name, times in verdicts.items() for _ in range(times)]


@pytest.mark.parametrize(
    ("verdicts", "told"),
    [
        ({"create": 2, "update": 1, "delete": 1, "unchanged": 997},
         "2 to create, 1 to change, 1 to delete, 997 unchanged"),
        ({"recreate": 1, "refuse": 2, "keep": 1, "own": 3, "unchanged": 4},
         "1 to recreate, 2 refused, 1 kept, 7 unchanged"),
        ({"unchanged": 1000}, "nothing to change"),
        ({"own": 1}, "nothing to change"),
        ({"unchanged": 3, "keep": 2}, "nothing to change, 2 kept"),
        ({}, "nothing to change"),
    ],
)  # fmt: skip
def test_the_summary_counts(verdicts: dict[str, int], told: str) -> None:
    assert summary(counted(**verdicts)) == told
