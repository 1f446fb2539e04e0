"""Each check of a preview that was begun gets an end, whatever becomes of its request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deployer.forges.preview_words import Outcome
from deployer.model import Environment, Permanent, Stage, Temporary
from deployer.preview import Foreseen, foresee
from jobs.preview import DEATHS
from tests.examples import after
from tests.jobs.hosted import MODES, Hosted, Mode, hosted
from tests.jobs.world import World, config_map

pytestmark = pytest.mark.parametrize("mode", MODES)


@pytest.fixture
def there(world: World, key_file: Path, mode: Mode) -> Iterator[Hosted]:
    with hosted(world, mode, key_file=key_file) as there:
        yield there


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Environments whose clusters do not answer."""
    names = {"staging"}

    def seen(environment: Environment, *arguments: object, **options: object) -> Foreseen:
        name = environment.key.environment
        if name in names:
            return Foreseen(Outcome(name, failure="apply: away"), fault=Temporary("away", stage=Stage.APPLY))
        return foresee(environment, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("jobs.preview.foresee", seen)
    return names


def cancelled(there: Hosted) -> str:
    """What becomes of what was begun: GitHub has no such status, and this is no success."""
    return "failure" if there.mode is Mode.TOKEN else "cancelled"


def test_one_that_waits_for_another_try_says_so_until_it_is_known(there: Hosted, away: set[str]) -> None:
    head = there.propose("goodbye").head
    there.hear()
    assert there.checks(head)["preview/staging"] == "pending"
    away.clear()
    there.world.clock.move(60)
    there.work()
    assert there.checks(head)["preview/staging"] == "success"


@pytest.mark.parametrize("over", ["close", "merge"])
def test_a_request_that_is_over_leaves_nothing_waiting(there: Hosted, away: set[str], over: str) -> None:
    request = there.propose("goodbye")
    there.hear()
    getattr(there.forge, over)("acme/shop", request.number)
    there.hear()
    assert there.checks(request.head)["preview/staging"] == cancelled(there)
    assert there.checks(request.head)["preview/production"] in ("neutral", "success")
    assert there.given.store.previews.requests("github", "acme/shop", at=there.world.clock()) == ()
    there.world.clock.move(600)
    away.clear()
    there.work()
    assert there.checks(request.head)["preview/staging"] == cancelled(there)


def test_a_newer_push_ends_what_waits_on_the_older_commit(there: Hosted, away: set[str]) -> None:
    request = there.propose("goodbye")
    there.hear()
    away.clear()
    newer = there.push(request.number, "ahoy")
    there.hear()
    assert there.checks(request.head)["preview/staging"] == cancelled(there)
    assert there.checks(newer)["preview/staging"] == "success"


def test_one_that_is_not_reached_any_more_is_ended(
    there: Hosted, away: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.reviews.MOST_QUIET", 0)
    request = there.propose("goodbye")
    there.hear()
    there.forge.push("acme/shop", {"staging/config.yaml": config_map("goodbye")}, message="Be first")
    there.hear()
    there.deploy()
    away.clear()
    there.world.clock.move(60)
    there.work()
    assert there.checks(request.head)["preview/staging"] == cancelled(there)


@pytest.mark.parametrize("failure", [Permanent, ValueError])
def test_one_that_cannot_be_made_any_more_says_why(
    there: Hosted, away: set[str], monkeypatch: pytest.MonkeyPatch, failure: type[Exception]
) -> None:
    request = there.propose("goodbye")
    there.hear()

    def broken(*_: object) -> None:
        raise Permanent("the graph is odd", stage=Stage.PLAN) if failure is Permanent else ValueError

    monkeypatch.setattr("jobs.preview.reads", broken)
    there.world.clock.move(60)
    there.work()
    assert there.checks(request.head)["preview/staging"] == "failure"
    assert "There is no preview" in there.said(request.number)[-1]
    there.world.clock.move(6000)
    assert there.given.store.previews.owed(before=there.world.clock()) == ()


def test_one_that_keeps_killing_its_worker_is_given_up_until_something_newer_is_pushed(
    there: Hosted, away: set[str]
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    request = there.propose("goodbye")
    there.hear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jobs.preview.reads", die)
        for _ in range(DEATHS):
            there.world.clock.move(600)
            with pytest.raises(Killed):
                there.work()
        there.world.clock.move(600)
        there.work()
    assert there.checks(request.head)["preview/staging"] == "failure"
    assert "its worker died, or its time was up, 3 times" in there.said(request.number)[-1]
    assert there.given.store.previews.owed(before=after(100_000)) == ()
    away.clear()
    newer = there.push(request.number, "ahoy")
    there.hear()
    assert there.checks(newer)["preview/staging"] == "success"


def test_a_request_that_goes_to_another_branch_leaves_nothing_waiting(there: Hosted, away: set[str]) -> None:
    request = there.propose("goodbye")
    there.hear()
    there.configure(previews=False)
    there.world.clock.move(60)
    there.work()
    assert there.checks(request.head)["preview/staging"] == cancelled(there)
