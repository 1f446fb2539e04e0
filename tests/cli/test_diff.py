"""`deployer diff`: what deploying would change, for people and for scripts."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from deployer import cli
from tests import repositories
from tests.cli.terminal import Terminal
from tests.jobs.world import SHOP


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def commit(terminal: Terminal, *objects: dict[str, Any]) -> str:
    return repositories.commit(terminal.world.repository, {"staging/config.yaml": yaml.safe_dump_all(objects)})


def test_before_the_first_deployment_everything_is_to_create(terminal: Terminal) -> None:
    result = terminal("diff", SHOP, "staging")
    assert (result.exit_code, result.stderr) == (1, "")
    assert "+  text: hello" in result.stdout.splitlines()
    assert result.stdout.splitlines()[-1] == "1 to create"


def test_nothing_to_change_is_one_line_and_exit_0(terminal: Terminal) -> None:
    commit(terminal, *(config_map(f"one-{number}", text="hello") for number in range(30)))
    terminal.deployed()
    result = terminal("diff", SHOP, "staging")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "nothing to change\n", "")


def test_a_change_is_a_unified_diff_and_writes_nothing(terminal: Terminal) -> None:
    commit(terminal, config_map("stays", text="hello"), config_map("goes"), config_map("greeting", text="hello"))
    terminal.deployed()
    commit(terminal, config_map("stays", text="hello"), config_map("greeting", text="ahoy"), config_map("comes"))
    first = terminal("diff", SHOP, "staging")
    lines = first.stdout.splitlines()
    assert first.exit_code == 1
    assert lines.index("-  text: hello") + 1 == lines.index("+  text: ahoy")
    assert not any("stays" in line for line in lines)
    assert lines[-1] == "1 to create, 1 to change, 1 to delete, 1 unchanged"
    assert terminal("diff", SHOP, "staging").stdout == first.stdout


def test_the_commit_can_be_named(terminal: Terminal) -> None:
    terminal.deployed()
    terminal.world.commit("ahoy")
    assert terminal("diff", SHOP, "staging", "--commit", terminal.world.first).exit_code == 0
    assert terminal("diff", SHOP, "staging").exit_code == 1


def test_colours_are_for_terminals_alone(terminal: Terminal) -> None:
    plain = terminal("diff", SHOP, "staging").stdout
    colored = CliRunner().invoke(cli.main, ["diff", SHOP, "staging"], color=True).stdout
    assert "\x1b[32m+  text: hello\x1b[0m" in colored.splitlines()
    assert "\x1b" not in plain


def test_a_secret_shows_only_that_it_changes(terminal: Terminal) -> None:
    old, new = secrets.token_hex(), secrets.token_hex()
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}}
    commit(terminal, body | {"stringData": {"key": old}})
    terminal.deployed()
    commit(terminal, body | {"stringData": {"key": new}})
    result = terminal("diff", SHOP, "staging")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == "1 to change"
    assert old not in result.output
    assert new not in result.output


def test_what_stays_and_why_is_said(terminal: Terminal) -> None:
    kept = config_map("kept")
    kept["metadata"]["annotations"] = {"deployer/prune": "false"}
    commit(terminal, config_map("stays"), kept)
    terminal.deployed()
    commit(terminal, config_map("stays"))
    result = terminal("diff", SHOP, "staging")
    remark, summary = result.stdout.splitlines()
    assert (result.exit_code, summary) == (0, "nothing to change, 1 kept")
    assert remark.startswith("# ConfigMap ")
    assert "/kept: kept: " in remark
    assert "deployer/prune" in remark


def test_more_than_may_be_deleted_is_shown_and_then_refused(terminal: Terminal) -> None:
    commit(terminal, *(config_map(f"one-{number}") for number in range(20)))
    terminal.deployed()
    commit(terminal, config_map("one-0"))
    result = terminal("diff", SHOP, "staging")
    assert result.exit_code == 2
    assert result.stdout.splitlines()[-1] == "19 to delete, 1 unchanged"
    assert "would delete 19 of 20 objects" in result.stderr


@pytest.mark.parametrize("arguments", [("staging", "--commit", "main"), ("nowhere",)])
def test_an_error_is_exit_2(terminal: Terminal, arguments: tuple[str, ...]) -> None:
    result = terminal("diff", SHOP, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Error: ")


def test_an_overlay_that_does_not_render_is_exit_2(terminal: Terminal) -> None:
    repositories.commit(terminal.world.repository, {"staging/kustomization.yaml": "resources: [missing.yaml]\n"})
    result = terminal("diff", SHOP, "staging")
    assert result.exit_code == 2
    assert "missing.yaml" in result.stderr


def test_what_nobody_expected_is_exit_2_too(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("deployer.preview.preview", broken)
    result = terminal("diff", SHOP, "staging")
    assert result.exit_code == 2
    assert "ZeroDivisionError" in result.stderr
