from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployer.forges.writing import Marked, fitting, in_bytes, whole_lines
from deployer.model import Permanent

REST = "The rest: https://deployer.example.com/previews/1"


def test_a_marked_text_is_known_by_its_first_line() -> None:
    ours = Marked("deployer preview", "body")
    assert ours.text == "<!-- deployer preview -->\nbody"
    assert ours.marks(Marked("deployer preview", "another body").text)
    assert not ours.marks(Marked("deployer other", "body").text)
    assert not ours.marks("")


def test_what_fits_is_not_touched() -> None:
    assert fitting("é" * 10, limit=10, forge="GitHub", doing="x") == "é" * 10
    with pytest.raises(Permanent, match="it has 11 characters, and GitHub takes 10; leave something out"):
        fitting("é" * 11, limit=10, forge="GitHub", doing="x")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\nb", "a\nb"),
        ("a\nb\n" + "c" * 200, f"a\nb\n\n{REST}"),
        ("```diff\n" + "+ b\n" * 50, "```diff\n" + "+ b\n" * 9 + f"```\n\n{REST}"),
        ("```\nx\n```\n" + "y" * 200, f"```\nx\n```\n\n{REST}"),
        ("```x``` is code\n" + "y" * 200, f"```x``` is code\n\n{REST}"),
        ("    ```\nx\n" + "y" * 200, f"    ```\nx\n\n{REST}"),
        ("x" * 200, REST),
    ],
)
def test_a_long_text_keeps_its_first_lines(text: str, expected: str) -> None:
    cut = whole_lines(text, limit=100, rest=REST)
    assert cut == expected
    assert len(cut) <= 100


_LINES = st.lists(
    st.sampled_from(["text", "", "```", "```diff", "~~~~", "    ```", "````", "```x``` y", "x" * 40]), max_size=60
)


@given(lines=_LINES, limit=st.integers(60, 400))
def test_whatever_is_cut_fits_has_whole_lines_and_leaves_no_code_open(lines: list[str], limit: int) -> None:
    text = "\n".join(lines)
    cut = whole_lines(text, limit=limit, rest=REST)
    assert len(cut) <= limit
    if cut != text:
        assert cut.endswith(REST)
        body = cut.removesuffix(REST).splitlines()
        assert len(body) < 2 or body[0] in lines
        assert not open_fence(cut.splitlines())


def test_what_is_counted_may_be_bytes() -> None:
    text = "grün\n" * 20
    assert whole_lines(text, limit=120, rest=REST, size=in_bytes) == text
    cut = whole_lines(text, limit=119, rest=REST, size=in_bytes)
    assert cut == "grün\n" * 11 + f"\n{REST}"
    assert in_bytes(cut) <= 119
    assert in_bytes("half a character: \ud83d") == 21


def open_fence(lines: list[str]) -> str:
    """The fence that is open at the end, by CommonMark's rules for what these tests write."""
    fence = ""
    for line in lines:
        mark = line.strip()
        if line.startswith("    ") or not mark.startswith(("```", "~~~")):
            continue
        run = mark[: len(mark) - len(mark.lstrip(mark[0]))]
        if "`" in mark.removeprefix(run):
            continue
        if not fence:
            fence = run
        elif mark == run and run[0] == fence[0] and len(run) >= len(fence):
            fence = ""
    return fence
