"""Forges tell late, twice and out of order: a preview is of how the request stands, whatever was told last."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deployer.model import Permanent, PullRequestKey, Stage
from deployer.store.previews import Wanted
from tests.jobs.hosted import MODES, Hosted, Mode, hosted
from tests.jobs.world import SHOP, World

pytestmark = pytest.mark.parametrize("mode", MODES)


@pytest.fixture
def there(world: World, key_file: Path, mode: Mode) -> Iterator[Hosted]:
    with hosted(world, mode, key_file=key_file) as there:
        yield there


def tell_again(there: Hosted) -> None:
    """The forge tells once more that a request was opened, as it was then."""
    told = next(each for each in there.forge.deliveries(SHOP) if each.event in ("pull_request", "Merge Request Hook"))
    there.forge.redeliver(SHOP, told.id)
    there.hear()


def known(there: Hosted, number: int) -> Wanted:
    found = there.given.store.previews.get(PullRequestKey("github", SHOP, number))
    assert found is not None
    return found


def test_what_was_pushed_away_does_not_come_back_with_a_late_event(there: Hosted) -> None:
    request = there.propose("goodbye")
    there.hear()
    newer = there.rewrite(request.number, "ahoy")
    there.hear()
    before = there.said(request.number)
    assert "+  text: ahoy" in before[-1]
    tell_again(there)
    assert there.said(request.number) == before
    assert there.checks(newer)["preview/staging"] == "success"
    assert known(there, request.number).head == newer


def test_what_was_pushed_away_before_we_heard_of_it_is_not_previewed(there: Hosted) -> None:
    request = there.propose("goodbye")
    newer = there.rewrite(request.number, "ahoy")
    assert there.forge.settle()
    there.receiver.requests.clear()
    tell_again(there)
    assert "+  text: ahoy" in there.said(request.number)[-1]
    assert there.checks(newer)["preview/staging"] == "success"
    assert known(there, request.number).head == newer


def test_a_late_event_of_a_commit_that_was_pushed_onto_leaves_the_newer_one_on_record(there: Hosted) -> None:
    request = there.propose("goodbye")
    there.hear()
    newer = there.push(request.number, "ahoy")
    there.hear()
    tell_again(there)
    assert "+  text: ahoy" in there.said(request.number)[-1]
    assert known(there, request.number).head == newer


def test_what_goes_wrong_after_a_late_event_is_said_of_the_newer_commit(
    there: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = there.propose("goodbye")
    there.hear()
    newer = there.rewrite(request.number, "ahoy")
    there.hear()

    def broken(*_: object) -> None:
        raise Permanent("the graph is odd", stage=Stage.PLAN)

    monkeypatch.setattr("jobs.preview.reads", broken)
    tell_again(there)
    assert f"There is no preview of `{newer[:12]}`:** `the graph is odd`" in there.said(request.number)[-1]


@pytest.mark.parametrize("over", ["close", "merge"])
def test_a_request_that_is_over_is_not_brought_back_by_a_late_event(there: Hosted, over: str) -> None:
    request = there.propose("goodbye")
    there.hear()
    getattr(there.forge, over)(SHOP, request.number)
    there.hear()
    there.deploy()
    before, checks = there.said(request.number), there.checks(request.head)
    tell_again(there)
    assert (there.said(request.number), there.checks(request.head)) == (before, checks)
    assert known(there, request.number).closed
    assert there.given.store.previews.requests("github", SHOP, at=there.world.clock()) == ()


def test_a_request_that_was_taken_up_again_is_previewed_anew(there: Hosted) -> None:
    request = there.propose("goodbye")
    there.hear()
    there.forge.close(SHOP, request.number)
    there.hear()
    there.forge.reopen(SHOP, request.number)
    there.hear()
    assert not known(there, request.number).closed
