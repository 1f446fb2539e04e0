"""A deployment that waits for a person goes on by the very command that its status names."""

from __future__ import annotations

from typing import Any

import pytest

from deployer.model import State, Trigger
from tests.cli.terminal import Terminal, forget
from tests.examples import STAGING
from tests.jobs.world import SHOP


def strict(content: dict[str, Any]) -> None:
    content["repositories"][0]["environments"]["staging"]["require_preview_match"] = True


@pytest.mark.parametrize("spelled", ["as the status says", "without a commit"])
def test_what_was_not_previewed_is_deployed_when_a_person_says_so(terminal: Terminal, spelled: str) -> None:
    terminal.deployed()
    terminal.rewrite(strict)
    forget()
    commit = terminal.world.commit("ahoy")
    terminal.world.plan(commit)
    with terminal.worker():
        while (held := terminal.world.latest(STAGING, commit)).state is not State.HELD:
            assert not held.state.final, held.summary
    assert terminal.world.given.store.environments.get(STAGING).deployed != commit
    words = held.summary.partition("to go on: deployer ")[2].split()
    assert words == ["deploy", SHOP, "staging", "--commit", commit]
    with terminal.worker():
        assert terminal(*(words if spelled == "as the status says" else words[:3]), "--wait").exit_code == 0
    found = terminal.world.latest(STAGING, commit)
    assert (found.state, found.trigger) == (State.SUCCEEDED, Trigger.MANUAL)
    assert terminal.world.given.store.environments.get(STAGING).deployed == commit
