"""A forge that refuses a part, wants a pause or is away for long: previews say what they can, as soon as they can."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deployer.model import Permanent, Stage
from tests.examples import STAGING
from tests.jobs.hosted import Hosted, Mode, hosted
from tests.jobs.world import SHOP, World


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
