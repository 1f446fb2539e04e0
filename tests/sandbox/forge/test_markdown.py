"""Markdown as the pages show it: what the deployer writes looks right, and nothing that anybody writes gets out."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployer.sandbox.forge.markdown import render

PREVIEW = """<!-- deployer:preview -->
### Preview of `4f4f4f4f`

| environment | added | changed |
|---|---:|:---:|
| **staging** | 1 | 2 |

<details><summary><b>staging</b>: 3 changes</summary>

```diff
--- Deployment.apps shop/web (cluster)
+++ Deployment.apps shop/web (git)
@@ -1,2 +1,2 @@
--- a comment
-replicas: 2
+replicas: <3>
 image: web
```

</details>

See [the deployment](https://deployer.example.com/1).
"""


class Seen(HTMLParser):
    """Every tag and attribute that a browser would see, and which tags are open at the end."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str | None]] = set()
        self.comments = 0
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= set(attrs)

    def handle_comment(self, data: str) -> None:
        self.comments += 1

    def handle_decl(self, decl: str) -> None:
        self.comments += 1

    def handle_pi(self, data: str) -> None:
        self.comments += 1

    def unknown_decl(self, data: str) -> None:
        self.comments += 1


def test_a_preview_is_shown() -> None:
    shown = render(PREVIEW)
    for piece in (
        "<h3>Preview of <code>4f4f4f4f</code></h3>",
        "<strong>staging</strong>",
        '<td class="right">1</td>',
        '<td class="center">2</td>',
        "<details><summary><b>staging</b>: 3 changes</summary>",
        '<div class="note">--- Deployment.apps shop/web (cluster)</div>',
        '<div class="note">+++ Deployment.apps shop/web (git)</div>',
        '<div class="hunk">@@ -1,2 +1,2 @@</div>',
        '<div class="removed">--- a comment</div>',
        '<div class="removed">-replicas: 2</div>',
        '<div class="added">+replicas: &lt;3&gt;</div>',
        "</details>",
        '<a href="https://deployer.example.com/1" rel="noreferrer">the deployment</a>',
    ):
        assert piece in shown
    assert "<!--" not in shown
    assert "style=" not in shown


def test_a_diff_without_a_hunk_has_its_colours() -> None:
    assert render("```diff\n-a\n+b\n```") == (
        '<div class="diff"><div class="removed">-a</div><div class="added">+b</div></div>\n'
    )


def test_other_code_is_shown_as_it_is() -> None:
    assert render("```yaml\na: <b>\n```") == '<pre><code class="language-yaml">a: &lt;b&gt;\n</code></pre>\n'
    assert render("`<b>`") == "<p><code>&lt;b&gt;</code></p>\n"


def test_a_line_break_is_one() -> None:
    assert render("/deploy staging\nplease") == "<p>/deploy staging<br />\nplease</p>\n"


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "x <script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "![x](https://example.com/x.png)",
        '<b onclick="alert(1)">x</b>',
        "<b\nonclick=alert(1)>x</b>",
        "<details ontoggle=alert(1) open>x</details>",
        "<summary open>x</summary>",
        "<svg/onload=alert(1)>",
        "<a href='javascript:alert(1)'>x</a>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](data:text/html,<script>alert(1)</script>)",
        "[x](//example.com)",
        "[x](vbscript:x)",
        "<javascript:alert(1)>",
        "<!-- x --><script>alert(1)</script><!-- y -->",
        "<!-- <script>alert(1)</script>",
        "<![CDATA[<script>alert(1)</script>]]>",
        "<?php <script>alert(1)</script> ?>",
        "<!DOCTYPE html><script>alert(1)</script>",
        "<style>body { display: none }</style>",
        '<form action="https://example.com"><button>x</button></form>',
        "<iframe src=https://example.com></iframe>",
        "```diff\n+<script>alert(1)</script>\n```",
        '```diff"><script>alert(1)</script>\nx\n```',
        '```"onmouseover=alert(1)\nx\n```',
        "| a |\n|---|\n| <script>alert(1)</script> |",
        "# <script>alert(1)</script>",
        '[x](https://example.com "\\" onclick=alert(1)")',
        '[x](https://example.com/"onclick=alert(1))',
        "<BR onclick=alert(1)>",
        "<xmp><p title='</xmp><img src=x onerror=alert(1)>'>",
    ],
)
def test_nothing_gets_out(text: str) -> None:
    assert_harmless(render(text))


TAGS = {
    "p", "br", "b", "i", "em", "strong", "code", "pre", "div", "a", "details", "summary", "ul", "ol", "li", "h1", "h2",
    "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td", "blockquote", "hr", "s", "sub", "sup", "kbd",
}  # fmt: skip


def assert_harmless(html: str) -> None:
    seen = Seen(html)
    assert seen.tags <= TAGS
    assert seen.comments == 0
    assert {name for name, _ in seen.attributes} <= {"href", "rel", "class", "title", "start", "open"}
    links = [value or "" for name, value in seen.attributes if name == "href"]
    assert all(not value or value.startswith(("http://", "https://", "#")) for value in links)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<details>\n\nx", "<details>\n<p>x</p>\n</details>"),
        ("x</details>", "<p>x&lt;/details&gt;</p>\n"),
        ("</div>\n\nx", "&lt;/div&gt;\n<p>x</p>\n"),
        ("<b>x", "<p><b>x</p>\n</b>"),
        ("<details><b></details>", "<details><b>&lt;/details&gt;</b></details>"),
        ("<details open>\n<summary>x</summary>\n</details>", "<details open>\n<summary>x</summary>\n</details>"),
    ],
)
def test_what_is_opened_is_closed_and_nothing_else(text: str, shown: str) -> None:
    assert render(text) == shown


PIECES = st.sampled_from([
    "<", ">", "<!--", "-->", "<details>", "</details>", "<details open>", "<summary>", "</summary>", "<b>", "</b>",
    "<script>", "</script>", "<img src=x onerror=y>", "`", "```diff\n", "```\n", "\n", "\n\n", "|", "|-|", "# ", "- ",
    "[x](", ")", "javascript:", "https://x", '"', "'", "=", " onclick", "&lt;", "&#x3c;script&#62;", "\\", "*", "x",
    " ", "</div>", "<![CDATA[", "]]>", "<?", "?>", "> ", "+a", "-a",
])  # fmt: skip


@settings(deadline=None)
@given(st.lists(PIECES, max_size=14).map("".join))
def test_whatever_is_put_together_stays_harmless(text: str) -> None:
    assert_harmless(render(text))
