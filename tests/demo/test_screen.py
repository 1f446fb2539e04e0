"""When the demo takes what it sees for over, and for well: its exit code rests on that."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from deployer.demo.screen import Foreseen, Journey, Preview, Row
from deployer.model import State
from tests.examples import COMMIT, deployment

PROMISE = "as previewed in #2"
GOOD = Row("staging", replace(deployment("a1"), state=State.SUCCEEDED, previewed=PROMISE), (), "success")
WAITING = Row("staging", deployment("a1"), (), "pending")


def journey(*rows: Row) -> Journey:
    return Journey("#2 Ship it", COMMIT, rows)


def preview(*rows: Foreseen, commented: bool = True) -> Preview:
    return Preview("#2 Ship it", COMMIT, rows, commented)


@pytest.mark.parametrize(
    ("row", "over", "well"),
    [
        (GOOD, True, True),
        (replace(GOOD, check="failure"), True, False),
        (replace(GOOD, check="cancelled"), True, False),
        (replace(GOOD, check="pending"), False, False),
        (replace(GOOD, check=None), False, False),
        (replace(GOOD, deployment=None), False, False),
        (WAITING, False, False),
        (replace(WAITING, check="success"), False, False),  # asked for once more, and the check is of the time before
    ],
)
def test_a_merge_is_over_when_it_is_deployed_and_its_checks_say_so(row: Row, over: bool, well: bool) -> None:
    for seen in (journey(row), journey(GOOD, row), journey(row, GOOD)):
        assert (seen.over, seen.well) == (over, well)


@pytest.mark.parametrize("previewed", [None, "", "as previewed in #1", "differs from what was previewed in #2"])
def test_a_merge_keeps_its_promise_only_if_all_is_as_previewed(previewed: str | None) -> None:
    assert GOOD.deployment is not None
    other = replace(GOOD, deployment=replace(GOOD.deployment, previewed=previewed))
    assert journey(GOOD, GOOD).kept(PROMISE)
    assert not journey(GOOD, other).kept(PROMISE)
    assert not journey(GOOD, replace(GOOD, check="failure")).kept(PROMISE)


@pytest.mark.parametrize(
    ("check", "commented", "over", "well"),
    [
        ("success", True, True, True),
        ("success", False, False, False),
        ("failure", True, True, False),
        ("neutral", True, True, False),  # both environments are reached: one that says otherwise is wrong
        ("pending", True, False, False),
        (None, True, False, False),
    ],
)
def test_a_preview_is_there_when_people_can_read_it(check: str | None, commented: bool, over: bool, well: bool) -> None:
    good = Foreseen("production", "success", "1 to change")
    seen = preview(good, Foreseen("staging", check, "·"), commented=commented)
    assert (seen.over, seen.well) == (over, well)


def test_markup_in_what_is_shown_is_text() -> None:
    shown = StringIO()
    console = Console(width=200, file=shown)
    failed = replace(deployment("a1"), state=State.FAILED, summary="apply: [bold]no[/] [/nothing]")
    console.print(journey(Row("staging", failed, (), "failure")).drawn(1.0))
    console.print(preview(Foreseen("staging", "success", "[red]1 to change[/] [/nothing]")).drawn(1.0))
    for piece in ("apply: [bold]no[/] [/nothing]", "[red]1 to change[/] [/nothing]"):
        assert piece in shown.getvalue()
