from __future__ import annotations

from dataclasses import replace

import pytest

from deployer.model import Ignored, Merge, PullRequestAction, PullRequestEvent, Receipt, State, Trigger
from deployer.planning import Known, Skip, concerned, decide, fingerprint, newest, overtaken
from tests.examples import COMMIT, NEWER, PRODUCTION, STAGING, after, deployment, environment

MERGE = Merge(repository="acme/shop", branch="main", commit=COMMIT)
ENVIRONMENTS = (environment(STAGING), environment(PRODUCTION), environment(PRODUCTION, branch="release"))
OVER = deployment(state=State.SUCCEEDED, finished_at=after(10))


def contains(first: str, second: str) -> bool:
    """A branch on which each commit of this file is followed by the one with the greater digit."""
    return first >= second


def ahead(first: str, second: str) -> bool:
    return first > second


class TestConcerned:
    def test_all_environments_of_the_repository_and_branch(self) -> None:
        found = concerned(MERGE, forge="github", environments=ENVIRONMENTS)
        assert found == ENVIRONMENTS[:2]

    def test_an_unknown_repository_is_named(self) -> None:
        found = concerned(replace(MERGE, repository="acme/other"), forge="github", environments=ENVIRONMENTS)
        assert found == Ignored("repository acme/other is not in the settings")

    def test_the_same_name_on_another_forge_is_another_repository(self) -> None:
        assert isinstance(concerned(MERGE, forge="gitlab", environments=ENVIRONMENTS), Ignored)

    def test_another_branch_says_which_ones_deploy(self) -> None:
        found = concerned(replace(MERGE, branch="feature"), forge="github", environments=ENVIRONMENTS)
        assert found == Ignored("branch feature deploys nothing; acme/shop deploys main, release")

    @pytest.mark.parametrize("branch", ["main", "release"])
    def test_a_request_concerns_the_environments_of_its_base(self, branch: str) -> None:
        event = PullRequestEvent("acme/shop", 7, branch, COMMIT, PullRequestAction.OPENED, from_fork=False, draft=False)
        found = concerned(event, forge="github", environments=ENVIRONMENTS)
        assert found == tuple(each for each in ENVIRONMENTS if each.branch == branch)

    def test_a_request_concerns_the_environments_of_the_base_that_it_has_left(self) -> None:
        event = PullRequestEvent(
            "acme/shop", 7, "develop", COMMIT, PullRequestAction.UPDATED, from_fork=False, draft=False, left="main"
        )
        assert concerned(event, forge="github", environments=ENVIRONMENTS) == ENVIRONMENTS[:2]
        stays = concerned(replace(event, left=None), forge="github", environments=ENVIRONMENTS)
        assert stays == Ignored("branch develop deploys nothing; acme/shop deploys main, release")

    def test_who_may_ask_is_no_reason_to_deploy(self) -> None:
        one = environment(STAGING)
        assert fingerprint(replace(one, deployers=("ada",)), "inputs") == fingerprint(one, "inputs")


