"""A diff as lines that a page can colour. Pure; escaping is the template's."""

from __future__ import annotations

from dataclasses import dataclass

MOST_LINES = 2000

_KINDS = {"+": "added", "-": "removed", "@": "hunk", " ": "same"}
_SIDES = ("--- ", "+++ ")
_LEFT_OUT = ("index ", "new file mode", "deleted file mode", *_SIDES)


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `kind` is `file`, `hunk`, `added`, `removed`, `same` or `note`."""

    kind: str
    text: str


def lines(diff: str) -> list[Line]:
    """The lines of a unified diff, or of several as `git diff` prints them; the first 2,000.

    Of what git says of each file, its name is enough. A line that begins with `---` is the name of a side before the
    first hunk, and something that was removed from then on.
    """
    read: list[Line] = []
    of_git = in_hunks = False
    for text in diff.splitlines():
        if text.startswith("diff --git "):
            of_git, in_hunks = True, False
            read.append(Line("file", text.rpartition(" b/")[2]))
        elif text.startswith("@@") or in_hunks:
            in_hunks = True
            read.append(Line(_KINDS.get(text[:1], "note"), text))
        elif not of_git:
            read.append(Line("note" if text.startswith(_SIDES) else _KINDS.get(text[:1], "note"), text))
        elif not text.startswith(_LEFT_OUT):
            read.append(Line("note", text))
        if len(read) == MOST_LINES:
            return [*read, Line("note", "… and more")]
    return read
