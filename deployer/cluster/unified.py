"""Changes as a unified diff of YAML for people at a terminal, and counted in one line. Pure.

Values come out of a repository and a cluster: nothing that a terminal would obey passes.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import yaml

from deployer.cluster.change import Change, Verdict
from deployer.cluster.fields import printable
from deployer.model import JSON

_CONTEXT = 3
_UNFOLDED = 2**30
_SAID = {
    Verdict.CREATE: "to create",
    Verdict.UPDATE: "to change",
    Verdict.RECREATE: "to recreate",
    Verdict.DELETE: "to delete",
    Verdict.REFUSE: "refused",
    Verdict.KEEP: "kept",
}
_NOT_A_CHANGE = frozenset({"kept", "unchanged"})
_PLAIN = "\x1b[0m"
_BOLD = "\x1b[1m"
_COLORS = {"@": "\x1b[36m", "-": "\x1b[31m", "+": "\x1b[32m"}
"""By a line's first character."""
_HEADER = 2


def unified(change: Change, *, color: bool) -> str:
    """The difference between cluster and git in one object and what is to be said of it; empty when there is neither.

    Each line is ended.

    Args:
        change: with both states as they may be shown.
        color: with the colours of a terminal.
    """
    lines = difflib.unified_diff(
        _lines(change.before), _lines(change.after),
        f"{change.ref} (cluster)", f"{change.ref} (git)", n=_CONTEXT, lineterm="",
    )  # fmt: skip
    shown = (printable(line) for line in lines)
    return "".join(f"{line}\n" for line in (*(_colored(shown) if color else shown), *_remark(change)))


def summary(changes: Iterable[Change]) -> str:
    """As in `2 to create, 1 to change, 997 unchanged`; `nothing to change` when all is as it should be."""
    counted = Counter(_SAID.get(change.verdict, "unchanged") for change in changes)
    said = [f"{counted[text]} {text}" for text in (*_SAID.values(), "unchanged") if counted[text]]
    if counted.keys() <= _NOT_A_CHANGE:
        said = ["nothing to change", *(text for text in said if not text.endswith("unchanged"))]
    return ", ".join(said)


def _remark(change: Change) -> list[str]:
    if not change.note or change.verdict in (Verdict.UNCHANGED, Verdict.OWN):
        return []
    return [f"# {change.ref}: {_SAID[change.verdict]}: {printable(change.note)}"]


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """YAML as people write it: texts of several lines line by line, nothing by reference."""

    def ignore_aliases(self, _data: object) -> bool:
        """Always: the same value in two places is written twice."""
        return True


def _text(dumper: _Dumper, text: str) -> yaml.Node:
    """Half a character, which JSON can hold and no output can, is written as its number."""
    whole = text.encode(errors="backslashreplace").decode()
    style = "|" if "\n" in text else None
    node: yaml.Node = dumper.represent_scalar("tag:yaml.org,2002:str", whole, style=style)
    return node


_Dumper.add_representer(str, _text)


def _lines(content: Mapping[str, JSON] | None) -> list[str]:
    if content is None:
        return []
    text = yaml.dump(dict(content), Dumper=_Dumper, allow_unicode=True, sort_keys=True, width=_UNFOLDED)
    return str(text).removesuffix("\n").split("\n")


def _colored(lines: Iterator[str]) -> Iterator[str]:
    """The first two name the object; a removed line can look like one of them."""
    for number, line in enumerate(lines):
        color = _BOLD if number < _HEADER else _COLORS.get(line[:1], "")
        yield f"{color}{line}{_PLAIN}" if color else line
