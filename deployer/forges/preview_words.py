"""The words on a pull or merge request: what merging it would change. Pure: values in, text out.

Names and values come out of a repository and a cluster. They stand in code only, behind fences that they cannot close,
so that they mention nobody, link nowhere and command nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from deployer.forges.quoting import cell, code, fenced, summary
from deployer.forges.report import cut, line
from deployer.forges.writing import whole_lines
from deployer.model import Annotation, CheckState, ForgeKind

LIMITS = {ForgeKind.GITHUB: 65_536, ForgeKind.GITLAB: 1_000_000}
"""Characters of a comment that a forge takes. https://docs.gitlab.com/administration/instance_limits/"""
_MARKER_ROOM = 300
"""Characters that the line takes by which a comment is found again."""
_NAMED = 10
_ROWS = 100
_SHORT = 100
"""Characters of a name or a reason above the diffs."""
_LONGEST_REASON = 500


class Fate(StrEnum):
    """What would become of an object."""

    CREATED = "created"
    CHANGED = "changed"
    DELETED = "deleted"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


_ORDER = (Fate.DELETED, Fate.REFUSED, Fate.CHANGED, Fate.CREATED)


@dataclass(frozen=True, slots=True)
class Shown:
    """One object as it may be shown."""

    name: str
    fate: Fate
    diff: str = ""
    """Of YAML, with what there is to say of it. No value of a Secret is in it."""
    recreated: bool = False
    """It is deleted, too, before it is created anew."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What merging would do to one environment."""

    environment: str
    objects: tuple[Shown, ...] = ()
    failure: str = ""
    """Why it could not be found out, or why it would not be done."""
    over_budget: bool = False
    """The failure is that too much would be deleted."""
    waiting: bool = False
    """The failure may pass: it is tried again."""
    annotations: tuple[Annotation, ...] = ()
    """What is wrong, at the lines of the repository that say it."""

    @property
    def counts(self) -> Counter[Fate]:
        """How many objects have which fate."""
        return Counter(each.fate for each in self.objects)

    @property
    def changes(self) -> bool:
        """Whether anything would be done, or fails."""
        return bool(self.failure) or any(each.fate is not Fate.UNCHANGED for each in self.objects)

    @property
    def gone(self) -> tuple[str, ...]:
        """What would be deleted, also to be created anew."""
        deleted = [each.name for each in self.objects if each.fate is Fate.DELETED]
        return (*deleted, *(f"{each.name} (created anew)" for each in self.objects if each.recreated))

    @property
    def state(self) -> CheckState:
        """What its check says."""
        if self.waiting:
            return CheckState.IN_PROGRESS
        if self.failure or self.counts[Fate.REFUSED]:
            return CheckState.FAILURE
        return CheckState.SUCCESS if self.changes else CheckState.NEUTRAL


@dataclass(frozen=True, slots=True)
class Preview:
    """What merging a request would do, to all environments that it reaches."""

    head: str
    base: str
    branch: str
    outcomes: tuple[Outcome, ...]
    page: str
    """URL of all of it."""
    conflict: bool = False
    """They cannot be merged, so nothing was compared with a cluster."""

    @property
    def changes(self) -> bool:
        """Whether there is anything to say."""
        return any(outcome.changes for outcome in self.outcomes)


def one_line(outcome: Outcome) -> str:
    """As in `1 to create, 2 to change, 3 to delete`, or why not."""
    if outcome.failure:
        return cut(line(outcome.failure), _LONGEST_REASON)
    counts = outcome.counts
    said = {Fate.CREATED: "to create", Fate.CHANGED: "to change", Fate.DELETED: "to delete", Fate.REFUSED: "refused"}
    parts = [f"{counts[fate]} {words}" for fate, words in said.items() if counts[fate]]
    return ", ".join(parts) or "nothing to change"


def comment(preview: Preview, *, limit: int) -> str:
    """All that a person who reviews wants to know, in Markdown: what would be lost first, then a table, then diffs.

    What does not fit is left out by whole objects and rows, and the link to all of it says so.

    Args:
        preview: what was found.
        limit: characters that the forge takes, with its marker.
    """
    if not preview.changes:
        said = "This cannot be merged yet" if preview.conflict else "Merging this changes nothing in a cluster"
        return f"**{said}.**\n\n{_footer(preview)}"
    outcomes = sorted(preview.outcomes, key=lambda each: not each.changes)
    head = "\n\n".join(filter(None, ["### What merging this would change", *_losses(outcomes), _table(outcomes)]))
    footer = _footer(preview)
    room = limit - _MARKER_ROOM - len(footer) - len(_left_out(10**6, preview.page))
    head = whole_lines(head, limit=room, rest=f"There is more than fits in here; [all of it]({preview.page}).")
    diffs, missing = _folded(outcomes, room - len(head))
    return "\n\n".join(filter(None, [head, *diffs, _left_out(missing, preview.page) if missing else "", footer]))


