from __future__ import annotations

import logging
import time
from dataclasses import replace
from pathlib import Path

import pytest

from deployer.model import CommitStatus, Failure, Permanent, Stage, StatusState, Temporary
from tests.control_plane import free_port
from tests.forges import trouble
from tests.forges.gitlab.lab import COMMIT, PROJECT, gitlab
from tests.forges.recording import Answer, RecordingForge

STATUS = CommitStatus(
    repository="group/sub/project",
    commit=COMMIT,
    context="deploy/staging",
    state=StatusState.SUCCESS,
    description="12 objects, 3 changed, applied in 1.4 s",
    target_url="https://deployer.example.com/deployments/1",
)
PATH = f"{PROJECT}/statuses/{COMMIT}"


def refusal(event: str, state: str) -> Answer:
    reason = f'Cannot transition status via :{event} from :{state} (Reason(s): Status cannot transition via "{event}")'
    return Answer(400, {"message": reason})


def test_posting_a_status_is_one_request_with_the_words_of_gitlab(forge: RecordingForge, token: str) -> None:
    gitlab(forge.url).post(STATUS)
    assert forge.asked == [("POST", PATH)]
    assert forge.requests[0].headers["private-token"] == token
    assert forge.requests[0].json == {
        "state": "success",
        "name": "deploy/staging",
        "description": "12 objects, 3 changed, applied in 1.4 s",
        "target_url": "https://deployer.example.com/deployments/1",
    }


def test_gitlab_below_a_path_is_found_there(forge: RecordingForge, token: str) -> None:
    gitlab(f"{forge.url}/gitlab").post(STATUS)
    assert forge.asked == [("POST", f"/gitlab{PATH}")]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (StatusState.PENDING, "pending"),
        (StatusState.SUCCESS, "success"),
        (StatusState.FAILURE, "failed"),
        (StatusState.CANCELED, "canceled"),
        (StatusState.ERROR, "canceled"),
    ],
)
def test_every_state_has_a_word_that_gitlab_knows(
    forge: RecordingForge, token: str, state: StatusState, expected: str
) -> None:
    gitlab(forge.url).post(replace(STATUS, state=state))
    assert forge.requests[0].json["state"] == expected


def test_a_status_names_its_branch_if_it_is_known(forge: RecordingForge, token: str) -> None:
    gitlab(forge.url).post(replace(STATUS, branch="main"))
    assert forge.requests[0].json["ref"] == "main"


def test_a_description_has_255_characters_of_any_kind(forge: RecordingForge, token: str) -> None:
    gitlab(forge.url).post(replace(STATUS, description="🚀" * 256))
    assert forge.requests[0].json["description"] == "🚀" * 254 + "…"


@pytest.mark.parametrize(
    ("state", "answer"),
    [
        (StatusState.PENDING, refusal("enqueue", "pending")),
        (StatusState.PENDING, refusal("enqueue", "running")),
        (StatusState.SUCCESS, refusal("success", "success")),
        (StatusState.FAILURE, refusal("drop", "failed")),
        (StatusState.CANCELED, refusal("cancel", "canceled")),
    ],
)
def test_a_status_that_is_in_this_state_already_is_fine(
    forge: RecordingForge, token: str, state: StatusState, answer: Answer
) -> None:
    forge.answer = answer
    gitlab(forge.url).post(replace(STATUS, state=state))
    assert len(forge.requests) == 1


@pytest.mark.parametrize(
    ("state", "answer"),
    [
        (StatusState.SUCCESS, refusal("success", "canceled")),
        (StatusState.SUCCESS, refusal("success", "pending")),
    ],
)
def test_any_other_transition_that_is_refused_is_a_failure(
    forge: RecordingForge, token: str, state: StatusState, answer: Answer
) -> None:
    forge.answer = answer
    with pytest.raises(Permanent, match="Cannot transition status"):
        gitlab(forge.url).post(replace(STATUS, state=state))


def test_nothing_in_a_name_leads_to_another_path(forge: RecordingForge, token: str) -> None:
    gitlab(forge.url).post(replace(STATUS, repository="../x?y#z", commit="../../user"))
    assert forge.asked == [("POST", "/api/v4/projects/..%2Fx%3Fy%23z/statuses/..%2F..%2Fuser")]


