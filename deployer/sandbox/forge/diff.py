"""A diff as lines that a page can colour. Pure; escaping is the template's."""

from __future__ import annotations

from dataclasses import dataclass

MOST_LINES = 2000

_KINDS = {"+": "added", "-": "removed", "@": "hunk", " ": "same"}
_LEFT_OUT = ("index ", "new file mode", "deleted file mode", "--- ", "+++ ")


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `kind` is `file`, `hunk`, `added`, `removed`, `same` or `note`."""

    kind: str
    text: str


def lines(diff: str) -> list[Line]:
    """The lines of `git diff`'s output: one for the name of each file, then its hunks; the first 2,000."""
    read: list[Line] = []
    in_header = False
    for text in diff.splitlines():
        if text.startswith("diff --git "):
            in_header = True
            read.append(Line("file", text.rpartition(" b/")[2]))
        elif text.startswith("@@") or not in_header:
            in_header = False
            read.append(Line(_KINDS.get(text[:1], "note"), text))
        elif not text.startswith(_LEFT_OUT):
            read.append(Line("note", text))
        if len(read) == MOST_LINES:
            return [*read, Line("note", "… and more")]
    return read
