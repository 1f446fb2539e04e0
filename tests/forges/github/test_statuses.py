from __future__ import annotations

import logging
import time
from dataclasses import replace
from pathlib import Path

import pytest

from deployer.model import CommitStatus, Failure, Stage, StatusState, Temporary
from tests.control_plane import free_port
from tests.forges import trouble
from tests.forges.github.hub import COMMIT, github
from tests.forges.recording import Answer, RecordingForge, Request

STATUS = CommitStatus(
    repository="acme/shop",
    commit=COMMIT,
    context="deploy/staging",
    state=StatusState.SUCCESS,
    description="12 objects, 3 changed, applied in 1.4 s",
    target_url="https://deployer.example.com/deployments/1",
)


def test_posting_a_status_is_one_request_with_the_words_of_github(forge: RecordingForge, token: str) -> None:
    github(forge.url).post(STATUS)
    assert forge.asked == [("POST", f"/repos/acme/shop/statuses/{COMMIT}")]
    assert forge.requests[0].headers["authorization"] == f"token {token}"
    assert forge.requests[0].json == {
        "state": "success",
        "context": "deploy/staging",
        "description": "12 objects, 3 changed, applied in 1.4 s",
        "target_url": "https://deployer.example.com/deployments/1",
    }


def test_github_enterprise_has_its_api_below_a_path(forge: RecordingForge, token: str) -> None:
    github(f"{forge.url}/api/v3").post(STATUS)
    assert forge.asked == [("POST", f"/api/v3/repos/acme/shop/statuses/{COMMIT}")]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (StatusState.PENDING, "pending"),
        (StatusState.SUCCESS, "success"),
        (StatusState.FAILURE, "failure"),
        (StatusState.CANCELED, "failure"),
        (StatusState.ERROR, "error"),
    ],
)
def test_every_state_has_a_word_that_github_knows(
    forge: RecordingForge, token: str, state: StatusState, expected: str
) -> None:
    github(forge.url).post(replace(STATUS, state=state))
    assert forge.requests[0].json["state"] == expected


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ("é" * 140, "é" * 140),
        ("é" * 141, "é" * 139 + "…"),
        ("shipped 🚀 to 数", "shipped \ufffd to 数"),
    ],
)
def test_a_description_is_one_that_github_takes(
    forge: RecordingForge, token: str, description: str, expected: str
) -> None:
    github(forge.url).post(replace(STATUS, description=description))
    assert forge.requests[0].json["description"] == expected


def test_several_statuses_do_not_wait_for_each_other(forge: RecordingForge, token: str) -> None:
    client, begun = github(forge.url), time.monotonic()
    for _ in range(5):
        client.post(STATUS)
    assert len(forge.requests) == 5
    assert time.monotonic() - begun < 3


def test_nothing_in_a_name_leads_to_another_path(forge: RecordingForge, token: str) -> None:
    github(forge.url).post(replace(STATUS, repository="acme/shop?x=#y", commit="../../../user"))
    assert forge.asked == [("POST", "/repos/acme/shop%3Fx%3D%23y/statuses/..%2F..%2F..%2Fuser")]


@pytest.mark.parametrize(("answer", "kind", "words"), trouble.ANSWERS)
def test_an_answer_other_than_yes_is_a_failure_that_says_what_to_do(
    forge: RecordingForge, token: str, answer: Answer, kind: type[Failure], words: str
) -> None:
    forge.answer = answer
    with pytest.raises(kind, match=r"^posting deploy/staging on acme/shop@4f4f4f4f4f4f: GitHub ") as caught:
        github(forge.url, timeout=1).post(STATUS)
    assert words in caught.value.message
    assert caught.value.stage is Stage.REPORT
    assert len(forge.requests) == 1
    assert not trouble.carries(caught.value, token)


@pytest.mark.parametrize(("answer", "wait"), trouble.WAITS)
def test_github_is_asked_again_when_it_wants_and_no_worker_waits_for_it(
    forge: RecordingForge, token: str, answer: Answer, wait: float
) -> None:
    forge.answer, begun = answer, time.monotonic()
    with pytest.raises(Temporary) as caught:
        github(forge.url).post(STATUS)
    assert caught.value.retry_after == wait
    assert len(forge.requests) == 1
    assert time.monotonic() - begun < 5


