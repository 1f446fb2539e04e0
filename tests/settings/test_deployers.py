"""Who may ask for a deployment of an environment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from deployer.settings import load
from tests.settings.conftest import Complain, Content, environment

AT = "repositories[0].environments.staging.deployers"


def test_users_and_teams_are_read(content: Content, write: Callable[[Content], Path], environ: dict[str, str]) -> None:
    environment(content).update({"deployers": ["ada", "acme/operators"]})
    (loaded,) = load(write(content), environ=environ).environments
    assert loaded.deployers == ("ada", "acme/operators")


@pytest.mark.parametrize(
    ("deployers", "mistake"),
    [
        ([], ": empty; at least one is needed"),
        (["@ada"], "[0]: expected a user as in ada, or a team as in acme/operators, without @"),
        (["ada", "acme/"], "[1]: expected a user as in ada, or a team as in acme/operators, without @"),
        (["acme/a/b"], "[0]: expected organization/team: a team on GitHub has no longer name"),
    ],
)
def test_what_can_be_nobody_is_refused(
    content: Content, complain: Complain, deployers: list[str], mistake: str
) -> None:
    environment(content).update({"deployers": deployers})
    assert complain(content) == (f"{AT}{mistake}",)
