"""The pages, as a browser asks for them and as another site would abuse them."""

from __future__ import annotations

import re
import secrets

import pytest
import requests

from deployer.model import ForgeKind
from deployer.sandbox.forge import PullRequest, SandboxForge
from tests.sandbox.forge.conftest import SHOP, TOOLS
from tests.sandbox.forge.receiver import Receiver

WARNING = "Sandbox forge: for trying and testing only"


@pytest.fixture
def pull(forge: SandboxForge) -> PullRequest:
    return forge.open_pull_request(SHOP, "Raise", branch="raise", changes={"replicas": "3\n"}, author="ada")


def page(forge: SandboxForge, path: str) -> str:
    answer = requests.get(forge.url + path, timeout=5)
    assert answer.status_code == 200
    return answer.text


def click(forge: SandboxForge, shown: str, action: str) -> requests.Response:
    """Send the form of the page that goes to `action`, with what is in it."""
    form = re.search(rf'action="{re.escape(action)}">(.*?)</form>', shown, re.DOTALL)
    assert form is not None
    fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form[1])
    return requests.post(forge.url + action, data=dict(fields), timeout=5)


def say(forge: SandboxForge, state: str, context: str, *, description: str, target_url: str | None = None) -> None:
    requests.post(
        f"{forge.api_url(ForgeKind.GITHUB)}/repos/{SHOP}/statuses/{forge.tip(SHOP)}",
        headers={"Authorization": f"Bearer {forge.token}"},
        json={"state": state, "context": context, "description": description, "target_url": target_url},
        timeout=5,
    ).raise_for_status()


def test_every_page_says_what_it_is_for(forge: SandboxForge, pull: PullRequest) -> None:
    for path in ("/", f"/{SHOP}", f"/{TOOLS}", f"/{SHOP}/pull/1", f"/{SHOP}/commit/{forge.tip(SHOP)}"):
        assert WARNING in page(forge, path)
    assert WARNING in requests.get(f"{forge.url}/acme/none", timeout=5).text


def test_the_start_lists_the_repositories(quiet_forge: SandboxForge) -> None:
    shown = page(quiet_forge, "/")
    assert f'href="/{SHOP}"' in shown
    assert f'href="/{TOOLS}"' in shown


def test_a_repository_shows_its_commits_with_their_checks(forge: SandboxForge) -> None:
    say(forge, "success", "deploy/staging", description="6 objects", target_url="http://127.0.0.1:1/deployments/1")
    say(forge, "failure", "deploy/production", description="render: no such file")
    say(forge, "pending", "drift/staging", description="looking")
    shown = page(forge, f"/{SHOP}")
    assert forge.tip(SHOP)[:8] in shown
    assert "Initial commit" in shown
    for piece in ("✔", "✘", "●", "deploy/staging", "6 objects", "render: no such file"):
        assert piece in shown
    assert 'href="http://127.0.0.1:1/deployments/1"' in shown


def test_the_merge_button_merges_for_real_and_tells(forge: SandboxForge, receiver: Receiver, pull: PullRequest) -> None:
    forge.add_webhook(SHOP, receiver.url, secret=secrets.token_hex(8))
    before = forge.tip(SHOP)
    answer = click(forge, page(forge, f"/{SHOP}"), f"/{SHOP}/pull/1/merge")
    assert (answer.status_code, answer.url) == (200, f"{forge.url}/{SHOP}")
    assert "Merge pull request #1 from acme/raise" in answer.text
    assert forge.tip(SHOP) != before
    assert forge.settle()
    assert len(receiver.named("pull_request")) == 1
    shown = page(forge, f"/{SHOP}")
    assert "Everything is merged" in shown
    assert "202 in" in shown


def test_a_pull_request_shows_its_diff_and_then_that_it_is_merged(forge: SandboxForge, pull: PullRequest) -> None:
    shown = page(forge, f"/{SHOP}/pull/1")
    assert '<div class="file">replicas</div>' in shown
    assert '<div class="removed">-2</div>' in shown
    assert '<div class="added">+3</div>' in shown
    click(forge, shown, f"/{SHOP}/pull/1/merge")
    shown = page(forge, f"/{SHOP}/pull/1")
    assert "Merged by ada" in shown
    assert "/merge" not in shown


def test_the_diff_of_a_merge_is_what_it_brought(forge: SandboxForge, pull: PullRequest) -> None:
    landing = forge.merge(SHOP, 1)
    shown = page(forge, f"/{SHOP}/commit/{landing.commit}")
    assert '<div class="added">+3</div>' in shown
    assert "README.md" not in shown


def test_the_first_commit_has_a_diff(quiet_forge: SandboxForge) -> None:
    assert '<div class="added">+# shop</div>' in page(quiet_forge, f"/{SHOP}/commit/{quiet_forge.tip(SHOP)}")


