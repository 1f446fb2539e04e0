"""A forge that refuses a part, wants a pause or is away for long: previews say what they can, as soon as they can."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deployer.model import Permanent, Stage
from tests.examples import STAGING
from tests.jobs.hosted import Hosted, Mode, hosted
from tests.jobs.world import World


@pytest.fixture
def there(world: World, key_file: Path) -> Iterator[Hosted]:
    with hosted(world, Mode.APP, key_file=key_file) as there:
        yield there


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
