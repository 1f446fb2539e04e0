"""Text of others inside our Markdown: it stands in code only, behind fences that it cannot close.

What people, tools and clusters say could otherwise pose as ours, command something, or mention somebody. Escaping with
a backslash is not enough: GitHub looks for names (`@team`) and issues (`#1`, `acme/shop#1`, `GH-1`) only after the
escapes are gone, and on either forge leaves out nothing but code. Pure.
"""

from __future__ import annotations

import html
import re

from deployer.forges.report import line


def code(text: str) -> str:
    """`text` on one line as code, whatever is in it. https://spec.commonmark.org/0.31.2/#code-spans"""
    text = line(text) or " "
    fence = "`" * (_longest_run(text) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def cell(text: str) -> str:
    """The same inside a table, where a bar would end it, also one behind what is an escaped backslash there.

    https://github.github.com/gfm/#tables-extension-
    """
    return re.sub(r"(\\*)\|", r"\1\1\\|", code(text))


def summary(text: str) -> str:
    """The same as what is seen of a section that is folded: there it is HTML."""
    return f"<code>{html.escape(line(text))}</code>"


def fenced(text: str, language: str = "text") -> str:
    """`text` as a block of code that nothing in it can end. https://spec.commonmark.org/0.31.2/#fenced-code-blocks"""
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}{language}\n{text.rstrip(chr(10))}\n{fence}"


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
