"""What is wrong with an overlay is shown at its lines: on the request before the merge, and on the commit after it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deployer.sandbox.forge.repositories import PullRequest
from tests.jobs.hosted import Hosted, Mode, hosted
from tests.jobs.world import SHOP, World, config_map

SERVICE = (
    "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  ports:\n  - port: 80\n  - {port: 700000, name: b}\n"
)


@pytest.fixture
def there(world: World, key_file: Path) -> Iterator[Hosted]:
    with hosted(world, Mode.APP, key_file=key_file) as there:
        yield there


def propose(there: Hosted, text: str) -> PullRequest:
    changes = {"staging/config.yaml": text}
    return there.forge.open_pull_request(SHOP, "Change it", branch="work", changes=changes, author="grace")


def noted(there: Hosted, commit: str, name: str) -> list[tuple[str, int, str]]:
    run = next(each for each in there.forge.checks(SHOP, commit) if each.name == name)
    return [(each.path, each.start_line, each.message) for each in run.output.annotations]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (f"{config_map('hello')}---\n{SERVICE}", 12, "spec.ports[1].port"),
        ("kind: ConfigMap\nx: [\n", 2, "yaml"),
    ],
    ids=["refused by the cluster", "not to be rendered"],
)
def test_before_the_merge_and_after_it(there: Hosted, text: str, line: int, words: str) -> None:
    request = propose(there, text)
    there.hear()
    merged = there.forge.merge(SHOP, request.number).commit
    there.hear()
    there.deploy()
    for commit, name in ((request.head, "preview/staging"), (merged, "deploy/staging")):
        ((path, at, message),) = noted(there, commit, name)
        assert (path, at) == ("staging/config.yaml", line)
        assert words in message


def test_nothing_where_nothing_is_wrong(there: Hosted) -> None:
    request = propose(there, config_map("goodbye"))
    there.hear()
    assert noted(there, request.head, "preview/staging") == []
