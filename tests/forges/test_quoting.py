"""What others say inside our Markdown, read back by a parser of Markdown with tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from deployer.forges.quoting import cell, code, fenced, summary
from deployer.forges.report import line

HOSTILE = [
    "```", "`", "a`b", "`` ` ``", "``` \n@team", "|x|", "a\\|@team", "a\\\\|@team", "\\", "</details>", "@team", "#1",
    "GH-1", "acme/shop#1", "!1", "<!-- -->", "[x](http://e)", "~~~", "    x", "/close", "\x1b[2J", " ", "",
]  # fmt: skip
READER = MarkdownIt("commonmark").enable("table")


def texts(markdown: str) -> list[tuple[str, str]]:
    """Each piece of text that a reader sees, and what it stands in."""

    def flat(tokens: list[Token]) -> list[Token]:
        return [each for token in tokens for each in (flat(token.children) if token.children else [token])]

    return [(each.type, each.content) for each in flat(READER.parse(markdown)) if each.content.strip()]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_ends_the_code_that_it_stands_in(hostile: str) -> None:
    said = line(hostile)
    inline = [("code_inline", said)] if said else []
    assert texts(f"before {code(hostile)} after") == [("text", "before "), *inline, ("text", " after")]
    first, *block, last = texts(f"before\n\n{fenced(hostile)}\n\nafter")
    assert (first, last) == (("text", "before"), ("text", "after"))
    assert [kind for kind, _ in block] == (["fence"] if hostile.strip() else [])


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_ends_the_cell_that_it_stands_in(hostile: str) -> None:
    found = texts(f"| a | b | c |\n|---|---|---|\n| x | {cell(hostile)} | y |")
    assert found[:4] == [("text", "a"), ("text", "b"), ("text", "c"), ("text", "x")]
    assert found[-1] == ("text", "y")
    assert [kind for kind, _ in found[4:-1]] in (["code_inline"], [])


@given(st.text(alphabet="`\\| @#a\n", max_size=12))
def test_whatever_is_said_is_shown_as_it_is(text: str) -> None:
    said = line(text)
    assert [each for each in texts(code(text)) if each[0] != "code_inline"] == []
    for kind, content in texts(f"| a |\n|---|\n| {cell(text)} |")[1:]:
        assert kind == "code_inline"
        assert "\\|" in said or content.strip() == said


def test_a_folded_section_is_named_in_html_that_nothing_ends() -> None:
    assert summary("</code></summary>\n@team & co") == "<code>&lt;/code&gt;&lt;/summary&gt; @team &amp; co</code>"
