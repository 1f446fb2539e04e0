"""`deployer status` says what our own looks at the branches found."""

from __future__ import annotations

import json

from deployer.model import BranchKey
from jobs.tips import plan_tip
from tests.cli.terminal import Terminal
from tests.examples import after
from tests.jobs.world import SHOP

MAIN = BranchKey("github", SHOP, "main")


def test_a_merge_that_no_webhook_told_of_is_a_line_until_there_is_another(terminal: Terminal) -> None:
    world = terminal.world
    assert "no webhook" not in terminal("status").stdout
    world.plan(world.first)
    for count, told in ((1, "1 merge that"), (2, "2 merges that")):
        world.commit(f"ahoy {count}")
        plan_tip(world.given, MAIN)
        line = terminal("status").stdout.splitlines()[-1]
        assert line.startswith(f"github/acme/shop: {told} no webhook told of, the last found 2026-11-23T")
        (found,) = json.loads(terminal("status", SHOP, "--json").stdout)["webhooks_missed"]
        assert (found["repository"], found["count"]) == (SHOP, count)
    assert "no webhook" not in terminal("status", "acme/other").stdout


def test_a_branch_that_is_not_followed_is_a_line_while_it_lasts(terminal: Terminal) -> None:
    known = terminal.world.given.store.tips
    known.failed(MAIN, "look: refused", "asking: \x1b[31mno\nsuch branch", at=after(0))
    line = terminal("status").stdout.splitlines()[-1]
    assert line == "github/acme/shop@main is not followed since 2026-11-23T12:00:00.000Z: asking: no such branch"
    (found,) = json.loads(terminal("status", "--json").stdout)["not_followed"]
    assert (found["branch"], found["since"]) == ("main", "2026-11-23T12:00:00.000Z")
    known.well(MAIN)
    assert "not followed" not in terminal("status").stdout
