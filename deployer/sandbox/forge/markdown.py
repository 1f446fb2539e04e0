"""Markdown as people see it on the forge: GitHub's dialect, as far as comments and checks need it.

What people and robots wrote is never trusted: of HTML, comments are left out, a few tags without attributes but `open`
(folding, above all) are kept, and everything else is shown as it was written. Pure.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping, Sequence
from functools import lru_cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict
from markupsafe import Markup, escape

from deployer.sandbox.forge.diff import lines

_TAG = re.compile(r"<!--.*?-->|<(/?)(details|summary|b|strong|em|i|code|sub|sup|kbd)( open)?>|<br ?/?>", re.DOTALL)
_COLUMNS = re.compile(r"text-align:(left|right|center)")

_Environment = MutableMapping[str, Any]


@lru_cache(maxsize=256)
def render(text: str) -> Markup:
    """`text` as HTML that can stand in a page of ours."""
    kept: _Environment = {"open": []}
    shown = _READER.render(text, kept)
    return Markup(shown + "".join(f"</{name}>" for name in reversed(kept["open"])))  # noqa: S704 - escaped in here


class _Renderer(RendererHTML):
    """Everything that comes from outside is escaped here or in the library; links go to HTTP only."""

    def html_block(
        self,
        tokens: Sequence[Token],
        idx: int,
        options: OptionsDict,  # noqa: ARG002 - given by the library
        env: _Environment,
    ) -> str:
        return _kept_tags(tokens[idx].content, env["open"])

    html_inline = html_block

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: _Environment) -> str:
        token = tokens[idx]
        if token.info.strip() != "diff":
            return super().fence(tokens, idx, options, env)
        rows = (f'<div class="{line.kind}">{escape(line.text or " ")}</div>' for line in lines(token.content))
        return f'<div class="diff">{"".join(rows)}</div>\n'

    def link_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: _Environment) -> str:
        tokens[idx].attrSet("rel", "noreferrer")
        return self.renderToken(tokens, idx, options, env)

    def th_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: _Environment) -> str:
        """A column's alignment is a class: our pages take no style from within."""
        found = _COLUMNS.fullmatch(str(tokens[idx].attrs.pop("style", "")))
        if found:
            tokens[idx].attrSet("class", found[1])
        return self.renderToken(tokens, idx, options, env)

    td_open = th_open


def _kept_tags(html: str, opened: list[str]) -> str:
    """`html` with the tags that are kept, each closed only where it was opened, and the rest shown as it is."""
    shown, at = [], 0
    for found in _TAG.finditer(html):
        shown += [escape(html[at : found.start()]), _kept(found, opened)]
        at = found.end()
    return "".join((*shown, escape(html[at:])))


def _kept(found: re.Match[str], opened: list[str]) -> str:
    tag, (closing, name, unfolded) = found[0], found.groups()
    if name is None:
        return "" if tag.startswith("<!--") else "<br>"
    if not closing and (not unfolded or name == "details"):
        opened.append(name)
        return tag
    if closing and not unfolded and opened and opened[-1] == name:
        return f"</{opened.pop()}>"
    return escape(tag)


def _leads_out(url: str) -> bool:
    return url.startswith(("http://", "https://", "#"))


def _reader() -> MarkdownIt:
    options = {"html": True, "breaks": True}
    reader = MarkdownIt("commonmark", options, renderer_cls=_Renderer).enable(["table", "strikethrough"])
    reader.validateLink = _leads_out  # type: ignore[method-assign]  # the library's own way of saying so
    return reader.disable("image")


_READER = _reader()
