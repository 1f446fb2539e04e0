"""A forge that refuses a part, wants a pause or is away for long: previews say what they can, as soon as they can."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deployer.forges.answer import Unrecognized
from deployer.model import Permanent, PullRequestKey, Stage, Temporary
from tests.examples import STAGING
from tests.jobs.hosted import Hosted, Mode, hosted
from tests.jobs.world import SHOP, World, plan_all

pytestmark = pytest.mark.thorough


@pytest.fixture
def there(world: World, key_file: Path) -> Iterator[Hosted]:
    with hosted(world, Mode.APP, key_file=key_file) as there:
        yield there


def answer(patch: pytest.MonkeyPatch, by: Callable[..., None], *requests: str) -> None:
    """Let the forge answer some requests in another way."""
    for request in requests:
        patch.setattr(f"deployer.forges.discreet.DiscreetForge.{request}", by)


def test_a_check_that_is_refused_leaves_the_comment_and_what_it_promises(
    there: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise Permanent("posting the check: GitHub answered 403", stage=Stage.REPORT)

    monkeypatch.setattr("deployer.forges.discreet.DiscreetForge.post_check", refuse)
    request = there.propose("goodbye")
    there.hear()
    (said,) = there.said(request.number)
    assert "+  text: goodbye" in said
    assert there.given.store.previews.last_promise(STAGING, request.number) is not None
    assert there.given.store.previews.owed(before=there.world.clock()) == ()


def test_a_comment_that_is_refused_leaves_every_check(there: Hosted, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise Permanent("commenting: GitHub answered 403", stage=Stage.REPORT)

    monkeypatch.setattr("deployer.forges.discreet.DiscreetForge.comment", refuse)
    request = there.propose("goodbye")
    there.hear()
    assert there.checks(request.head) == {"preview/staging": "success", "preview/production": "neutral"}
    assert there.given.store.previews.owed(before=there.world.clock()) == ()


def test_a_key_that_is_just_being_rotated_delays_checks_and_comment(there: Hosted) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise Unrecognized("GitHub answered 401", stage=Stage.REPORT)

    with pytest.MonkeyPatch.context() as patch:
        answer(patch, refuse, "comment", "post_check")
        proposed = there.propose("goodbye")
        there.hear()
        there.world.clock.move(60)
        there.work()
    there.world.clock.move(600)
    there.work()
    assert there.checks(proposed.head)["preview/staging"] == "success"
    assert "+  text: goodbye" in there.said(proposed.number)[-1]


def test_a_kubeconfig_that_cannot_be_read_is_named_but_not_where_it_lies(there: Hosted) -> None:
    folder = there.break_kubeconfig()
    request = there.propose("goodbye")
    there.hear()
    (said,) = there.said(request.number)
    page = there.page(request.number)
    (check,) = (each for each in there.forge.checks(SHOP, request.head) if each.name == "preview/staging")
    for text in (said, repr(page), repr(check.output)):
        assert "…/gone.kubeconfig" in text
        assert str(folder) not in text
    assert said.count("<summary><code>") == said.count("</code></summary>") == 1


def test_a_diff_is_shown_as_it_is_whatever_paths_are_in_it(there: Hosted) -> None:
    place = there.given.data / "mirrors"
    request = there.propose(f"{place}/keys")
    there.hear()
    assert f"+  text: {place}/keys" in there.said(request.number)[-1]


def test_a_forge_that_wants_a_pause_hears_of_no_preview_until_it_is_over(
    there: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def refuse(*_: object, **__: object) -> None:
        asked.append(there.world.clock())
        raise Temporary("slow down", stage=Stage.REPORT, retry_after=300)

    monkeypatch.setattr("deployer.forges.discreet.DiscreetForge.post_check", refuse)
    for text in ("goodbye", "ahoy"):
        there.propose(text)
    there.hear()
    assert len(asked) == 1
    assert there.given.store.posted.hushed("github") > 200
    there.world.clock.move(200)
    there.work()
    assert len(asked) == 1


def test_after_the_pause_that_a_forge_wanted_it_hears_of_the_preview(there: Hosted) -> None:
    there.given.store.posted.hush("github", seconds=300)
    request = there.propose("goodbye")
    there.hear()
    assert there.checks(request.head) == {}
    there.given.store.posted.hush("github", seconds=0)
    time.sleep(0.01)
    there.world.clock.move(300)
    there.work()
    assert there.checks(request.head)["preview/staging"] == "success"


def test_a_request_that_is_taken_up_again_while_the_forge_is_away_is_previewed_afterwards(there: Hosted) -> None:
    def away(*_: object, **__: object) -> None:
        raise Temporary("away", stage=Stage.REPORT)

    request = there.propose("goodbye")
    there.hear()
    there.forge.close(SHOP, request.number)
    there.hear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deployer.forges.discreet.DiscreetForge.pull_request", away)
        there.forge.reopen(SHOP, request.number)
        there.hear()
        for _ in range(60):
            there.world.clock.move(60)
            plan_all(there.given)
    there.world.clock.move(600)
    plan_all(there.given)
    found = there.given.store.previews.get(PullRequestKey("github", SHOP, request.number))
    assert found is not None
    assert not found.closed


@pytest.mark.parametrize("git", [True, False])
def test_a_forge_that_is_away_for_an_hour_is_told_afterwards(there: Hosted, git: bool) -> None:
    def away(*_: object, **__: object) -> None:
        raise Temporary("away", stage=Stage.REPORT)

    def nothing_to_fetch(*_: object, **__: object) -> None:
        raise Temporary("away", stage=Stage.FETCH)

    with pytest.MonkeyPatch.context() as patch:
        answer(patch, away, "comment", "post_check", "pull_request")
        if not git:
            patch.setattr("deployer.source.mirror.Mirror.fetch", nothing_to_fetch)
        patch.setattr("jobs.preview.random.random", lambda: 0.0)  # as impatient as it can be
        proposed = there.propose("goodbye")
        there.hear()
        for _ in range(360):
            there.world.clock.move(10)
            there.work()
    there.world.clock.move(600)
    there.work()
    assert there.checks(proposed.head)["preview/staging"] == "success"
    assert "+  text: goodbye" in there.said(proposed.number)[-1]
