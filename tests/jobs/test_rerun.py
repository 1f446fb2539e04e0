"""What people ask for with checks: Re-run, Re-run all checks, and the button that deploys once more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deployer.model import PullRequestKey, State, Trigger
from deployer.sandbox.forge.checks import CheckRun
from jobs.delivery import plan_delivery
from tests.examples import PRODUCTION, STAGING, after, in_short
from tests.jobs.asking import PRESSED, TEAM, ask, button, decisions, host, restrict, send
from tests.jobs.hosted import Hosted, Mode, hosted
from tests.jobs.world import World
from tests.webhooks.deliveries import edit, recorded

ASKED_AGAIN = "github_check_run_rerequested"
ALL = "github_check_suite_rerequested"


def deployed(world: World) -> str:
    """A commit that both environments run since a while; gives it."""
    world.plan(world.first)
    for key in (STAGING, PRODUCTION):
        world.deploy(key)
        assert world.latest(key, world.first).state is State.SUCCEEDED
    world.clock.move(60)
    return world.first


@pytest.mark.parametrize("recording", [PRESSED, ASKED_AGAIN])
def test_whoever_can_write_has_the_commit_deployed_once_more(world: World, recording: str) -> None:
    commit = deployed(world)
    host(world)
    assert ask(world, button("deploy/staging", commit, recording=recording)) == [STAGING]
    again = world.latest(STAGING, commit)
    assert (again.trigger, again.actor, again.state) == (Trigger.RERUN, "ada", State.QUEUED)
    assert decisions(world) == [("granted", "ada", "staging")]


def test_all_checks_are_those_of_environments_that_have_had_the_commit(world: World) -> None:
    commit = deployed(world)
    newer = world.commit("newer")
    host(world)
    assert sorted(ask(world, button("", commit, recording=ALL))) == [PRODUCTION, STAGING]
    assert ask(world, button("", newer, recording=ALL)) == []


@pytest.mark.parametrize("recording", in_short(PRESSED, ASKED_AGAIN, ALL))
@pytest.mark.parametrize("person", ["stranger", "reader"])
def test_whoever_cannot_write_has_nothing_deployed(world: World, recording: str, person: str) -> None:
    commit = deployed(world)
    before = world.latest(STAGING, commit)
    host(world)
    assert ask(world, button("deploy/staging", commit, by=person, recording=recording)) == []
    assert world.latest(STAGING, commit) == before
    assert decisions(world) == [("refused", person, "")]


@pytest.mark.parametrize("recording", in_short(PRESSED, ASKED_AGAIN))
@pytest.mark.parametrize(
    ("person", "deployers", "may"),
    [("ada", ["ada"], True), ("grace", [TEAM], True), ("ada", [TEAM], False), ("root", [TEAM], False)],
)
def test_an_environment_with_deployers_is_for_these_only(
    world: World, recording: str, person: str, deployers: list[str], *, may: bool
) -> None:
    commit = deployed(world)
    host(world)
    restrict(world, "staging", *deployers)
    asked = ask(world, button("deploy/staging", commit, by=person, recording=recording))
    assert asked == ([STAGING] if may else [])
    assert decisions(world) == [("granted" if may else "refused", person, "staging")]


def test_of_all_checks_only_those_are_deployed_that_the_person_may(world: World) -> None:
    commit = deployed(world)
    host(world)
    restrict(world, "production", TEAM)
    assert ask(world, button("", commit, recording=ALL)) == [STAGING]
    assert decisions(world) == [("refused", "ada", "production"), ("granted", "ada", "staging")]


def test_an_old_commit_moves_nothing_back_and_its_check_says_how_to(world: World) -> None:
    old = deployed(world)
    newer = world.commit("newer")
    world.plan(newer)
    world.deploy(STAGING)
    host(world)
    assert ask(world, button("deploy/staging", old)) == []
    found = world.latest(STAGING, old)
    assert (found.state, found.trigger, found.actor) == (State.SUPERSEDED, Trigger.RERUN, "ada")
    assert "--allow-rollback" in found.summary
    assert world.given.store.environments.get(STAGING).deployed == newer


def test_a_commit_that_is_not_on_the_branch_is_not_deployed(world: World) -> None:
    deployed(world)
    foreign = "f" * 40
    host(world)
    delivery = send(world, button("deploy/staging", foreign))
    assert plan_delivery(world.given, "github", delivery) == []
    assert world.given.store.deployments.queued(STAGING) == ()


def test_pressed_twice_it_joins(world: World) -> None:
    commit = deployed(world)
    host(world)
    for _ in range(2):
        ask(world, button("deploy/staging", commit))
    assert len(world.given.store.deployments.queued(STAGING)) == 1


def test_done_again_after_a_crash_it_changes_nothing(world: World) -> None:
    commit = deployed(world)
    host(world)
    delivery = send(world, button("deploy/staging", commit))
    plan_delivery(world.given, "github", delivery)
    world.deploy(STAGING)
    before = world.latest(STAGING, commit)
    assert plan_delivery(world.given, "github", delivery) == []
    assert world.latest(STAGING, commit) == before


def test_nothing_is_done_while_the_forge_does_not_answer(world: World) -> None:
    commit = deployed(world)
    host(world).down = ("/permission",)
    delivery = send(world, button("deploy/staging", commit))
    assert plan_delivery(world.given, "github", delivery) == []
    assert decisions(world) == []
    assert world.given.store.deliveries.owed(before=after(200)) == (("github", delivery),)


@pytest.mark.parametrize(
    ("recording", "person", "asked"), [(ASKED_AGAIN, "ada", 1), (ALL, "ada", 1), (PRESSED, "reader", 0)]
)
def test_a_preview_is_made_anew_for_whoever_can_write(world: World, recording: str, person: str, asked: int) -> None:
    host(world)
    key = PullRequestKey("github", "acme/shop", 15)
    ask(world, edit(recorded("github_pull_request_synchronize"), "pull_request.head.sha", "e" * 40))
    before = world.given.store.previews.get(key)
    assert before is not None
    assert ask(world, button("preview/staging", "e" * 40, by=person, recording=recording)) == []
    now = world.given.store.previews.get(key)
    assert now is not None
    assert now.version - before.version == asked


# What the forge shows afterwards: it shows a check that is asked for again as queued


@pytest.fixture
def there(world: World, key_file: Path) -> Iterator[Hosted]:
    with hosted(world, Mode.APP, key_file=key_file) as there:
        yield there


def run(there: Hosted, commit: str, name: str) -> CheckRun:
    return next(each for each in there.forge.checks("acme/shop", commit) if each.name == name)


def test_a_check_that_was_asked_for_again_and_its_successor_both_have_an_end(there: Hosted) -> None:
    first = there.world.first
    there.forge.rerun("acme/shop", run(there, first, "deploy/staging").id, by="grace")
    assert there.hear() == [STAGING]
    there.deploy("staging")
    states = [each.conclusion for each in there.forge.checks("acme/shop", first) if each.name == "deploy/staging"]
    assert states == ["success", "success"]


def test_a_redeployment_that_is_refused_leaves_the_check_as_it_was(there: Hosted) -> None:
    there.restrict("staging", deployers=("ada",))
    before = run(there, there.world.first, "deploy/staging")
    there.forge.rerun("acme/shop", before.id, by="grace")
    assert there.checks(there.world.first)["deploy/staging"] == "pending"
    assert there.hear() == []
    after = run(there, there.world.first, "deploy/staging")
    assert (after.id, after.conclusion) == (before.id, "success")


def test_a_preview_with_an_equal_answer_is_said_again(there: Hosted) -> None:
    head = there.propose("goodbye").head
    there.hear()
    before = run(there, head, "preview/staging")
    there.forge.rerun("acme/shop", before.id, by="grace")
    assert there.checks(head)["preview/staging"] == "pending"
    there.hear()
    after = run(there, head, "preview/staging")
    assert (after.id, after.conclusion, after.output) == (before.id, before.conclusion, before.output)


@pytest.mark.parametrize("why", ["stranger", "over", "outdated"])
def test_a_preview_that_is_not_made_anew_leaves_the_check_as_it_was(there: Hosted, why: str) -> None:
    request = there.propose("goodbye")
    there.hear()
    if why == "over":
        there.forge.close("acme/shop", request.number)
    elif why == "outdated":
        there.push(request.number, "ahoy")
    there.hear()
    before = run(there, request.head, "preview/staging")
    there.forge.rerun("acme/shop", before.id, by="mallory" if why == "stranger" else "grace")
    there.hear()
    after = run(there, request.head, "preview/staging")
    assert (after.id, after.conclusion) == (before.id, "success")
    assert after.output is not None
    assert after.output.title == "1 to change"
    assert "/previews/" in after.output.summary


@pytest.mark.parametrize("press", in_short("rerun", "rerun_all", "press"))
def test_what_a_stranger_presses_does_nothing(there: Hosted, press: str) -> None:
    commit = there.world.first
    before = there.checks(commit)
    known = run(there, commit, "deploy/staging").id
    match press:
        case "rerun":
            there.forge.rerun("acme/shop", known, by="mallory")
        case "rerun_all":
            there.forge.rerun_all("acme/shop", commit, by="mallory")
        case "press":
            there.forge.press("acme/shop", known, "redeploy", by="mallory")
    assert there.hear() == []
    assert there.checks(commit) == before
    assert there.given.store.deployments.queued(STAGING) == ()
