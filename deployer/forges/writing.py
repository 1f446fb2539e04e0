"""The form that longer texts have on a forge: marked so that they are found again, and never longer than it takes.

Pure: knows no forge. One line on a commit is cut by `report.cut`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from deployer.model import Permanent, Stage

_MARKER = re.compile(r"[A-Za-z0-9_./:@ ]+(-[A-Za-z0-9_./:@ ]+)*")
_FENCE = re.compile(r" {0,3}(`{3,}(?!.*`)|~{3,})")
"""https://spec.commonmark.org/0.31.2/#fenced-code-blocks"""


@dataclass(frozen=True, slots=True)
class Marked:
    """A text below a line that people do not see, by which it is found again."""

    marker: str
    body: str

    def __post_init__(self) -> None:
        """Raises ValueError when `marker` has a character that could end that line."""
        if not _MARKER.fullmatch(self.marker):
            raise ValueError(f"not the name of a marker: {self.marker!r}")

    @property
    def text(self) -> str:
        """All of it."""
        return f"{self._line}\n{self.body}"

    def marks(self, text: str) -> bool:
        """Whether another text begins with the same marker. Further down it would be a quotation."""
        return text.partition("\n")[0].strip() == self._line

    @property
    def _line(self) -> str:
        return f"<!-- {self.marker} -->"


def fitting(body: str, *, limit: int, forge: str, doing: str) -> str:
    """`body`, if a forge takes it whole.

    Raises:
        Permanent: it has nothing in it, or more than `limit` characters.
    """
    if not body.strip():
        raise Permanent(f"{doing}: there is nothing to say in it", stage=Stage.REPORT)
    if len(body) > limit:
        what = f"it has {len(body):,} characters, and {forge} takes {limit:,}"
        raise Permanent(f"{doing}: {what}; leave something out, and link to the rest", stage=Stage.REPORT)
    return body


def in_bytes(text: str) -> int:
    """How long a text is on its way: in UTF-8."""
    return len(text.encode(errors="surrogatepass"))


def whole_lines(markdown: str, *, limit: int, rest: str, size: Callable[[str], int] = len) -> str:
    """As many lines of `markdown` as fit, with the note `rest` below if that is not all.

    A block of code that is cut through is closed, so that the note is not part of it.

    Args:
        markdown: what is to be said.
        limit: how long it may be.
        rest: a short note.
        size: what is counted: characters, or `in_bytes`.
    """
    if size(markdown) <= limit:
        return markdown
    kept, room, fence = list[str](), limit - size(rest) - 2, ""
    for line in markdown.splitlines(keepends=True):
        after = _fence_after(fence, line)
        room -= size(line)
        if room < len(after) + 1:
            break
        kept.append(line)
        fence = after
    beginning = f"{''.join(kept).rstrip()}\n{fence}".strip("\n")
    return f"{beginning}\n\n{rest}" if beginning else rest[:limit]


def _fence_after(fence: str, line: str) -> str:
    """The fence of the block of code that is open after `line`; `fence` is the one before it. Empty for none."""
    found = _FENCE.match(line)
    if not found:
        return fence
    if not fence:
        return found[1]
    return "" if found[1].startswith(fence) and not line[found.end() :].strip() else fence