def test_a_used_up_limit_is_waited_for_until_its_reset(forge: RecordingForge, token: str) -> None:
    limit = {"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{time.time() + 600:.0f}"}
    forge.answer = Answer(403, {"message": "API rate limit exceeded for user ID 1."}, limit)
    with pytest.raises(Temporary, match="API rate limit exceeded") as caught:
        github(forge.url).post(STATUS)
    assert caught.value.retry_after == pytest.approx(600, abs=5)


@pytest.mark.parametrize("value", ["many", "inf", ""])
def test_headers_that_make_no_sense_are_survived(forge: RecordingForge, token: str, value: str) -> None:
    forge.answer = Answer(500, {}, {f"X-RateLimit-{name}": value for name in ("Limit", "Remaining", "Reset")})
    with pytest.raises(Temporary):
        github(forge.url).post(STATUS)


def test_a_repository_that_was_renamed_is_followed_on_the_same_host(
    forge: RecordingForge, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    def moved(request: Request) -> Answer:
        old = "acme/shop" in request.path
        return Answer(301, {}, {"Location": f"{forge.url}/repositories/7/statuses/{COMMIT}"}) if old else Answer(201)

    forge.answer = moved
    github(forge.url).post(STATUS)
    assert forge.asked[1] == ("POST", f"/repositories/7/statuses/{COMMIT}")
    assert caplog.text == ""


def test_a_redirect_to_another_host_gets_no_token(forge: RecordingForge, token: str) -> None:
    with RecordingForge() as elsewhere:
        forge.answer = Answer(301, {}, {"Location": elsewhere.url.replace("127.0.0.1", "localhost") + "/repos"})
        with pytest.raises(Failure, match="check api_url"):
            github(forge.url).post(STATUS)
        assert elsewhere.requests == []


def test_a_port_where_nobody_listens_is_temporary(token: str) -> None:
    with pytest.raises(Temporary, match="GitHub cannot be reached: Connection refused"):
        github(f"http://127.0.0.1:{free_port()}").post(STATUS)


def test_a_forge_that_repeats_the_token_does_not_bring_it_into_a_message(forge: RecordingForge, token: str) -> None:
    forge.answer = Answer(422, {"message": f"Authorization: token {token} is odd"})
    with pytest.raises(Failure, match=r"Authorization: token \[redacted\] is odd") as caught:
        github(forge.url).post(STATUS)
    assert not trouble.carries(caught.value, token)


def test_the_token_is_in_no_log_and_no_representation(
    forge: RecordingForge, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    forge.answer = Answer(201, {"login": "deploy-bot"})
    client = github(forge.url)
    client.post(STATUS)
    client.check()
    assert token not in caplog.text + repr(client)


def test_a_netrc_does_not_replace_the_token(
    forge: RecordingForge, token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    github(forge.url).post(STATUS)
    assert forge.requests[0].headers["authorization"] == f"token {token}"


def test_a_proxy_in_the_environment_is_used(forge: RecordingForge, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", forge.url)
    github("http://github.invalid/api/v3").post(STATUS)
    assert forge.asked == [("POST", f"http://github.invalid:80/api/v3/repos/acme/shop/statuses/{COMMIT}")]


def test_git_gets_the_token_without_any_request(forge: RecordingForge, token: str) -> None:
    assert github(forge.url).credential("acme/shop") == ("x-access-token", token)
    assert forge.requests == []


def test_a_check_says_who_the_token_belongs_to(forge: RecordingForge, token: str) -> None:
    forge.answer = Answer(200, {"login": "deploy-bot"})
    assert github(forge.url).check() == "GitHub user deploy-bot"
    assert forge.asked == [("GET", "/user")]


@pytest.mark.parametrize("body", [{}, {"login": None}, {"login": ["x"]}])
def test_a_check_does_not_believe_an_answer_without_a_name(forge: RecordingForge, token: str, body: object) -> None:
    forge.answer = Answer(200, body)
    with pytest.raises(Temporary, match="not its API's"):
        github(forge.url).check()
