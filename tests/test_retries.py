from __future__ import annotations

from deployer.model import Stage, Temporary
from deployer.retries import LONGEST_ASKED, REPORTS, Budget

BUDGET = Budget(attempts=4, first=2, longest=5)
FAULT = Temporary("the cluster does not answer", stage=Stage.APPLY)


def test_waits_grow_up_to_the_longest_and_end_with_the_budget() -> None:
    assert [BUDGET.delay(attempt, FAULT, dice=lambda: 1) for attempt in (1, 2, 3, 4)] == [2, 4, 5, None]


def test_half_of_a_wait_is_left_to_chance() -> None:
    assert BUDGET.delay(1, FAULT, dice=lambda: 0) == 1


def test_never_sooner_than_the_other_side_asked() -> None:
    limited = Temporary("rate limited", stage=Stage.REPORT, retry_after=60)
    assert BUDGET.delay(1, limited, dice=lambda: 0) == 60


def test_nobody_can_ask_for_a_wait_without_end() -> None:
    absurd = Temporary("rate limited", stage=Stage.REPORT, retry_after=1e12)
    assert BUDGET.delay(1, absurd, dice=lambda: 0) == LONGEST_ASKED


def test_people_read_which_retry_it_is_and_why() -> None:
    assert BUDGET.announce(2, 8.2, FAULT) == "retry 2 of 3 in 8 s: the cluster does not answer"


def test_a_forge_may_be_away_for_an_hour() -> None:
    waits = [REPORTS.delay(attempt, FAULT, dice=lambda: 0) or 0 for attempt in range(1, REPORTS.attempts)]
    assert sum(waits) >= 3600