class TestDecide:
    def test_what_was_never_deployed_goes_ahead(self) -> None:
        assert decide(COMMIT, known=Known(None, None, None), receipt=None) is Trigger.MERGE

    def test_what_has_not_ended_is_joined(self) -> None:
        assert decide(COMMIT, known=Known(None, None, deployment(state=State.RUNNING)), receipt=None) is Trigger.MERGE

    def test_another_delivery_after_the_end_changes_nothing(self) -> None:
        once = Receipt(after(20), after(20), times=1)
        assert decide(COMMIT, known=Known(COMMIT, None, OVER), receipt=once) == Skip("already deployed")

    def test_another_delivery_after_a_failure_changes_nothing(self) -> None:
        failed = replace(OVER, state=State.FAILED, summary="render: no such file")
        decision = decide(COMMIT, known=Known(None, None, failed), receipt=Receipt(after(20), after(20), times=1))
        assert decision == Skip("already ended: render: no such file")

    def test_the_same_delivery_after_the_end_is_a_replay(self) -> None:
        again = Receipt(after(0), after(20), times=2)
        assert decide(COMMIT, known=Known(COMMIT, None, OVER), receipt=again) is Trigger.REPLAY

    @pytest.mark.parametrize(
        "receipt",
        [
            pytest.param(Receipt(after(0), after(5), times=2), id="before the end"),
            pytest.param(Receipt(after(11), after(11.5), times=50), id="fifty times at once"),
            pytest.param(Receipt(after(0), after(20), times=1), id="from two webhooks of one forge"),
        ],
    )
    def test_the_same_delivery_is_no_replay(self, receipt: Receipt) -> None:
        assert isinstance(decide(COMMIT, known=Known(COMMIT, None, OVER), receipt=receipt), Skip)

    def test_a_stutter_of_a_replay_is_none(self) -> None:
        quick = deployment(state=State.SUCCEEDED, created_at=after(20), finished_at=after(20.3))
        again = Receipt(after(0), after(20.6), times=3)
        assert isinstance(decide(COMMIT, known=Known(COMMIT, None, quick), receipt=again), Skip)

    def test_what_somebody_sends_through_again_here_is_a_replay_however_often_the_forge_sent_it(self) -> None:
        again = Receipt(after(10.1), after(10.2), times=1, by="ada")
        assert decide(COMMIT, known=Known(COMMIT, None, OVER), receipt=again) is Trigger.REPLAY

    def test_an_older_commit_is_never_brought_back_not_even_by_a_replay(self) -> None:
        again = Receipt(after(0), after(20), times=2)
        decision = decide(COMMIT, known=Known(NEWER, NEWER, OVER), receipt=again)
        assert isinstance(decision, Skip)
        assert decision.asked
        assert decision.reason.startswith(f"older than {NEWER[:12]}, which was merged later; ")
        assert "deployer deploy" in decision.reason
        assert "--allow-rollback" in decision.reason

    def test_nobody_asked_for_an_older_commit_that_comes_late(self) -> None:
        decision = decide(COMMIT, known=Known(NEWER, NEWER, OVER), receipt=Receipt(after(20), after(20), times=1))
        assert isinstance(decision, Skip)
        assert not decision.asked

    def test_a_forced_push_back_to_what_was_deployed_once_deploys_it_again(self) -> None:
        other = Receipt(after(20), after(20), times=1)
        assert decide(COMMIT, known=Known(NEWER, None, OVER, current=False), receipt=other) is Trigger.MERGE

    @pytest.mark.parametrize("state", [State.FAILED, State.SUPERSEDED, State.SUCCEEDED])
    def test_whatever_became_of_it_the_first_time(self, state: State) -> None:
        ended = replace(OVER, state=state)
        other = Receipt(after(20), after(20), times=1)
        assert decide(COMMIT, known=Known(COMMIT, None, ended, current=False), receipt=other) is Trigger.MERGE

    def test_a_late_delivery_of_what_was_superseded_changes_nothing(self) -> None:
        superseded = replace(OVER, state=State.SUPERSEDED, summary="superseded by 2222")
        other = Receipt(after(20), after(20), times=1)
        decision = decide(COMMIT, known=Known(None, None, superseded, is_tip=False), receipt=other)
        assert decision == Skip("already ended: superseded by 2222")


class TestNewest:
    def test_further_along_the_branch_wins_whatever_arrived_first(self) -> None:
        older, newer = deployment("a", commit=COMMIT), deployment("b", commit=NEWER)
        assert newest([older, newer], contains=contains) == newer
        assert newest([newer, older], contains=contains) == newer

    def test_of_two_histories_the_later_arrival_wins(self) -> None:
        one, other = deployment("a", commit=COMMIT), deployment("b", commit=NEWER)
        assert newest([other, one], contains=lambda *_: False) == one

    def test_a_rollback_that_was_asked_for_wins_over_what_was_queued_before_it(self) -> None:
        newer = deployment("a", commit=NEWER)
        rollback = deployment("b", commit=COMMIT, trigger=Trigger.ROLLBACK)
        assert newest([newer, rollback], contains=contains) == rollback


class TestOvertaken:
    def test_an_older_commit_is_told_how_to_go_back(self) -> None:
        reason = overtaken(deployment(commit=COMMIT), runs=[NEWER], ahead=ahead)
        assert reason is not None
        assert "--allow-rollback" in reason

    def test_so_is_one_older_than_what_was_tried_last(self) -> None:
        assert overtaken(deployment(commit=COMMIT), runs=[COMMIT, NEWER], ahead=ahead)

    @pytest.mark.parametrize(
        ("commit", "runs", "trigger"),
        [
            (COMMIT, [], Trigger.MERGE),
            (COMMIT, [COMMIT], Trigger.REPLAY),
            (NEWER, [COMMIT], Trigger.MERGE),
            (COMMIT, [NEWER], Trigger.ROLLBACK),
        ],
    )
    def test_everything_else_runs(self, commit: str, runs: list[str], trigger: Trigger) -> None:
        assert overtaken(deployment(commit=commit, trigger=trigger), runs=runs, ahead=ahead) is None
