"""What the forge sends, as a real receiver gets it, and as the deployer's own front door understands it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook as StandardWebhook

from deployer.model import Event, ForgeKind, Ignored, Merge, PullRequestAction, PullRequestEvent
from deployer.sandbox.forge import Invalid, MergeMethod, NotFound, SandboxForge
from deployer.webhooks.receive import Unverified, receive
from tests.sandbox.forge.conftest import SHOP, TOOLS
from tests.sandbox.forge.receiver import Receiver, Request


@dataclass(frozen=True)
class Keys:
    secret: str
    signing: str


@pytest.fixture
def keys() -> Keys:
    return Keys(secrets.token_hex(16), "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode())


@pytest.fixture
def hooked(forge: SandboxForge, receiver: Receiver, keys: Keys) -> SandboxForge:
    """The forge with a pull request open in each repository, and a webhook on each."""
    forge.open_pull_request(SHOP, "Raise", branch="raise", changes={"replicas": "3\n", "new": "x\n"}, author="ada")
    forge.open_pull_request(TOOLS, "More", branch="more", changes={"more": "x\n"}, author="grace")
    forge.add_webhook(SHOP, receiver.url, secret=keys.secret)
    forge.add_webhook(TOOLS, receiver.url, secret=keys.secret, signing_secret=keys.signing)
    assert forge.settle()
    return forge


def merge(forge: SandboxForge, repository: str, method: MergeMethod = MergeMethod.MERGE) -> str:
    landing = forge.merge(repository, 1, method=method)
    assert forge.settle()
    return landing.commit


def understood(request: Request, kind: ForgeKind, keys: Keys) -> Event:
    return receive(
        kind, request.headers, request.body, webhook_secrets=[keys.secret.encode()],
        signing_secrets=[keys.signing.encode()] if kind is ForgeKind.GITLAB else [], now=datetime.now(UTC),
    ).event  # fmt: skip


def body(request: Request) -> Mapping[str, Any]:
    payload: Mapping[str, Any] = json.loads(request.body)
    return payload


def test_github_says_ping_first(hooked: SandboxForge, receiver: Receiver, keys: Keys) -> None:
    (ping,) = receiver.requests
    assert ping.headers["X-GitHub-Event"] == "ping"
    assert isinstance(understood(ping, ForgeKind.GITHUB, keys), Ignored)
    assert keys.secret.encode() not in ping.body


def test_a_github_merge_is_told_twice_and_signed(hooked: SandboxForge, receiver: Receiver, keys: Keys) -> None:
    commit = merge(hooked, SHOP)
    (closed,), (push,) = receiver.named("pull_request"), receiver.named("push")
    for request in (closed, push):
        mac = hmac.new(keys.secret.encode(), request.body, hashlib.sha256).hexdigest()
        assert request.headers["X-Hub-Signature-256"] == f"sha256={mac}"
        assert request.headers["Content-Type"] == "application/json"
        assert uuid.UUID(request.headers["X-GitHub-Delivery"])
    assert closed.headers["X-GitHub-Delivery"] != push.headers["X-GitHub-Delivery"]
    merged = understood(closed, ForgeKind.GITHUB, keys)
    assert merged == Merge(SHOP, "main", commit, actor="ada", title="#1 Raise", number=1)
    pushed = understood(push, ForgeKind.GITHUB, keys)
    assert isinstance(pushed, Merge)
    assert (pushed.commit, pushed.branch) == (commit, "main")


def test_a_github_merge_carries_what_github_documents(hooked: SandboxForge, receiver: Receiver) -> None:
    before = hooked.tip(SHOP)
    commit = merge(hooked, SHOP)
    payload = body(receiver.named("pull_request")[0])
    pull = payload["pull_request"]
    assert (payload["action"], payload["number"], payload["sender"]["login"]) == ("closed", 1, "ada")
    assert (pull["merged"], pull["state"], pull["merge_commit_sha"]) == (True, "closed", commit)
    assert (pull["merged_by"]["login"], pull["user"]["login"]) == ("ada", "ada")
    assert (pull["base"]["ref"], pull["base"]["sha"], pull["head"]["ref"]) == ("main", before, "raise")
    assert pull["head"]["sha"] == hooked.tip(SHOP, "raise")
    assert payload["repository"]["full_name"] == pull["base"]["repo"]["full_name"] == SHOP


def test_a_github_push_lists_its_commits_oldest_first(hooked: SandboxForge, receiver: Receiver) -> None:
    before = hooked.tip(SHOP)
    commit = merge(hooked, SHOP)
    payload = body(receiver.named("push")[0])
    assert (payload["before"], payload["after"], payload["ref"]) == (before, commit, "refs/heads/main")
    assert (payload["created"], payload["deleted"], payload["forced"]) == (False, False, False)
    assert [one["id"] for one in payload["commits"]] == [hooked.tip(SHOP, "raise"), commit]
    assert payload["head_commit"]["id"] == commit
    first = payload["commits"][0]
    assert (first["added"], first["modified"], first["removed"]) == (["new"], ["replicas"], [])


def test_a_gitlab_merge_is_told_twice_and_proved_twice(hooked: SandboxForge, receiver: Receiver, keys: Keys) -> None:
    commit = merge(hooked, TOOLS)
    (merged,), (push,) = receiver.named("Merge Request Hook"), receiver.named("Push Hook")
    for request in (merged, push):
        assert request.headers["X-Gitlab-Token"] == keys.secret
        assert request.headers["webhook-id"] == request.headers["Idempotency-Key"]
        assert uuid.UUID(request.headers["X-Gitlab-Event-UUID"])
        StandardWebhook(keys.signing).verify(request.body, request.headers)
    meant = Merge(TOOLS, "main", commit, actor="ada", title="!1 More", number=1)
    assert understood(merged, ForgeKind.GITLAB, keys) == meant
    pushed = understood(push, ForgeKind.GITLAB, keys)
    assert isinstance(pushed, Merge)
    assert pushed.commit == commit


@pytest.mark.parametrize("method", list(MergeMethod))
@pytest.mark.parametrize("repository", [SHOP, TOOLS])
def test_every_method_names_the_new_tip(
    hooked: SandboxForge, receiver: Receiver, keys: Keys, repository: str, method: MergeMethod
) -> None:
    commit = merge(hooked, repository, method)
    if repository == SHOP:
        found = understood(receiver.named("pull_request")[0], ForgeKind.GITHUB, keys)
    else:
        found = understood(receiver.named("Merge Request Hook")[0], ForgeKind.GITLAB, keys)
    assert isinstance(found, Merge)
    assert found.commit == commit == hooked.tip(repository)


def test_gitlab_names_the_result_of_each_method_in_a_field_of_its_own(hooked: SandboxForge, receiver: Receiver) -> None:
    commit = merge(hooked, TOOLS, MergeMethod.SQUASH)
    attributes = body(receiver.named("Merge Request Hook")[0])["object_attributes"]
    assert (attributes["merge_commit_sha"], attributes["squash_commit_sha"]) == (None, commit)
    assert (attributes["action"], attributes["state"], attributes["iid"]) == ("merge", "merged", 1)


def test_without_a_signing_secret_gitlab_sends_the_token_only(
    forge: SandboxForge, receiver: Receiver, keys: Keys
) -> None:
    forge.add_webhook(TOOLS, receiver.url, secret=keys.secret)
    forge.push(TOOLS, {"a": "b"}, message="x")
    assert forge.settle()
    (push,) = receiver.requests
    assert "webhook-signature" not in push.headers


def test_a_request_is_told_with_the_push_of_its_branch(hooked: SandboxForge, receiver: Receiver, keys: Keys) -> None:
    receiver.requests.clear()
    for name in (SHOP, TOOLS):
        hooked.open_pull_request(name, "Other", branch="other", changes={"o": "o"}, author="ada")
    assert hooked.settle()
    (opened,), (requested,) = receiver.named("pull_request"), receiver.named("Merge Request Hook")
    for request, kind, name in ((opened, ForgeKind.GITHUB, SHOP), (requested, ForgeKind.GITLAB, TOOLS)):
        assert understood(request, kind, keys) == PullRequestEvent(
            name, 2, "main", hooked.tip(name, "other"), PullRequestAction.OPENED, from_fork=False, draft=False,
            title="Other", actor="ada",
        )  # fmt: skip
    (created,) = receiver.named("push")
    assert (body(created)["created"], body(created)["before"]) == (True, "0" * 40)
    assert len(body(created)["commits"]) == 1
    pushed = understood(created, ForgeKind.GITHUB, keys)
    assert isinstance(pushed, Merge)
    assert pushed.branch == "other"


def test_another_secret_does_not_open_the_door(hooked: SandboxForge, receiver: Receiver) -> None:
    wrong = Keys(secrets.token_hex(16), "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode())
    merge(hooked, SHOP)
    with pytest.raises(Unverified):
        understood(receiver.named("push")[0], ForgeKind.GITHUB, wrong)


def test_a_delivery_remembers_its_answer(hooked: SandboxForge, receiver: Receiver, keys: Keys) -> None:
    receiver.status = 503
    merge(hooked, SHOP)
    ping, closed, push = hooked.deliveries(SHOP)
    assert [one.event for one in (ping, closed, push)] == ["ping", "pull_request", "push"]
    assert [one.attempts[-1].status for one in (ping, closed, push)] == [202, 503, 503]
    assert (ping.delivered, push.delivered) == (True, False)
    assert ping.attempts[0].answer == '{"result": "accepted"}'
    assert keys.secret not in repr(hooked.deliveries(SHOP))


def test_nothing_is_tried_again_by_itself(hooked: SandboxForge, receiver: Receiver) -> None:
    receiver.status = 503
    merge(hooked, SHOP)
    assert len(receiver.named("push")) == 1


@pytest.mark.parametrize(
    ("repository", "header"), [(SHOP, "X-GitHub-Delivery"), (TOOLS, "Idempotency-Key"), (TOOLS, "webhook-id")]
)
def test_a_redelivery_has_the_same_id_and_body(
    hooked: SandboxForge, receiver: Receiver, keys: Keys, repository: str, header: str
) -> None:
    merge(hooked, repository)
    first = receiver.requests[-1]
    delivery = hooked.deliveries(repository)[-1]
    hooked.redeliver(repository, delivery.id)
    assert hooked.settle()
    again = receiver.requests[-1]
    assert again is not first
    assert (again.headers[header], again.body) == (first.headers[header], first.body)
    assert [one.status for one in hooked.deliveries(repository)[-1].attempts] == [202, 202]
    assert isinstance(understood(again, ForgeKind.GITHUB if repository == SHOP else ForgeKind.GITLAB, keys), Merge)


def test_a_delivery_that_was_not_made_cannot_be_sent_again(hooked: SandboxForge) -> None:
    with pytest.raises(NotFound, match="no delivery"):
        hooked.redeliver(SHOP, str(uuid.uuid4()))


def test_a_receiver_that_is_away_is_remembered(forge: SandboxForge, keys: Keys) -> None:
    forge.add_webhook(SHOP, "http://127.0.0.1:1/webhooks/forge", secret=keys.secret)
    assert forge.settle()
    (attempt,) = forge.deliveries(SHOP)[0].attempts
    assert attempt.status is None
    assert "refused" in attempt.answer


def test_a_redirect_is_not_followed(forge: SandboxForge, receiver: Receiver, keys: Keys) -> None:
    receiver.status = 307
    forge.add_webhook(SHOP, receiver.url, secret=keys.secret)
    assert forge.settle()
    assert len(receiver.requests) == 1
    assert forge.deliveries(SHOP)[0].attempts[0].status == 307


def test_a_merge_does_not_wait_for_the_receiver(hooked: SandboxForge, receiver: Receiver) -> None:
    receiver.open.clear()
    hooked.merge(SHOP, 1)
    assert not hooked.settle(0.05)
    assert hooked.deliveries(SHOP)[-1].attempts == ()
    receiver.open.set()
    assert hooked.settle()
    assert hooked.deliveries(SHOP)[-1].delivered


def test_a_receiver_that_does_not_answer_is_given_up(
    forge: SandboxForge, receiver: Receiver, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deployer.sandbox.forge.webhooks.TIMEOUT", 0.1)
    receiver.open.clear()
    forge.add_webhook(SHOP, receiver.url, secret=keys.secret)
    assert forge.settle()
    (attempt,) = forge.deliveries(SHOP)[0].attempts
    assert (attempt.status, attempt.answer) == (None, "timed out")


@pytest.mark.parametrize(
    "url",
    [
        "http://192.0.2.1/hook", "http://example.com/hook", "https://127.0.0.1/hook", "file:///etc/passwd", "",
        "http://127.0.0.1.example.com/", "http://127.0.0.1@example.com/", "http://127.0.0.1:99999/", "http://[bad/",
        "http://127.0.0.1/ü",
    ],
)  # fmt: skip
def test_a_webhook_goes_to_loopback_only(quiet_forge: SandboxForge, url: str) -> None:
    with pytest.raises(Invalid, match="url"):
        quiet_forge.add_webhook(SHOP, url, secret=secrets.token_hex(8))
    assert quiet_forge.deliveries(SHOP) == ()


@pytest.mark.parametrize("secret", ["", "a\nb", "ü"])
def test_a_secret_that_no_header_could_carry_is_refused(quiet_forge: SandboxForge, secret: str) -> None:
    with pytest.raises(Invalid, match="secret"):
        quiet_forge.add_webhook(TOOLS, "http://127.0.0.1:1/", secret=secret)


@pytest.mark.parametrize("signing_secret", ["", "whsec_", "abc", "whsec_!!!", "other_YWJj"])
def test_a_signing_secret_that_is_none_is_refused(quiet_forge: SandboxForge, signing_secret: str) -> None:
    with pytest.raises(Invalid, match="whsec_ and then Base64"):
        quiet_forge.add_webhook(
            TOOLS, "http://127.0.0.1:1/", secret=secrets.token_hex(8), signing_secret=signing_secret
        )


def test_the_signature_is_of_the_moment_it_is_sent(hooked: SandboxForge, receiver: Receiver, keys: Keys) -> None:
    merge(hooked, TOOLS)
    request = receiver.named("Push Hook")[0]
    assert abs(int(request.headers["webhook-timestamp"]) - time.time()) < 30
    with pytest.raises(Unverified):
        receive(
            ForgeKind.GITLAB, request.headers, request.body, webhook_secrets=[],
            signing_secrets=[keys.signing.encode()], now=datetime.now(UTC) + timedelta(minutes=6),
        )  # fmt: skip
