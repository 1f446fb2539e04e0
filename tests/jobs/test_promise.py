"""From the request to what runs, on each sort of forge: shown, merged, deployed, and said to be what was shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deployer.model import State
from tests.examples import PRODUCTION, STAGING, in_short
from tests.jobs.hosted import MODES, Hosted, Mode, hosted
from tests.jobs.world import SHOP, World, config_map

pytestmark = pytest.mark.parametrize("mode", MODES)


@pytest.fixture
def there(world: World, key_file: Path, mode: Mode) -> Iterator[Hosted]:
    with hosted(world, mode, key_file=key_file) as there:
        yield there


def merged(there: Hosted, number: int) -> str:
    commit = there.forge.merge(SHOP, number).commit
    there.hear()
    there.deploy()
    return commit


def sign(there: Hosted) -> str:
    return "!" if there.mode is Mode.GITLAB else "#"


def described(there: Hosted, commit: str, name: str) -> str:
    """What the forge says of a deployment in one line."""
    if there.mode is Mode.APP:
        titles = (run.output.title for run in there.forge.checks(SHOP, commit) if run.name == name and run.output)
        return next(titles)
    return next(each.description or "" for each in there.forge.statuses(SHOP, commit) if each.context == name)


def test_a_request_is_shown_and_its_merge_says_that_it_is_what_was_shown(there: Hosted) -> None:
    request = there.propose("goodbye")
    there.hear()
    assert there.checks(request.head)["preview/staging"] == "success"
    assert there.checks(request.head)["preview/production"] == ("neutral" if there.mode is Mode.APP else "success")
    (comment,) = there.said(request.number)
    assert "+  text: goodbye" in comment
    commit = merged(there, request.number)
    assert there.world.latest(STAGING, commit).state is State.SUCCEEDED
    assert described(there, commit, "deploy/staging").endswith(f"; as previewed in {sign(there)}{request.number}")


def test_of_two_requests_that_come_to_the_same_the_one_that_is_merged_is_named(there: Hosted) -> None:
    request, other = there.propose("goodbye"), there.propose("goodbye")
    there.hear()
    assert there.given.store.previews.last_promise(STAGING, other.number) is not None
    assert request.number < other.number
    commit = merged(there, request.number)
    assert described(there, commit, "deploy/staging").endswith(f"as previewed in {sign(there)}{request.number}")


def test_what_was_shown_differently_is_said(there: Hosted) -> None:
    request = there.propose("goodbye")
    there.hear()
    there.forge.push(SHOP, {"staging/more.yaml": config_map("x").replace("greeting", "more")}, message="More")
    overlay = (there.world.repository / "staging/kustomization.yaml").read_text()
    more = overlay.replace("config.yaml", "config.yaml, more.yaml")
    there.forge.push(SHOP, {"staging/kustomization.yaml": more}, message="Use it")
    commit = merged(there, request.number)
    assert "differs from what was previewed in" in described(there, commit, "deploy/staging")


def test_a_second_push_and_a_command_rewrite_the_one_comment(there: Hosted) -> None:
    request = there.propose("goodbye")
    there.hear()
    there.push(request.number, "ahoy")
    there.hear()
    (comment,) = there.said(request.number)
    assert "+  text: ahoy" in comment
    asked = there.forge.comment(SHOP, request.number, "/diff production", by="bob")
    there.hear()
    (again,) = there.said(request.number)
    assert "`production`" in again
    found = next(each for each in there.forge.comments(SHOP, request.number) if each.id == asked.id)
    assert [each.name for each in found.reactions] in (["+1"], ["thumbsup"])


@pytest.mark.parametrize("allowed", [False, True])
def test_a_fork_is_rendered_only_where_that_is_allowed(there: Hosted, allowed: bool) -> None:
    there.configure(preview_forks=allowed)
    request = there.propose("goodbye", forked=True, by="mallory")
    shown = allowed and there.mode is not Mode.GITLAB  # which takes no status of a commit that is on no branch
    there.hear()
    assert bool(there.checks(request.head)) is shown
    assert len(there.said(request.number)) == allowed
    assert (there.given.store.previews.last_promise(STAGING, request.number) is not None) is allowed
    # Nor when somebody asks who may.
    there.forge.comment(SHOP, request.number, "/diff", by="grace")
    there.hear()
    assert bool(there.checks(request.head)) is shown
    if not allowed:
        assert "comes from a fork" in there.said(request.number)[-1]


@pytest.mark.parametrize("text", in_short("/deploy staging", "/diff staging", "/replay", "/help"))
def test_a_strangers_comment_gets_an_answer_and_nothing_else(there: Hosted, text: str) -> None:
    request = there.propose("goodbye")
    there.hear()
    merge = merged(there, request.number) if text == "/replay" else there.world.first
    before = [there.world.latest(key, merge) for key in (STAGING, PRODUCTION) if text != "/replay" or key == STAGING]
    shown, wanted = there.said(request.number), len(there.given.store.deployments.newest(most=99))
    there.forge.comment(SHOP, request.number, text, by="mallory")
    assert there.hear() == []
    assert [there.world.latest(each.key, merge) for each in before] == before
    assert len(there.given.store.deployments.newest(most=99)) == wanted
    assert there.said(request.number) == [*shown, f"Only people who can write to {SHOP} can ask for this."]