@pytest.mark.parametrize(("answer", "kind", "words"), trouble.ANSWERS)
def test_an_answer_other_than_yes_is_a_failure_that_says_what_to_do(
    forge: RecordingForge, token: str, answer: Answer, kind: type[Failure], words: str
) -> None:
    forge.answer = answer
    with pytest.raises(kind, match=r"^posting deploy/staging on group/sub/project@4f4f4f4f4f4f: GitLab ") as caught:
        gitlab(forge.url, timeout=1).post(STATUS)
    assert words in caught.value.message
    assert caught.value.stage is Stage.REPORT
    assert len(forge.requests) == 1
    assert not trouble.carries(caught.value, token)


@pytest.mark.parametrize(("answer", "wait"), trouble.WAITS)
def test_gitlab_is_asked_again_when_it_wants_and_no_worker_waits_for_it(
    forge: RecordingForge, token: str, answer: Answer, wait: float
) -> None:
    forge.answer, begun = answer, time.monotonic()
    with pytest.raises(Temporary) as caught:
        gitlab(forge.url).post(STATUS)
    assert caught.value.retry_after == wait
    assert len(forge.requests) == 1
    assert time.monotonic() - begun < 5


def test_a_used_up_limit_is_waited_for_until_its_reset(forge: RecordingForge, token: str) -> None:
    limit = {"RateLimit-Limit": "600", "RateLimit-Remaining": "0", "RateLimit-Reset": f"{time.time() + 45:.0f}"}
    forge.answer = Answer(429, b"Retry later\n", {"Content-Type": "text/plain"} | limit)
    with pytest.raises(Temporary, match="429: Too Many Requests") as caught:
        gitlab(forge.url).post(STATUS)
    assert caught.value.retry_after == pytest.approx(45, abs=5)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_gets_no_token(forge: RecordingForge, token: str, status: int) -> None:
    with RecordingForge() as elsewhere:
        forge.answer = Answer(status, {}, {"Location": f"{elsewhere.url}{PATH}"})
        client = gitlab(forge.url)
        with pytest.raises(Permanent, match="check api_url"):
            client.post(STATUS)
        with pytest.raises(Permanent, match="check api_url"):
            client.check()
        assert elsewhere.requests == []


def test_a_port_where_nobody_listens_is_temporary(token: str) -> None:
    with pytest.raises(Temporary, match="GitLab cannot be reached: Connection refused"):
        gitlab(f"http://127.0.0.1:{free_port()}").post(STATUS)


def test_a_forge_that_repeats_the_token_does_not_bring_it_into_a_message(forge: RecordingForge, token: str) -> None:
    forge.answer = Answer(400, {"message": f"PRIVATE-TOKEN {token} is odd"})
    with pytest.raises(Failure, match=r"PRIVATE-TOKEN \[redacted\] is odd") as caught:
        gitlab(forge.url).post(STATUS)
    assert not trouble.carries(caught.value, token)


def test_the_token_is_in_no_log_and_no_representation(
    forge: RecordingForge, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    forge.answer = Answer(201, {"username": "deploy-bot"})
    client = gitlab(forge.url)
    client.post(STATUS)
    client.check()
    assert token not in caplog.text + repr(client)


def test_neither_a_netrc_nor_the_variables_of_a_ci_job_replace_the_token(
    forge: RecordingForge, token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("CI_JOB_TOKEN", "another")
    monkeypatch.setenv("CI_SERVER_URL", "http://gitlab.invalid")
    gitlab(forge.url).post(STATUS)
    headers = forge.requests[0].headers
    assert headers["private-token"] == token
    assert not {"authorization", "job-token"} & headers.keys()


def test_a_proxy_in_the_environment_is_used(forge: RecordingForge, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", forge.url)
    gitlab("http://gitlab.invalid").post(STATUS)
    assert forge.asked == [("POST", f"http://gitlab.invalid{PATH}")]


def test_git_gets_the_token_without_any_request(forge: RecordingForge, token: str) -> None:
    assert gitlab(forge.url).credential("group/sub/project") == ("oauth2", token)
    assert forge.requests == []


def test_a_check_says_who_the_token_belongs_to(forge: RecordingForge, token: str) -> None:
    forge.answer = Answer(200, {"username": "project_7_bot"})
    assert gitlab(forge.url).check() == "GitLab user project_7_bot"
    assert forge.asked == [("GET", "/api/v4/user")]


@pytest.mark.parametrize("body", [{}, {"username": None}, [], b"<html>"])
def test_a_check_does_not_believe_an_answer_without_a_name(forge: RecordingForge, token: str, body: object) -> None:
    forge.answer = Answer(200, body)
    with pytest.raises(Temporary, match="not its API's"):
        gitlab(forge.url).check()
