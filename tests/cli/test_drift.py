"""`deployer drift` compares now, and `deployer status` repeats what was found."""

from __future__ import annotations

import json

from deployer.cluster.connection import connect
from deployer.model import JSON
from tests.cli.terminal import Terminal
from tests.examples import STAGING
from tests.jobs.world import SHOP


def edit(terminal: Terminal) -> None:
    given = terminal.world.given
    path = f"/api/v1/namespaces/{given.settings.environment(STAGING).namespace}/configmaps/greeting"
    with connect(given.settings.clusters["test"]) as cluster:
        patch: dict[str, JSON] = {"data": {"text": "mine"}}
        kind = "application/merge-patch+json"
        answer = cluster.request("PATCH", path, query={"fieldManager": "kubectl-edit"}, body=patch, content_type=kind)
        assert answer.status == 200


def test_every_difference_is_a_line_and_status_says_so_too(terminal: Terminal) -> None:
    terminal.deployed()
    edit(terminal)
    result = terminal("drift", SHOP)
    assert result.exit_code == 0
    other, headline, difference = result.stdout.splitlines()
    assert headline.startswith("github/acme/shop/staging: observed, not held: ConfigMap ")
    assert difference.startswith("  ConfigMap ")
    assert " data.text hello → mine by kubectl-edit at " in difference
    assert other == "github/acme/shop/production: in sync"
    assert "github/acme/shop/staging drift: observed, not held: " in terminal("status").stdout


def test_as_json_it_is_what_the_api_shows(terminal: Terminal) -> None:
    terminal.deployed()
    edit(terminal)
    (found,) = json.loads(terminal("drift", SHOP, "staging", "--json").stdout)["environments"]
    drift = found["drift"]
    assert set(drift) == {"state", "objects", "checked_at"}
    assert drift["state"] == "drifted"
    assert drift["checked_at"].endswith("Z")
    (drifted,) = drift["objects"]
    assert (drifted["kind"], drifted["name"], drifted["drift"]) == ("ConfigMap", "greeting", "changed")
    (field,) = drifted["fields"]
    assert (field["path"], field["git"], field["live"], field["manager"]) == (
        "data.text",
        "hello",
        "mine",
        "kubectl-edit",
    )


def test_what_was_never_deployed_is_unchecked(terminal: Terminal) -> None:
    assert terminal("drift", SHOP, "staging").stdout == "github/acme/shop/staging: unchecked\n"


def test_an_environment_that_there_is_not_is_an_error(terminal: Terminal) -> None:
    assert terminal.fails("drift", SHOP, "nowhere").startswith("no environment nowhere of acme/shop")
    assert terminal.fails("drift", "acme/other") == "no environments of acme/other in the settings"
