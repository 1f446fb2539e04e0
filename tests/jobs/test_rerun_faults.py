"""A check of a preview that somebody asks for again gets an end, also when the forge cannot be asked about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deployer.model import Failure, Permanent, Stage, Temporary
from deployer.sandbox.forge.checks import CheckRun
from jobs.resources import Resources
from tests.jobs.hosted import Hosted, Mode, hosted
from tests.jobs.world import SHOP, World, plan_all

pytestmark = pytest.mark.thorough

PREVIEW = "preview/staging"


@pytest.fixture
def there(world: World, key_file: Path) -> Iterator[Hosted]:
    with hosted(world, Mode.APP, key_file=key_file) as there:
        yield there


@contextmanager
def refusing(question: str, failure: type[Failure]) -> Iterator[None]:
    """A forge that answers everything but one question."""

    def refuse(*_: object, **__: object) -> None:
        raise failure("the forge does not say", stage=Stage.REPORT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"deployer.forges.discreet.DiscreetForge.{question}", refuse)
        yield


def run(there: Hosted, commit: str) -> CheckRun:
    return next(each for each in there.forge.checks(SHOP, commit) if each.name == PREVIEW)


def wait(there: Hosted) -> None:
    """As long as what a person asks for is tried."""
    for _ in range(8):
        there.world.clock.move(120)
        plan_all(there.given)
        there.work()


def forget(given: Resources) -> None:
    """As after the time for which previews are remembered."""
    for name in given.redis.keys("deployer:preview:*"):
        given.redis.delete(name)


@pytest.mark.parametrize("failure", [Permanent, Temporary])
@pytest.mark.parametrize("question", ["permission", "pull_request"])
def test_a_forge_that_does_not_answer_leaves_no_check_waiting(
    there: Hosted, question: str, failure: type[Failure]
) -> None:
    head = there.propose("goodbye").head
    there.hear()
    before = run(there, head)
    with refusing(question, failure):
        there.forge.rerun(SHOP, before.id, by="grace")
        assert there.checks(head)[PREVIEW] == "pending"
        there.hear()
        wait(there)
    wait(there)
    after = run(there, head)
    assert (after.id, after.conclusion) == (before.id, "success")
    assert "failed" in [row.what for row in there.given.store.audit.rows()]


def test_a_reason_that_nobody_thought_of_leaves_no_check_waiting(there: Hosted) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError

    head = there.propose("goodbye").head
    there.hear()
    before = run(there, head)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jobs.rerun.ask_for", broken)
        there.forge.rerun(SHOP, before.id, by="grace")
        there.hear()
    wait(there)
    after = run(there, head)
    assert (after.id, after.conclusion) == (before.id, "success")
    assert "failed" in [row.what for row in there.given.store.audit.rows()]


@pytest.mark.parametrize("over", [True, False])
def test_a_check_of_another_time_is_as_it_was_when_the_forge_answers_too_late(there: Hosted, over: bool) -> None:
    request = there.propose("goodbye")
    there.hear()
    if over:
        there.forge.close(SHOP, request.number)
    else:
        there.push(request.number, "ahoy")
    there.hear()
    before = run(there, request.head)
    with refusing("permission", Temporary):
        there.forge.rerun(SHOP, before.id, by="grace")
        there.hear()
        wait(there)
    wait(there)
    after = run(there, request.head)
    assert (after.id, after.conclusion) == (before.id, "success")


def test_a_request_of_which_we_heard_too_late_that_it_was_closed_is_previewed_anew(there: Hosted) -> None:
    request = there.propose("goodbye")
    there.hear()
    there.forge.close(SHOP, request.number)
    there.forge.reopen(SHOP, request.number)
    there.hear()
    closed = [each for each in there.forge.deliveries(SHOP) if each.event == "pull_request"][1]
    there.forge.redeliver(SHOP, closed.id)
    there.hear()
    there.forge.rerun(SHOP, run(there, request.head).id, by="grace")
    there.hear()
    after = run(there, request.head)
    assert after.output is not None
    assert "+  text: goodbye" in after.output.summary


def test_a_request_that_was_forgotten_is_previewed_anew_while_it_is_open(there: Hosted) -> None:
    request = there.propose("goodbye")
    there.hear()
    before = run(there, request.head)
    forget(there.given)
    there.forge.rerun(SHOP, before.id, by="grace")
    there.hear()
    after = run(there, request.head)
    assert (after.id, after.conclusion, len(there.said(request.number))) == (before.id, "success", 1)


@pytest.mark.parametrize("by", ["grace", "mallory"])
def test_the_check_of_a_request_that_was_forgotten_and_is_over_says_that(there: Hosted, by: str) -> None:
    request = there.propose("goodbye")
    there.hear()
    there.forge.close(SHOP, request.number)
    there.hear()
    before = run(there, request.head)
    forget(there.given)
    there.forge.rerun(SHOP, before.id, by=by)
    there.hear()
    after = run(there, request.head)
    assert (after.id, after.conclusion) == (before.id, "cancelled")
    assert after.output is not None
    assert after.output.title == "no preview is made of this request any more"
    kept = [there.given.redis.ttl(name) for name in there.given.redis.keys("deployer:preview:request:*")]
    assert all(seconds > 0 for seconds in kept)