def test_a_conflict_is_said(forge: SandboxForge, pull: PullRequest) -> None:
    after = forge.push(SHOP, {"replicas": "9\n"}, message="Meanwhile")
    answer = click(forge, page(forge, f"/{SHOP}/pull/1"), f"/{SHOP}/pull/1/merge")
    assert answer.status_code == 409
    assert "conflict in replicas; rebase the branch" in answer.text
    assert forge.tip(SHOP) == after


def test_a_merge_request_of_a_subgroup_is_merged(forge: SandboxForge) -> None:
    forge.open_pull_request(TOOLS, "More", branch="more", changes={"more": "x"}, author="ada")
    shown = page(forge, f"/{TOOLS}")
    assert "Open merge requests" in shown
    assert "See merge request" in page(forge, f"/{TOOLS}/commit/{click_and_tip(forge, shown)}")


def click_and_tip(forge: SandboxForge, shown: str) -> str:
    assert click(forge, shown, f"/{TOOLS}/pull/1/merge").status_code == 200
    return forge.tip(TOOLS)


def test_a_delivery_is_sent_again_from_the_page(forge: SandboxForge, receiver: Receiver) -> None:
    forge.add_webhook(SHOP, receiver.url, secret=secrets.token_hex(8))
    assert forge.settle()
    (ping,) = forge.deliveries(SHOP)
    click(forge, page(forge, f"/{SHOP}"), f"/{SHOP}/deliveries/{ping.id}")
    assert forge.settle()
    assert len(receiver.requests) == 2
    assert "sent 2 times" in page(forge, f"/{SHOP}")


@pytest.mark.parametrize("data", [{}, {"form_token": ""}, {"form_token": "x"}, {"form_token": "é"}])
def test_a_form_of_another_site_changes_nothing(forge: SandboxForge, pull: PullRequest, data: dict[str, str]) -> None:
    answer = requests.post(f"{forge.url}/{SHOP}/pull/1/merge", data=data, timeout=5)
    assert answer.status_code == 403
    assert not forge.pull_requests(SHOP)[0].merged


def test_a_merge_is_not_done_by_a_link(forge: SandboxForge, pull: PullRequest) -> None:
    assert requests.get(f"{forge.url}/{SHOP}/pull/1/merge", timeout=5).status_code == 404
    assert not forge.pull_requests(SHOP)[0].merged


def test_markup_in_what_people_write_is_shown_as_it_is(forge: SandboxForge) -> None:
    evil = "<script>alert(1)</script>"
    forge.open_pull_request(SHOP, evil, branch="evil", changes={"README.md": evil, "'<b>.txt": "x"}, author="ada'&amp;")
    say(forge, "success", "<b>context</b>", description="<img src=x onerror=alert(1)>")
    paths = ("/", f"/{SHOP}", f"/{SHOP}/pull/1", f"/{SHOP}/commit/{forge.tip(SHOP)}")
    shown = "".join(page(forge, path) for path in paths)
    assert "<script>alert" not in shown
    assert "<img" not in shown
    assert "<b>" not in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown


def test_pages_run_their_own_script_only(quiet_forge: SandboxForge) -> None:
    answer = requests.get(f"{quiet_forge.url}/{SHOP}", timeout=5)
    policy = answer.headers["Content-Security-Policy"]
    nonce = re.search(r"'nonce-([^']+)'", policy)
    assert nonce is not None
    assert f'<script nonce="{nonce[1]}">' in answer.text
    assert "default-src 'none'" in policy
    assert nonce[1] not in page(quiet_forge, f"/{SHOP}")


def test_nothing_is_loaded_from_elsewhere(forge: SandboxForge, pull: PullRequest) -> None:
    shown = "".join(page(forge, path) for path in ("/", f"/{SHOP}", f"/{SHOP}/pull/1", "/static/style.css"))
    assert re.findall(r'(?:src|href)="(?!/)[^"]*"|url\(|@import', shown) == []


@pytest.mark.parametrize(
    "path",
    [
        "/acme/none",
        "/acme",
        "/nothing",
        f"/{SHOP}/pull/7",
        f"/{SHOP}/commit/{'0' * 40}",
        f"/{SHOP}/commit/--all",
        "/%00",
        "/../etc",
    ],
)
def test_what_is_not_there_is_not_found(quiet_forge: SandboxForge, path: str) -> None:
    assert requests.get(quiet_forge.url + path, timeout=5).status_code == 404


def test_a_long_diff_is_cut(forge: SandboxForge) -> None:
    forge.push(SHOP, {"long": "x\n" * 5000}, message="Long")
    shown = page(forge, f"/{SHOP}/commit/{forge.tip(SHOP)}")
    assert "… and more" in shown
    assert shown.count("+x") < 2001
