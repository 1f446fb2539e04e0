"""The front door: verified first, then read; nothing but its own three exceptions comes out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from werkzeug.datastructures import EnvironHeaders

from deployer.model import ForgeKind, Merge
from deployer.webhooks.receive import Malformed, UnsupportedMediaType, Unverified, interpret
from tests.webhooks.deliveries import NOW, PAYLOADS, Recorded, github_proof, recorded, standard_proof
from tests.webhooks.door import KEY, SECRET, let_in, proof, send

GITHUB_PUSH = recorded("github_push")
GITLAB_PUSH = recorded("gitlab_push")
PUSHES = pytest.mark.parametrize("push", [GITHUB_PUSH, GITLAB_PUSH], ids=["github", "gitlab"])


@pytest.mark.parametrize("name", sorted(path.stem for path in PAYLOADS.glob("*.json")))
def test_every_recorded_delivery_gets_in_and_can_be_replayed_from_what_is_kept(name: str) -> None:
    delivery = recorded(name)
    received = send(delivery)
    assert interpret(delivery.kind, dict(received.kept_headers), delivery.body) == received.event


def test_the_recorded_merges_are_merges() -> None:
    merges = {path.stem for path in PAYLOADS.glob("*.json") if isinstance(send(recorded(path.stem)).event, Merge)}
    assert merges == {
        "github_push",
        "github_pull_request_merged",
        "gitlab_push",
        "gitlab_merge_request_merge_commit",
        "gitlab_merge_request_squash_merge_commit",
        "gitlab_merge_request_squash_fast_forward",
        "gitlab_merge_request_fast_forward",
    }


def test_a_gitlab_token_alone_gets_in() -> None:
    headers = {**GITLAB_PUSH.headers, "X-Gitlab-Token": SECRET.decode()}
    assert isinstance(let_in(ForgeKind.GITLAB, headers, GITLAB_PUSH.body).event, Merge)


def test_header_names_may_be_in_any_case_and_come_from_wsgi() -> None:
    headers = {**GITHUB_PUSH.headers, **proof(ForgeKind.GITHUB, GITHUB_PUSH.body)}
    environ = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    environ["CONTENT_TYPE"] = environ.pop("HTTP_CONTENT_TYPE")
    for same in (dict(EnvironHeaders(environ)), {name.swapcase(): value for name, value in headers.items()}):
        assert let_in(ForgeKind.GITHUB, same, GITHUB_PUSH.body) == send(GITHUB_PUSH)


@pytest.mark.parametrize(
    "body", [b"", b"[" * 200_000, b"\xff", GITHUB_PUSH.body], ids=["empty", "deep", "binary", "good"]
)
@pytest.mark.parametrize("content_type", ["application/json", "text/plain"])
@pytest.mark.parametrize("kind", ForgeKind)
def test_without_proof_the_answer_is_the_same_whatever_the_body(
    kind: ForgeKind, content_type: str, body: bytes
) -> None:
    for event in ("ping", "push", "Push Hook"):
        with pytest.raises(Unverified) as refused:
            let_in(kind, {"Content-Type": content_type, "X-GitHub-Event": event, "X-Gitlab-Event": event}, body)
        assert refused.value.status == 401


@PUSHES
def test_a_signed_body_of_another_kind_is_refused_as_such(push: Recorded) -> None:
    with pytest.raises(UnsupportedMediaType) as refused:
        send(push.with_headers(Content_Type="text/plain"))
    assert refused.value.status == 415


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"null", b"\xff", b"[" * 200_000, b'{"ref": NaN}'])
@PUSHES
def test_a_signed_body_that_is_no_push_is_malformed(push: Recorded, body: bytes) -> None:
    with pytest.raises(Malformed) as refused:
        let_in(push.kind, {**push.headers, **proof(push.kind, body)}, body)
    assert refused.value.status == 400


def test_a_proof_for_one_forge_is_none_for_the_other() -> None:
    for kind, other in ((ForgeKind.GITHUB, ForgeKind.GITLAB), (ForgeKind.GITLAB, ForgeKind.GITHUB)):
        with pytest.raises(Unverified):
            let_in(kind, {**GITHUB_PUSH.headers, **proof(other, GITHUB_PUSH.body)}, GITHUB_PUSH.body)


def test_time_is_the_callers() -> None:
    headers = {**GITLAB_PUSH.headers, **proof(ForgeKind.GITLAB, GITLAB_PUSH.body)}
    assert let_in(ForgeKind.GITLAB, headers, GITLAB_PUSH.body, now=NOW + timedelta(minutes=4))
    with pytest.raises(Unverified):
        let_in(ForgeKind.GITLAB, headers, GITLAB_PUSH.body, now=NOW + timedelta(minutes=6))


class TestDeliveryId:
    def test_is_the_one_that_github_shows(self) -> None:
        assert send(GITHUB_PUSH).delivery_id == GITHUB_PUSH.headers["X-GitHub-Delivery"]

    @pytest.mark.parametrize("missing", [0, 1, 2, 3])
    def test_is_the_best_that_gitlab_sends(self, missing: int) -> None:
        names = ["Idempotency-Key", "webhook-id", "X-Gitlab-Event-UUID"]
        headers = {name: f"id-{name}" for name in names[missing:]}
        rest = {name: value for name, value in GITLAB_PUSH.headers.items() if name not in names}
        received = let_in(ForgeKind.GITLAB, {**rest, **headers, "X-Gitlab-Token": SECRET.decode()}, GITLAB_PUSH.body)
        if missing < len(names):
            assert received.delivery_id == f"id-{names[missing]}"
        else:
            assert received.delivery_id.startswith("sha256:")

    def test_of_github_comes_with_the_webhook_that_sent_it(self) -> None:
        assert send(GITHUB_PUSH.with_headers(X_GitHub_Hook_ID="292430182")).sender == "292430182"
        assert send(GITHUB_PUSH.with_headers(X_GitHub_Hook_ID="")).sender == ""

    def test_is_otherwise_the_same_for_the_same_body_and_another_for_another(self) -> None:
        first, again, other = (
            send(delivery.with_headers(X_GitHub_Delivery="")).delivery_id
            for delivery in (GITHUB_PUSH, GITHUB_PUSH, recorded("github_ping"))
        )
        assert first == again != other

    @pytest.mark.parametrize("value", ["a b", "a/b", "../x", "-x", "x" * 129, "ä", "a\nb", "\ud800", "*"])
    def test_that_is_no_id_is_malformed(self, value: str) -> None:
        with pytest.raises(Malformed, match="x-github-delivery"):
            send(GITHUB_PUSH.with_headers(X_GitHub_Delivery=value))


class TestKeptHeaders:
    @PUSHES
    def test_are_those_that_say_what_it_is(self, push: Recorded) -> None:
        kept = dict(send(push).kept_headers)
        wanted = {name.lower() for name in push.headers} - {"accept"}
        assert wanted <= set(kept)
        assert kept["content-type"] == "application/json"

    def test_never_hold_a_proof_or_anything_unknown(self) -> None:
        private = {"X-Gitlab-Token": SECRET.decode(), "X-Hub-Signature": "sha1=0", "X-Api-Key": "k"}
        private |= {"Authorization": "Bearer t", "Cookie": "c=1", **github_proof(SECRET, GITLAB_PUSH.body)}
        headers = {**GITLAB_PUSH.headers, **standard_proof(KEY, GITLAB_PUSH.body), **private}
        kept = let_in(ForgeKind.GITLAB, headers, GITLAB_PUSH.body).kept_headers
        assert not {name.lower() for name in private} & {name for name, _ in kept}
        assert "webhook-signature" not in dict(kept)
        assert SECRET.decode() not in repr(kept)

    def test_are_short_and_print(self) -> None:
        kept = dict(send(GITHUB_PUSH.with_headers(User_Agent="\x1b[2J" + "x" * 9000)).kept_headers)
        assert len(kept["user-agent"]) == 256
        assert kept["user-agent"].isprintable()


def best_time(call: Callable[[], object], *, runs: int = 200) -> float:
    """The least seconds of many runs: what the code needs when nothing else is going on."""

    def once() -> float:
        start = time.perf_counter()
        call()
        return time.perf_counter() - start

    return min(once() for _ in range(runs))


@PUSHES
def test_a_push_of_28_kilobytes_takes_less_than_a_millisecond(push: Recorded) -> None:
    commit = push.payload["commits"][0]
    count = 1 + (28 * 1024 - len(push.body)) // len(json.dumps(commit, separators=(",", ":")))
    big = push.changed(lambda payload: payload["commits"].extend([commit] * count))
    assert len(big.body) >= 28 * 1024
    headers, body = {**big.headers, **proof(big.kind, big.body)}, big.body
    assert best_time(lambda: let_in(big.kind, headers, body)) < 0.001
