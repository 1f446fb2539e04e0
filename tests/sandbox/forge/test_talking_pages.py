"""The pages on which people act: checks with their buttons, the conversation, and who it is that acts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import requests

from deployer.model import (
    RERUN,
    Annotation,
    Button,
    Check,
    CheckState,
    Command,
    DeploymentState,
    ForgeDeployment,
    ForgeKind,
    PullRequestAction,
    PullRequestEvent,
    Reaction,
    Rerun,
)
from deployer.sandbox.forge import App, SandboxForge
from tests.sandbox.forge.browser import Browser
from tests.sandbox.forge.clients import as_app, client, told
from tests.sandbox.forge.conftest import SHOP, TOOLS
from tests.sandbox.forge.receiver import Receiver

PULL = f"/{SHOP}/pull/1"
SUMMARY = "### 2 objects changed\n\n| object | change |\n|---|---|\n| `web` | replicas |\n\n<script>alert(1)</script>"


@pytest.fixture
def browser(listening: SandboxForge) -> Iterator[Browser]:
    with Browser(listening.url) as browser:
        yield browser


@pytest.fixture
def check(listening: SandboxForge) -> Check:
    return Check(
        SHOP, listening.tip(SHOP), "deploy/staging", CheckState.FAILURE, "web is not ready", SUMMARY,
        "https://deployer.example.com/1", "20261123-1",
        annotations=(Annotation("deploy/base/web.yaml", 7, "no such <field>"),),
        actions=(Button("Redeploy", "Deploy this commit again", "redeploy"),),
    )  # fmt: skip


def deployed(forge: SandboxForge, commit: str, name: str = SHOP) -> ForgeDeployment:
    return ForgeDeployment(
        name, commit, "main", "staging", DeploymentState.SUCCESS, "12 objects", "https://deployer.example.com/1",
        commit, environment_url="https://staging.shop.example.com",
    )  # fmt: skip


def test_a_commit_shows_its_check_runs_in_full(
    listening: SandboxForge, browser: Browser, app: App, check: Check
) -> None:
    number = as_app(listening, app).post_check(check, known=None)
    for path in (f"/{SHOP}/commit/{check.commit}", f"/{SHOP}/runs/{number}"):
        shown = browser.look(path)
        for piece in (
            "✘", "deploy/staging", "web is not ready", "<h3>2 objects changed</h3>", "<td><code>web</code></td>",
            "deploy/base/web.yaml:7", "no such &lt;field&gt;", "https://deployer.example.com/1", "by deployer",
        ):  # fmt: skip
            assert piece in shown
        assert "<script>alert" not in shown
        assert {"Re-run", "Redeploy"} <= set(browser.buttons(path))


def test_a_repository_and_the_start_link_to_the_run(
    listening: SandboxForge, browser: Browser, app: App, check: Check
) -> None:
    number = as_app(listening, app).post_check(check, known=None)
    for path in ("/", f"/{SHOP}"):
        assert f'href="/{SHOP}/runs/{number}"' in browser.look(path)


def test_a_run_that_is_not_over_has_no_buttons(
    listening: SandboxForge, browser: Browser, app: App, check: Check
) -> None:
    number = as_app(listening, app).post_check(replace(check, state=CheckState.IN_PROGRESS), known=None)
    assert browser.buttons(f"/{SHOP}/runs/{number}") == ["Switch"]


def test_what_is_pressed_is_told_with_who_pressed_it(
    listening: SandboxForge, browser: Browser, receiver: Receiver, app: App, check: Check
) -> None:
    run = f"/{SHOP}/runs/{as_app(listening, app).post_check(check, known=None)}"
    browser.be("mallory")
    browser.press(run, "Redeploy")
    browser.be("ada")
    browser.press(run, "Re-run")
    browser.be("bob")
    browser.press(f"/{SHOP}/commit/{check.commit}", "Re-run all checks")
    pressed = [one for one in told(listening, receiver) if isinstance(one, Rerun)]
    assert [(one.action, one.names, one.actor) for one in pressed] == [
        ("redeploy", ("deploy/staging",), "mallory"),
        (RERUN, ("deploy/staging",), "ada"),
        (RERUN, (), "bob"),
    ]


def test_a_button_that_is_not_there_is_not_pressed(
    listening: SandboxForge, browser: Browser, app: App, check: Check
) -> None:
    run = f"/{SHOP}/runs/{as_app(listening, app).post_check(check, known=None)}"
    assert browser.press(run, "Redeploy", identifier="destroy").status_code == 404


def test_a_pull_request_shows_what_is_known_of_it(
    listening: SandboxForge, browser: Browser, app: App, check: Check
) -> None:
    github, head = as_app(listening, app), listening.tip(SHOP, "raise")
    github.post_check(replace(check, name="preview/staging", commit=head), known=None)
    github.comment(SHOP, 1, marker="preview", body=SUMMARY, known=None)
    shown = browser.look(PULL)
    for piece in ("preview/staging", "deployer[bot]", "<h3>2 objects changed</h3>"):
        assert piece in shown
    assert {"Re-run", "Redeploy"} <= set(browser.buttons(PULL))
    landing = listening.merge(SHOP, 1)
    github.post_check(replace(check, commit=landing.commit), known=None)
    github.record_deployment(deployed(listening, landing.commit), known=None)
    shown = browser.look(PULL)
    for piece in ("preview/staging", "deploy/staging", 'href="https://staging.shop.example.com"', "12 objects"):
        assert piece in shown
    assert "staging.shop.example.com" in browser.look(f"/{SHOP}/commit/{landing.commit}")


def test_a_pull_request_has_each_check_folded_with_all_that_it_says(
    listening: SandboxForge, browser: Browser, app: App, check: Check
) -> None:
    github, head = as_app(listening, app), listening.tip(SHOP, "raise")
    for name in ("preview/staging", 'preview/"><b>'):
        github.post_check(replace(check, name=name, commit=head), known=None)
    shown = browser.look(PULL)
    staging = shown.partition('<details id="check-preview/staging">')[2].partition("</details>")[0]
    for piece in ("✘", "web is not ready", "<td><code>web</code></td>", "deploy/base/web.yaml:7", "Re-run", "Redeploy"):
        assert piece in staging
    assert '<details id="check-preview/&#34;&gt;&lt;b&gt;">' in shown
    assert "<script>alert" not in shown


def test_what_is_pressed_on_a_pull_request_leads_back_to_it(
    listening: SandboxForge, browser: Browser, receiver: Receiver, app: App, check: Check
) -> None:
    number = as_app(listening, app).post_check(replace(check, commit=listening.tip(SHOP, "raise")), known=None)
    assert browser.press(f"/{SHOP}/runs/{number}", "Redeploy").url == f"{listening.url}/{SHOP}/runs/{number}"
    for label in ("Redeploy", "Re-run", "Close", "Reopen", "Merge"):
        answer = browser.press(PULL, label)
        assert (answer.status_code, answer.url) == (200, listening.url + PULL)
    pressed = [one for one in told(listening, receiver) if isinstance(one, Rerun)]
    assert [(one.action, one.names) for one in pressed] == [*[("redeploy", (check.name,))] * 2, (RERUN, (check.name,))]


def test_what_ran_before_cannot_be_visited(listening: SandboxForge, browser: Browser, app: App) -> None:
    record, first = as_app(listening, app).record_deployment, listening.tip(SHOP)
    record(deployed(listening, first), known=None)
    assert "View deployment" in browser.look(f"/{SHOP}/commit/{first}")
    record(deployed(listening, listening.merge(SHOP, 1).commit), known=None)
    shown = browser.look(f"/{SHOP}/commit/{first}")
    assert "inactive" in shown
    assert "View deployment" not in shown


def test_a_merge_request_shows_its_notes_and_where_to_look(listening: SandboxForge, browser: Browser) -> None:
    gitlab, commit = client(listening, ForgeKind.GITLAB), listening.merge(TOOLS, 1).commit
    gitlab.comment(TOOLS, 1, marker="preview", body=SUMMARY, known=None)
    gitlab.record_deployment(deployed(listening, commit, TOOLS), known=None)
    shown = browser.look(f"/{TOOLS}/pull/1")
    for piece in ("<h3>2 objects changed</h3>", 'href="https://staging.shop.example.com"', "success"):
        assert piece in shown


def test_a_comment_is_written_and_told(listening: SandboxForge, browser: Browser, receiver: Receiver) -> None:
    browser.press(PULL, "Comment", body="/deploy staging")
    browser.be("mallory")
    browser.press(PULL, "Comment", body="/diff staging")
    commands = [one for one in told(listening, receiver) if isinstance(one, Command)]
    assert [(one.name.value, one.actor) for one in commands] == [("deploy", "ada"), ("diff", "mallory")]
    client(listening, ForgeKind.GITHUB).react(SHOP, 1, comment_id=commands[1].comment_id, reaction=Reaction.CONFUSED)
    shown = browser.look(PULL)
    assert "/deploy staging" in shown
    assert "😕" in shown
    assert "Say something as mallory" in shown


def test_an_empty_comment_is_refused(listening: SandboxForge, browser: Browser) -> None:
    assert browser.press(PULL, "Comment", body=" ").status_code == 409
    assert listening.comments(SHOP, 1) == ()


def test_who_may_not_write_may_not_merge(listening: SandboxForge, browser: Browser) -> None:
    browser.be("mallory")
    assert {"Merge", "Close"}.isdisjoint(browser.buttons(PULL))
    assert "Merge" not in browser.buttons(f"/{SHOP}")
    with Browser(listening.url) as adas:
        answer = browser.send(adas.form(PULL, "Merge"))
    assert answer.status_code == 403
    assert "mallory has no write access" in answer.text
    browser.be("bob")
    browser.press(PULL, "Merge")
    assert "Merged by bob" in browser.look(PULL)


def test_a_request_is_closed_and_opened_again(listening: SandboxForge, browser: Browser, receiver: Receiver) -> None:
    browser.press(PULL, "Close")
    assert "Closed" in browser.look(PULL)
    assert "Everything is merged" in browser.look(f"/{SHOP}")
    browser.press(PULL, "Reopen")
    assert "Merge" in browser.buttons(PULL)
    events = [one for one in told(listening, receiver) if isinstance(one, PullRequestEvent)]
    assert [one.action for one in events] == [PullRequestAction.CLOSED, PullRequestAction.OPENED]


@pytest.mark.parametrize(
    "back",
    [
        "//example.com", "https://example.com", "/\\example.com", "", "\\\\example.com", "/\t/example.com",
        "/\n\\example.com", "\t//example.com", "javascript:alert(1)",
    ],
)  # fmt: skip
def test_switching_leads_nowhere_else(browser: Browser, listening: SandboxForge, back: str) -> None:
    answer = browser.press("/", "Switch", person="bob", back=back)
    assert answer.url == f"{listening.url}/"


def test_switching_leads_back(browser: Browser, listening: SandboxForge) -> None:
    answer = browser.press(PULL, "Switch", person="bob")
    assert answer.url == listening.url + PULL
    assert '<option value="bob" selected>' in answer.text


def test_nobody_can_be_somebody_who_is_not_there(browser: Browser, listening: SandboxForge) -> None:
    assert browser.press("/", "Switch", person="root").status_code == 404
    answer = requests.get(listening.url, cookies={"acting": "root"}, timeout=5)
    assert '<option value="ada" selected>' in answer.text


@pytest.mark.parametrize("path", [f"{PULL}/comments", f"{PULL}/close", f"/{SHOP}/runs/1/press", "/acting"])
def test_a_form_of_another_site_does_nothing(listening: SandboxForge, path: str) -> None:
    answer = requests.post(listening.url + path, data={"body": "/deploy staging", "person": "bob"}, timeout=5)
    assert answer.status_code == 403
    assert listening.comments(SHOP, 1) == ()


def test_a_form_is_outside_of_what_is_refreshed(browser: Browser) -> None:
    """What one is typing must not be replaced while one types it."""
    live = {form.label: form.live for form in browser.forms(PULL)}
    assert live == {"Switch": False, "Merge": True, "Comment": False, "Close": False}
