"""`deployer drift` compares now, and `deployer status` repeats what was found."""

from __future__ import annotations

import json
import re
from pathlib import Path

from deployer.cluster.connection import connect
from deployer.model import JSON
from tests.cli.terminal import Terminal, forget
from tests.control_plane import free_port
from tests.examples import STAGING
from tests.jobs.drifting import elsewhere
from tests.jobs.world import SHOP


def away(terminal: Terminal) -> Path:
    """The kubeconfig of a cluster that does not answer."""
    (path,) = {each.kubeconfig.file for each in terminal.world.given.settings.clusters.values() if each.kubeconfig}
    return elsewhere(terminal.settings.parent, path, free_port())


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
    assert re.search(
        r"^github/acme/shop/staging drift since 20\d\d-\d\d-\d\d \d\d:\d\d UTC: observed, not held: ConfigMap ",
        terminal("status").stdout,
        re.MULTILINE,
    )


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


def states(terminal: Terminal, *, exit_code: int) -> dict[str, str]:
    result = terminal("drift", SHOP, "--json")
    assert result.exit_code == exit_code
    return {each["environment"]: each["drift"]["state"] for each in json.loads(result.stdout)["environments"]}


def test_it_fails_only_if_something_could_not_be_compared_whatever_was_found(terminal: Terminal) -> None:
    assert states(terminal, exit_code=0) == {"staging": "unchecked", "production": "unchecked"}
    terminal.deployed()
    edit(terminal)
    assert states(terminal, exit_code=0) == {"staging": "drifted", "production": "in_sync"}
    terminal.rewrite(lambda content: content["clusters"]["test"].update(kubeconfig={"file": str(away(terminal))}))
    forget()
    assert states(terminal, exit_code=1) == {"staging": "unknown", "production": "unknown"}
    assert re.search(r"staging drift: unknown since 20\d\d-.* UTC: ", terminal("status").stdout)


def test_what_is_being_deployed_is_not_compared_and_that_is_said(terminal: Terminal) -> None:
    terminal.deployed()
    assert states(terminal, exit_code=0)["staging"] == "in_sync"
    edit(terminal)
    with terminal.world.given.store.leases.hold(str(STAGING)):
        result = terminal("drift", SHOP, "staging", "--json")
    assert result.exit_code == 1
    assert result.stderr.startswith("github/acme/shop/staging: not compared now, ")
    assert json.loads(result.stdout)["environments"][0]["drift"]["state"] == "in_sync", "what was known before"


def test_an_environment_that_there_is_not_is_an_error(terminal: Terminal) -> None:
    assert terminal.fails("drift", SHOP, "nowhere").startswith("no environment nowhere of acme/shop")
    assert terminal.fails("drift", "acme/other") == "no environments of acme/other in the settings"
