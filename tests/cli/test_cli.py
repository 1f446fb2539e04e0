"""The commands as an operator gives them, against a real Valkey, real git and a sandbox cluster."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from rq import Queue

from deployer import cli
from deployer.model import State, Trigger
from deployer.settings import schema
from jobs.deploy import deploy_with
from jobs.queue import DEPLOYMENTS, MERGES
from jobs.resources import resources
from tests import repositories
from tests.cli.terminal import Terminal, surround
from tests.control_plane import free_port
from tests.examples import PRODUCTION, STAGING
from tests.forges.recording import Answer
from tests.jobs.world import SHOP, plan_all

ROOT = Path(__file__).parent.parent.parent
DEPLOYER = Path(sys.executable).parent / "deployer"
IN_ORDER = (PRODUCTION, STAGING)
"""The environments as the settings have them."""
ASKING = (("status",), ("audit",), ("log", "a1"), ("replay", "github", "d1"), ("deploy", SHOP, "staging"))
COMMANDS = ("audit", "check", "demo", "deploy", "diff", "drift", "log", "render", "replay", "schema", "status")


def shown(result: Result) -> Mapping[str, str]:
    """What check says of each thing that it tried, with how it went."""
    lines = [line.split(None, 1) for line in result.output.splitlines()]
    return {words.partition(": ")[0]: f"{how} {words.partition(': ')[2]}".rstrip() for how, words in lines}


def test_help_names_every_command_with_a_line() -> None:
    done = subprocess.run([DEPLOYER, "--help"], capture_output=True, text=True, check=True, timeout=30)
    described = dict(re.findall(r"^  ([a-z]+) +(\S.*)$", done.stdout.partition("Commands:")[2], re.MULTILINE))
    assert tuple(described) == COMMANDS
    assert done.stderr == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(command: str) -> None:
    result = CliRunner().invoke(cli.main, [command, "-h"], catch_exceptions=False)
    assert result.exit_code == 0
    assert result.output.startswith("Usage: ")


def test_help_waits_for_no_library() -> None:
    code = "import sys, deployer.cli; print(*{'rq', 'flask', 'kubernetes', 'github', 'gitlab'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == ""


def test_schema_prints_what_is_committed() -> None:
    result = CliRunner().invoke(cli.main, ["schema"], catch_exceptions=False)
    assert result.stdout == (ROOT / "config" / "deployer.schema.json").read_text()
    assert json.loads(result.stdout) == json.loads(json.dumps(schema()))


def test_check_says_of_every_connection_that_it_works(terminal: Terminal) -> None:
    result = terminal("check")
    said = shown(result)
    assert result.exit_code == 0, result.output
    assert said[str(terminal.settings)] == "ok"
    assert said["redis"].startswith("ok answers, version ")
    assert said["kustomize"].startswith("ok kustomize v")
    assert said["forges.github"] == "ok signed in as GitHub user deployer-bot"
    assert said[f"{SHOP} on github"] == f"ok main is at {terminal.world.first[:12]}"
    assert said["clusters.test"].startswith("ok answers, Kubernetes v1.")


def test_check_changes_nothing(terminal: Terminal) -> None:
    terminal("check")
    assert terminal.world.given.redis.dbsize() == 0
    assert {request.method for request in terminal.world.forge.requests} == {"GET"}
    assert not (terminal.settings.parent / "data").exists()


def test_check_tells_every_mistake_of_the_settings_and_tries_nothing(terminal: Terminal) -> None:
    def spoil(content: dict[str, Any]) -> None:
        environments = content["repositories"][0]["environments"]
        environments["staging"]["cluster"] = "tset"
        environments["production"]["overlay"] = "../elsewhere"
        content["colour"] = "green"

    terminal.rewrite(spoil)
    result = terminal("check")
    assert (result.exit_code, result.stdout) == (1, "")
    assert {line.partition(": ")[0] for line in result.stderr.splitlines()} == {
        "repositories[0].environments.staging.cluster",
        "repositories[0].environments.production.overlay",
        "colour",
    }
    assert 'did you mean "test"?' in result.stderr
    assert terminal.world.forge.requests == []


def test_check_without_a_settings_file_names_it(terminal: Terminal) -> None:
    terminal.settings.unlink()
    result = terminal("check")
    assert (result.exit_code, result.stdout) == (1, "")
    assert str(terminal.settings) in result.stderr


def test_check_with_a_variable_that_makes_no_sense(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    surround(monkeypatch, REDIS_URL="localhost:6379")
    result = terminal("check")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("REDIS_URL: expected ")


def test_check_tries_everything_and_tells_all_that_does_not_work(alone: Terminal, tmp_path: Path) -> None:
    add_cluster(alone, "closed", alone.world.forge.url, tmp_path)
    alone.world.forge.answer = Answer(401, {"message": "Bad credentials"})
    shutil.move(alone.world.repository, f"{alone.world.repository}-away")
    result = alone("check")
    said = shown(result)
    assert result.exit_code == 1
    assert {what for what, how in said.items() if how.startswith("FAIL")} == {
        "redis",
        "forges.github",
        f"{SHOP} on github",
        "clusters.closed",
    }
    assert "REDIS_URL" in said["redis"]
    assert "expired or revoked" in said["forges.github"]
    assert said["clusters.test"].startswith("ok answers")
    assert set(result.stdout.splitlines()).isdisjoint(result.stderr.splitlines())
    assert "FAIL" not in result.stdout


def test_check_keeps_nobody_waiting_for_a_cluster_that_is_away(terminal: Terminal, tmp_path: Path) -> None:
    add_cluster(terminal, "away", f"http://127.0.0.1:{free_port()}", tmp_path)
    begun = time.monotonic()
    said = shown(terminal("check"))
    assert said["clusters.away"].startswith("FAIL")
    assert time.monotonic() - begun < 5


def add_cluster(terminal: Terminal, name: str, url: str, folder: Path) -> None:
    kubeconfig = folder / "kubeconfig"
    server = {"cluster": {"server": url}, "name": name}
    context = {"context": {"cluster": name, "user": name}, "name": name}
    users = [{"name": name, "user": {}}]
    content = {"apiVersion": "v1", "kind": "Config", "clusters": [server], "contexts": [context], "users": users}
    kubeconfig.write_text(yaml.safe_dump({**content, "current-context": name}))
    terminal.rewrite(lambda content: content["clusters"].update({name: {"kubeconfig": {"file": str(kubeconfig)}}}))


def test_check_shows_no_password_of_redis(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    password = secrets.token_hex()
    surround(monkeypatch, REDIS_URL=f"redis://:{password}@127.0.0.1:{free_port()}/0")
    result = terminal("check")
    assert result.exit_code == 1
    assert password not in result.output


def test_deploy_queues_the_tip_of_the_branch_and_says_where_to_look(terminal: Terminal) -> None:
    tip = terminal.world.commit("ahoy")
    result = terminal("deploy", SHOP, "staging")
    queued = terminal.newest()
    assert result.exit_code == 0
    assert result.stdout.split() == [
        queued.id,
        str(STAGING),
        tip[:12],
        f"https://deployer.example.com/deployments/{queued.id}",
    ]
    assert (queued.commit, queued.state, queued.trigger) == (tip, State.QUEUED, Trigger.MANUAL)
    assert (queued.actor or "").endswith(" (command line)")
    assert Queue(DEPLOYMENTS, connection=terminal.world.given.redis).count == 1


def test_deploying_the_same_twice_joins_the_first(terminal: Terminal) -> None:
    first, second = (terminal("deploy", SHOP, "staging").stdout for _ in range(2))
    assert first == second
    assert len(terminal.world.given.store.deployments.queued(STAGING)) == 1


def test_deploy_and_wait_shows_the_log_and_ends_well(terminal: Terminal) -> None:
    with terminal.worker():
        result = terminal("deploy", SHOP, "staging", "--wait")
    assert result.exit_code == 0, result.output
    ended = terminal.newest()
    assert ended.state is State.SUCCEEDED
    logged = terminal.world.given.store.deployments.log_lines(ended.id)
    assert result.stdout.splitlines()[1:] == list(logged)
    assert any("greeting: created" in line for line in logged)


def test_deploy_and_wait_exits_1_when_it_failed(terminal: Terminal) -> None:
    repositories.commit(terminal.world.repository, {"staging/kustomization.yaml": "resources: [missing.yaml]\n"})
    with terminal.worker():
        result = terminal("deploy", SHOP, "staging", "--wait")
    assert result.exit_code == 1
    assert "missing.yaml" in result.stdout
    assert terminal.newest().state is State.FAILED


def test_an_older_commit_is_only_gone_back_to_when_that_is_asked_for(terminal: Terminal) -> None:
    newer = terminal.world.commit("ahoy")
    older = terminal.world.first
    with terminal.worker():
        assert terminal("deploy", SHOP, "staging", "--wait").exit_code == 0
        assert terminal("deploy", SHOP, "staging", "--commit", older, "--wait").exit_code == 1
        assert terminal.newest().state is State.SUPERSEDED
        assert terminal.world.given.store.environments.get(STAGING).deployed == newer
        assert terminal("deploy", SHOP, "staging", "--commit", older, "--allow-rollback", "--wait").exit_code == 0
    assert terminal.newest().trigger is Trigger.ROLLBACK
    assert terminal.world.given.store.environments.get(STAGING).deployed == older


@pytest.mark.parametrize("wanted", ["abbreviation", "main", "HEAD", "--upload-pack=true", "capitals"])
def test_a_commit_that_is_no_full_hash_is_refused_in_the_end(terminal: Terminal, wanted: str) -> None:
    written = {"abbreviation": terminal.world.first[:12], "capitals": terminal.world.first.upper()}.get(wanted, wanted)
    with terminal.worker():
        result = terminal("deploy", SHOP, "staging", f"--commit={written}", "--wait")
    assert result.exit_code == 1
    assert terminal.world.given.store.environments.get(STAGING).deployed is None
    assert terminal.world.given.store.deployments.queued(STAGING) == ()


def test_a_repository_that_cannot_be_reached_is_said(terminal: Terminal) -> None:
    shutil.move(terminal.world.repository, f"{terminal.world.repository}-away")
    assert SHOP in terminal.fails("deploy", SHOP, "staging")
    assert list(terminal.world.given.store.audit.rows()) == []


@pytest.mark.parametrize("command", ["deploy", "render"])
@pytest.mark.parametrize(
    ("repository", "environment"), [("acme/shop", "stagign"), ("gitlab/acme/shop", "staging"), ("shop", "staging")]
)
def test_an_unknown_name_is_answered_with_those_there_are(
    terminal: Terminal, command: str, repository: str, environment: str
) -> None:
    assert terminal.fails(command, repository, environment) == (
        f"no environment {environment} of {repository} in the settings; "
        "there are: acme/shop production, acme/shop staging"
    )


def test_a_repository_on_two_forges_is_told_apart_by_the_forge(terminal: Terminal) -> None:
    def second_forge(content: dict[str, Any]) -> None:
        content["forges"]["other"] = content["forges"]["github"]
        staging = content["repositories"][0]["environments"]["staging"]
        environments = {"staging": {**staging, "namespace": f"{staging['namespace']}-other"}}
        content["repositories"].append({"name": SHOP, "forge": "other", "environments": environments})

    terminal.rewrite(second_forge)
    said = terminal.fails("deploy", SHOP, "staging")
    assert said == "acme/shop staging is on more than one forge; say which: github/acme/shop, other/acme/shop"
    assert terminal("deploy", "other/acme/shop", "staging").exit_code == 0
    assert str(terminal.newest().key) == "other/acme/shop/staging"


def test_render_prints_the_manifests_and_nothing_else(terminal: Terminal) -> None:
    terminal.world.commit("ahoy")
    result = terminal("render", SHOP, "staging")
    assert (result.exit_code, result.stderr) == (0, "")
    (manifest,) = yaml.safe_load_all(result.stdout)
    assert (manifest["kind"], manifest["data"]) == ("ConfigMap", {"text": "ahoy"})
    older = terminal("render", SHOP, "staging", "--commit", terminal.world.first)
    assert yaml.safe_load(older.stdout)["data"] == {"text": "hello"}
    assert terminal.world.given.redis.dbsize() == 0


def test_render_refuses_what_the_branch_does_not_have(terminal: Terminal) -> None:
    repositories.branch(terminal.world.repository, "feature")
    elsewhere = terminal.world.commit("ahoy")
    repositories.switch(terminal.world.repository, "main")
    for commit in (elsewhere, terminal.world.first[:12], "main", secrets.token_hex(20)):
        assert terminal.fails("render", SHOP, "staging", "--commit", commit)


def test_render_says_what_kustomize_says(terminal: Terminal) -> None:
    repositories.commit(terminal.world.repository, {"staging/kustomization.yaml": "resources: [missing.yaml]\n"})
    assert "missing.yaml" in terminal.fails("render", SHOP, "staging")


def test_status_before_and_after_the_first_deployment(terminal: Terminal) -> None:
    environments = json.loads(terminal("status", "--json").stdout)["environments"]
    assert [(each["deployed"], each["last"]) for each in environments] == [(None, None), (None, None)]
    heading, *before = terminal("status").stdout.splitlines()
    assert heading.split() == ["ENVIRONMENT", "DEPLOYED", "STATE", "DRIFT", "SUMMARY"]
    assert [line.split(None, 4) for line in before] == [
        [str(key), "-", "-", "unchecked", "nothing was deployed yet"] for key in IN_ORDER
    ]
    terminal.deployed()
    _, *after = terminal("status").stdout.splitlines()
    assert [line.split()[:3] for line in after] == [
        [str(key), terminal.world.first[:12], "succeeded"] for key in IN_ORDER
    ]


def test_status_of_one_repository_and_one_environment(terminal: Terminal) -> None:
    assert len(terminal("status", SHOP).stdout.splitlines()) == 3
    (_, line) = terminal("status", SHOP, "production").stdout.splitlines()
    assert line.startswith(str(PRODUCTION))


def test_status_as_json(terminal: Terminal) -> None:
    terminal.deployed()
    environments = json.loads(terminal("status", "--json").stdout)["environments"]
    assert [(each["environment"], each["deployed"], each["last"]["state"]) for each in environments] == [
        ("production", terminal.world.first, "succeeded"),
        ("staging", terminal.world.first, "succeeded"),
    ]
    (one,) = json.loads(terminal("status", SHOP, "staging", "--json").stdout)["environments"]
    assert one == environments[1]


def test_log_shows_the_lines_and_beside_them_how_it_ended(terminal: Terminal) -> None:
    terminal.deployed()
    ended = terminal.world.latest(STAGING, terminal.world.first)
    result = terminal("log", ended.id)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == list(terminal.world.given.store.deployments.log_lines(ended.id))
    assert result.stderr == f"{STAGING} {ended.commit[:12]}: succeeded: {ended.summary}\n"


def test_the_log_of_an_unknown_deployment(terminal: Terminal) -> None:
    assert terminal.fails("log", "a1").startswith("no deployment a1; ")


def test_replay_sends_a_delivery_through_again(terminal: Terminal) -> None:
    terminal.world.clock.move(-60)
    terminal.world.deliver(terminal.world.first, delivery="d1")
    for key in plan_all(resources()):
        deploy_with(resources(), key)
    result = terminal("replay", "github", "d1")
    assert result.exit_code == 0, result.output
    assert Queue(MERGES, connection=terminal.world.given.redis).count == 1
    assert plan_all(resources()) == [PRODUCTION, STAGING]
    (queued,) = terminal.world.given.store.deployments.queued(STAGING)
    assert (queued.trigger, queued.delivery, queued.commit) == (Trigger.REPLAY, "d1", terminal.world.first)
    (row,) = (row for row in terminal.world.given.store.audit.rows() if row.what == "replayed")
    assert row.fields["delivery"] == "d1"
    assert row.fields["actor"].endswith(" (command line)")


@pytest.mark.parametrize(("forge", "delivery"), [("github", "d2"), ("gitlab", "d1"), ("made-up", "d1")])
def test_an_unknown_delivery_is_said_and_nothing_is_planned(terminal: Terminal, forge: str, delivery: str) -> None:
    terminal.world.deliver(terminal.world.first, delivery="d1")
    assert terminal.fails("replay", forge, delivery).startswith(f"no delivery {delivery} of {forge} on record")
    assert Queue(MERGES, connection=terminal.world.given.redis).count == 0


@pytest.mark.parametrize("arguments", ASKING, ids=lambda arguments: arguments[0])
def test_redis_away_is_said_in_a_moment(alone: Terminal, arguments: tuple[str, ...]) -> None:
    began = time.monotonic()
    said = alone.fails(*arguments)
    assert said.startswith("Redis does not answer (")
    assert said.endswith("; is REDIS_URL right?")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("arguments", ASKING, ids=lambda arguments: arguments[0])
def test_mistakes_in_the_settings_are_said_by_every_command(terminal: Terminal, arguments: tuple[str, ...]) -> None:
    terminal.rewrite(lambda content: content.update(colour="green", forges={}))
    said = terminal.fails(*arguments)
    assert "colour: " in said
    assert "repositories[0].forge: " in said