def section(outcome: Outcome) -> str:
    """One environment in Markdown, for its own check."""
    head = [*_losses([outcome]), _table([outcome])]
    return "\n\n".join([*head, *_blocks(outcome)])


def page(preview: Preview, *, limit: int) -> str:
    """All of it as plain text, cut by whole objects only beyond `limit` characters."""
    parts, room = [f"{_looked_at(preview, digits=40)}\n"], limit - 1000
    for outcome in preview.outcomes:
        blocks = [f"\n== {outcome.environment}: {one_line(outcome)}\n", *(each.diff for each in _in_order(outcome))]
        for block in blocks:
            room -= len(block)
            if room < 0:
                return "".join([*parts, "\n(The rest is too long to be kept: use `deployer diff`.)\n"])
            parts.append(block)
    return "".join(parts)


def _losses(outcomes: Sequence[Outcome]) -> list[str]:
    over = [f"**Over the prune budget** in {code(each.environment)}: {_reason(each)}" for each in outcomes
            if each.over_budget]  # fmt: skip
    gone = [f"**{len(each.gone)} to be deleted** in {code(each.environment)}: {_list(each.gone)}" for each in outcomes
            if each.gone]  # fmt: skip
    said = [*over, *gone]
    more = [f"and {len(said) - _NAMED} more environments like these"] if len(said) > _NAMED else []
    return ["\n".join(f"- {each}" for each in [*said[:_NAMED], *more])] if said else []


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(code(cut(name, _SHORT)) for name in names[:_NAMED]) + more


def _table(outcomes: Sequence[Outcome]) -> str:
    rows = ["| environment | created | changed | deleted | unchanged | |", "|---|---:|---:|---:|---:|---|"]
    rows += [_row(outcome) for outcome in outcomes[:_ROWS]]
    more = f"\n\nand {len(outcomes) - _ROWS} more environments" if len(outcomes) > _ROWS else ""
    return "\n".join(rows) + more


def _row(outcome: Outcome) -> str:
    fates = (Fate.CREATED, Fate.CHANGED, Fate.DELETED, Fate.UNCHANGED)
    counts, known = outcome.counts, bool(outcome.objects) or not outcome.failure
    refused = f"{counts[Fate.REFUSED]} refused" if counts[Fate.REFUSED] else ""
    numbers = " | ".join(str(counts[fate]) if known else "?" for fate in fates)
    return f"| {cell(outcome.environment)} | {numbers} | {_reason(outcome) or refused} |"


def _reason(outcome: Outcome) -> str:
    return cell(cut(line(outcome.failure), _SHORT)) if outcome.failure else ""


def _in_order(outcome: Outcome) -> list[Shown]:
    """What is lost comes first."""
    return [each for fate in _ORDER for each in outcome.objects if each.fate is fate]


def _blocks(outcome: Outcome) -> list[str]:
    """Each object on its own; before them the whole reason of a failure, which has no room in a table."""
    why = [fenced(cut(line(outcome.failure), _LONGEST_REASON), "text")] if outcome.failure else []
    return [*why, *(fenced(each.diff, "diff") for each in _in_order(outcome) if each.diff)]


def _folded(outcomes: Sequence[Outcome], room: int) -> tuple[list[str], int]:
    """As many whole objects as fit, folded by environment, and how many were left out."""
    folds, missing = [], 0
    for outcome in outcomes:
        objects = _blocks(outcome)
        title = summary(f"{outcome.environment}: {one_line(outcome)}")
        opened, closed = f"<details><summary>{title}</summary>", "</details>"
        used, kept = len(opened) + len(closed) + 4, []
        for block in objects:
            if used + len(block) + 2 <= room:
                kept.append(block)
                used += len(block) + 2
        missing += len(objects) - len(kept)
        if kept:
            room -= used
            folds.append("\n\n".join([opened, *kept, closed]))
    return folds, missing


def _left_out(count: int, page: str) -> str:
    return f"**{count} objects are too long to be shown here**; [all of it]({page})."


def _footer(preview: Preview) -> str:
    live = "" if preview.conflict else ", beside what is live"
    return f"{code(_looked_at(preview, digits=12))}{live}. Nothing was written. [All of it]({preview.page})"


def _looked_at(preview: Preview, *, digits: int) -> str:
    merged = "cannot be merged" if preview.conflict else "merged"
    return f"{preview.head[:digits]} {merged} into {preview.branch} at {preview.base[:digits]}"
