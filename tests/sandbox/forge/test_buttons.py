"""Pressing what a check offers: `Re-run` and the App's own buttons, as the App is told of it."""

from __future__ import annotations

import pytest

from deployer.model import RERUN, Button, Check, CheckState, Rerun
from deployer.sandbox.forge import App, NotFound, Refused, SandboxForge
from deployer.sandbox.forge.people import number_of
from tests.sandbox.forge.clients import as_app, body, recorded, told
from tests.sandbox.forge.conftest import SHOP, TOOLS
from tests.sandbox.forge.receiver import Receiver

REDEPLOY = Button("Redeploy", "Deploy this commit again", "redeploy")


@pytest.fixture
def run(listening: SandboxForge, app: App) -> int:
    return post(listening, app, CheckState.FAILURE)


def post(forge: SandboxForge, app: App, state: CheckState, name: str = "deploy/staging") -> int:
    check = Check(
        SHOP, forge.tip(SHOP), name, state, "web is not ready", "1 of 12 objects", "https://deployer.example.com/1",
        f"20261123-{name}", actions=(REDEPLOY,),
    )  # fmt: skip
    return int(as_app(forge, app).post_check(check, known=None))


def asked(forge: SandboxForge, app: App, *, by: str, names: tuple[str, ...], action: str) -> Rerun:
    external_id = f"20261123-{names[0]}" if names else None
    return Rerun(SHOP, forge.tip(SHOP), names, action, external_id, app.id, by, number_of(by))


def test_a_check_is_asked_for_again(listening: SandboxForge, receiver: Receiver, app: App, run: int) -> None:
    assert listening.rerun(SHOP, run, by="bob").id == run
    assert told(listening, receiver) == [asked(listening, app, by="bob", names=("deploy/staging",), action=RERUN)]


def test_a_button_is_pressed(listening: SandboxForge, receiver: Receiver, app: App, run: int) -> None:
    listening.press(SHOP, run, "redeploy", by="mallory")
    assert told(listening, receiver) == [
        asked(listening, app, by="mallory", names=("deploy/staging",), action="redeploy")
    ]


def test_all_checks_of_an_app_are_asked_for(listening: SandboxForge, receiver: Receiver, app: App, run: int) -> None:
    post(listening, app, CheckState.SUCCESS, name="deploy/production")
    other = listening.create_app("other", private_key=app.private_key)
    post(listening, other, CheckState.IN_PROGRESS, name="lint")
    listening.rerun_all(SHOP, listening.tip(SHOP), by="bob")
    assert told(listening, receiver) == [
        asked(listening, one, by="bob", names=(), action=RERUN) for one in (other, app)
    ]


def test_pressing_changes_nothing_by_itself(listening: SandboxForge, app: App, run: int) -> None:
    before = listening.checks(SHOP, listening.tip(SHOP))
    listening.press(SHOP, run, "redeploy")
    assert listening.checks(SHOP, listening.tip(SHOP)) == before


def test_a_check_that_is_not_over_has_nothing_to_press(listening: SandboxForge, app: App, receiver: Receiver) -> None:
    run = post(listening, app, CheckState.IN_PROGRESS)
    with pytest.raises(Refused, match="is not over"):
        listening.rerun(SHOP, run)
    with pytest.raises(Refused, match="is not over"):
        listening.press(SHOP, run, "redeploy")
    assert told(listening, receiver) == []


def test_what_is_not_there_cannot_be_pressed(listening: SandboxForge, run: int) -> None:
    with pytest.raises(NotFound, match="no button 'destroy'"):
        listening.press(SHOP, run, "destroy")
    with pytest.raises(NotFound, match="no check run 4711"):
        listening.rerun(SHOP, 4711)
    with pytest.raises(NotFound, match="no check runs"):
        listening.rerun_all(TOOLS, listening.tip(TOOLS))


def test_the_payloads_have_what_recorded_ones_have(listening: SandboxForge, receiver: Receiver, run: int) -> None:
    listening.press(SHOP, run, "redeploy")
    listening.rerun_all(SHOP, listening.tip(SHOP))
    assert listening.settle()
    sent, expected = body(receiver.named("check_run")[0]), recorded("github_check_run_requested_action")
    assert set(expected) <= set(sent)
    for part in ("check_run", "requested_action", "sender", "installation"):
        assert set(expected[part]) <= set(sent[part])
    assert set(expected["check_run"]["app"]) - set(sent["check_run"]["app"]) <= {"client_id"}
    assert set(expected["check_run"]["output"]) <= set(sent["check_run"]["output"])
    sent, expected = body(receiver.named("check_suite")[0]), recorded("github_check_suite_rerequested")
    assert set(expected["check_suite"]) <= set(sent["check_suite"])
