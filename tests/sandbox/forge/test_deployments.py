"""Deployments and environments: recorded by the deployer's own clients, kept by the rules of each forge."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from deployer.model import DeploymentState, ForgeDeployment, ForgeKind, Permanent
from deployer.sandbox.forge import App, SandboxForge
from tests.sandbox.forge.clients import as_app, ask, client
from tests.sandbox.forge.conftest import SHOP, TOOLS

BOTH = pytest.mark.parametrize(("kind", "name"), [(ForgeKind.GITHUB, SHOP), (ForgeKind.GITLAB, TOOLS)])
PROJECT = "/api/v4/projects/acme%2Fplatform%2Ftools"
URL = "https://staging.shop.example.com"


def deployment(forge: SandboxForge, name: str, number: int = 1) -> ForgeDeployment:
    return ForgeDeployment(
        name, forge.tip(name), "main", "staging", DeploymentState.IN_PROGRESS, "applying",
        f"https://deployer.example.com/{number}", f"20261123-{number}", environment_url=URL,
    )  # fmt: skip


@BOTH
def test_a_deployment_goes_through_its_states(forge: SandboxForge, kind: ForgeKind, name: str) -> None:
    record, asked = client(forge, kind).record_deployment, deployment(forge, name)
    number = record(replace(asked, state=DeploymentState.QUEUED), known=None)
    assert record(asked, known=number) == number
    assert forge.deployments(name)[0].look == "waiting"
    assert record(replace(asked, state=DeploymentState.SUCCESS), known=number) == number
    (made,) = forge.deployments(name)
    assert (made.commit, made.environment, made.state, made.look) == (forge.tip(name), "staging", "success", "good")
    assert (made.plan.ref, made.creator) == (asked.commit if kind is ForgeKind.GITHUB else "main", "sandbox")
    assert forge.deployments(name, forge.tip(name)) == (made,)
    assert forge.deployments(name, "4f" * 20) == ()


@BOTH
@pytest.mark.parametrize("state", [DeploymentState.FAILURE, DeploymentState.CANCELLED])
def test_other_ends_are_kept(forge: SandboxForge, kind: ForgeKind, name: str, state: DeploymentState) -> None:
    record, asked = client(forge, kind).record_deployment, deployment(forge, name)
    record(replace(asked, state=state), known=record(asked, known=None))
    expected = {
        ForgeKind.GITHUB: {"cancelled": "inactive"},
        ForgeKind.GITLAB: {"failure": "failed", "cancelled": "canceled"},
    }
    assert forge.deployments(name)[0].state == expected[kind].get(state.value, state.value)


@BOTH
def test_one_whose_number_was_lost_is_found_again(forge: SandboxForge, kind: ForgeKind, name: str) -> None:
    record, asked = client(forge, kind).record_deployment, deployment(forge, name)
    assert record(asked, known=None) == record(asked, known=None)
    assert record(asked, known="4711") in {str(one.id) for one in forge.deployments(name)}


def test_github_makes_what_ran_before_inactive(forge: SandboxForge, app: App) -> None:
    record = as_app(forge, app).record_deployment
    done = replace(deployment(forge, SHOP), state=DeploymentState.SUCCESS)
    for number in (1, 2):
        record(replace(done, external_id=str(number), description=f"deployment {number}"), known=None)
    record(replace(done, external_id="3", environment="production", production=True), known=None)
    record(replace(done, external_id="4", environment="production", production=True), known=None)
    states = [(one.environment, one.state) for one in forge.deployments(SHOP)]
    assert states == [
        ("production", "success"), ("production", "success"), ("staging", "success"), ("staging", "inactive"),
    ]  # fmt: skip
    assert forge.deployments(SHOP)[0].creator == "deployer[bot]"
    assert forge.deployments(SHOP)[-1].description == "deployment 1"


def test_github_keeps_every_report(forge: SandboxForge, app: App) -> None:
    record, asked = as_app(forge, app).record_deployment, deployment(forge, SHOP)
    number = record(asked, known=None)
    record(replace(asked, state=DeploymentState.SUCCESS), known=number)
    (made,) = forge.deployments(SHOP)
    assert [one.report.state for one in made.statuses] == ["in_progress", "success"]
    assert (made.environment_url, made.statuses[0].report.log_url) == (URL, asked.url)
    listed = ask(forge, "GET", f"/api/v3/repos/{SHOP}/deployments/{number}/statuses").json()
    assert [one["state"] for one in listed] == ["success", "in_progress"]
    shown = ask(forge, "GET", f"/api/v3/repos/{SHOP}/deployments/{number}").json()
    assert (shown["payload"], shown["sha"]) == ({"deployer": asked.external_id}, asked.commit)


@pytest.mark.parametrize(
    ("query", "count"),
    [("", 2), ("?environment=staging", 1), ("?sha={sha}", 2), ("?sha=x", 0), ("?task=migrate", 0), ("?ref={sha}", 2)],
)
def test_github_finds_deployments(forge: SandboxForge, app: App, query: str, count: int) -> None:
    record, asked = as_app(forge, app).record_deployment, deployment(forge, SHOP)
    record(asked, known=None)
    record(replace(asked, environment="production"), known=None)
    path = f"/api/v3/repos/{SHOP}/deployments{query.format(sha=asked.commit)}"
    assert len(ask(forge, "GET", path).json()) == count


def test_gitlab_leads_to_what_runs(forge: SandboxForge) -> None:
    record, asked = client(forge, ForgeKind.GITLAB).record_deployment, deployment(forge, TOOLS)
    number = record(replace(asked, state=DeploymentState.SUCCESS), known=None)
    (environment,) = ask(forge, "GET", f"{PROJECT}/environments").json()
    assert (environment["name"], environment["external_url"]) == ("staging", URL)
    assert environment["last_deployment"]["id"] == int(number)
    assert ask(forge, "GET", f"{PROJECT}/environments?name=other").json() == []
    shown = ask(forge, "GET", f"{PROJECT}/environments/{environment['id']}").json()
    assert shown == environment


def test_gitlab_refuses_the_state_that_it_is_in(forge: SandboxForge) -> None:
    record, asked = client(forge, ForgeKind.GITLAB).record_deployment, deployment(forge, TOOLS)
    path = f"{PROJECT}/deployments/{record(asked, known=None)}"
    for state, status in (("running", 400), ("success", 200), ("success", 400), ("running", 400), ("failed", 200)):
        assert ask(forge, "PUT", path, json={"status": state}).status_code == status, state


def test_gitlab_lists_oldest_first_unless_asked(forge: SandboxForge) -> None:
    record, asked = client(forge, ForgeKind.GITLAB).record_deployment, deployment(forge, TOOLS)
    numbers = [int(record(replace(asked, environment=name), known=None)) for name in ("a", "b")]
    assert [one["id"] for one in ask(forge, "GET", f"{PROJECT}/deployments").json()] == numbers
    assert [one["id"] for one in ask(forge, "GET", f"{PROJECT}/deployments?sort=desc").json()] == numbers[::-1]
    assert ask(forge, "GET", f"{PROJECT}/deployments?status=success").json() == []


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"state": "fine"}, "state"),
        ({"state": None}, "state"),
        ({"description": "x" * 141}, "description"),
        ({"environment_url": "javascript:alert(1)"}, "environment_url"),
        ({"log_url": "x"}, "log_url"),
        ({"auto_inactive": "yes"}, "auto_inactive"),
    ],
)
def test_github_refuses_a_bad_report(forge: SandboxForge, wrong: dict[str, Any], field: str) -> None:
    record = client(forge, ForgeKind.GITHUB).record_deployment
    path = f"/api/v3/repos/{SHOP}/deployments/{record(deployment(forge, SHOP), known=None)}/statuses"
    answer = ask(forge, "POST", path, json={"state": "success"} | wrong)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


def test_what_is_no_deployment_is_refused(forge: SandboxForge) -> None:
    path = f"/api/v3/repos/{SHOP}/deployments"
    assert ask(forge, "POST", path, json={"ref": "4f" * 20}).json()["message"].startswith("No ref found for")
    assert ask(forge, "POST", path, json={"ref": "main", "environment": " "}).status_code == 422
    assert ask(forge, "POST", f"{path}/4711/statuses", json={"state": "success"}).status_code == 404
    path, fields = f"{PROJECT}/deployments", {"sha": forge.tip(TOOLS), "ref": "main", "environment": "staging"}
    for wrong in ({"status": "fine"}, {"environment": None}, {"ref": 5}):
        assert ask(forge, "POST", path, json=fields | {"status": "running"} | wrong).status_code == 400
    assert ask(forge, "POST", path, json=fields).status_code == 400
    assert ask(forge, "PUT", f"{path}/4711", json={"status": "success"}).status_code == 404
    assert ask(forge, "PUT", f"{PROJECT}/environments/4711", json={"external_url": URL}).status_code == 404
    assert forge.deployments(SHOP) == forge.deployments(TOOLS) == ()
    with pytest.raises(Permanent, match="404"):
        client(forge, ForgeKind.GITLAB).record_deployment(
            replace(deployment(forge, TOOLS), commit="4f" * 20), known=None
        )
