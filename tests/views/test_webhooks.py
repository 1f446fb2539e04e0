from __future__ import annotations

import hashlib
import hmac
import io
import json
import secrets
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask.testing import FlaskClient
from redis import Redis
from rq import Queue

from deployer.app import create_app
from deployer.request_buffer import BODY_LIMIT
from deployer.settings import load
from deployer.store import Store
from jobs.queue import MERGES
from tests.control_plane import free_port
from tests.webhooks.deliveries import Recorded, edit, recorded

SECRET = secrets.token_hex(16)
TOKEN = secrets.token_hex(16)
COMMIT = "c" * 40
SETTINGS = {
    "url": "https://deployer.example.com",
    "forges": {
        "github": {"kind": "github", "webhook_secrets": [{"env": "SECRET"}]},
        "gitlab": {"kind": "gitlab", "webhook_secrets": [{"env": "TOKEN"}]},
        "polled": {"kind": "github", "webhooks": False},
    },
    "clusters": {"staging": {"in_cluster": True}},
    "repositories": [
        {
            "name": "acme/shop",
            "forge": "github",
            "environments": {"staging": {"overlay": "staging", "cluster": "staging", "namespace": "shop"}},
        },
        {
            "name": "acme/web/shop",
            "forge": "gitlab",
            "environments": {"staging": {"overlay": "staging", "cluster": "staging", "namespace": "web"}},
        },
    ],
}
WITH_APP: dict[str, Any] = json.loads(json.dumps(SETTINGS))
WITH_APP["forges"]["github"]["app"] = {"id": 12345, "private_key": {"env": "SECRET"}}
PUSH = {
    "ref": "refs/heads/main",
    "before": "a" * 40,
    "after": COMMIT,
    "deleted": False,
    "created": False,
    "repository": {"full_name": "acme/shop"},
    "pusher": {"name": "ada"},
    "sender": {"login": "ada"},
    "head_commit": {"id": COMMIT, "message": "Raise the replicas"},
}


def client_for(redis_url: str, folder: Path, *, written: Any = SETTINGS) -> FlaskClient:
    path = folder / "deployer.yaml"
    path.write_text(yaml.safe_dump(written))
    settings = load(path, environ={"SECRET": SECRET, "TOKEN": TOKEN})
    return create_app(settings, redis_url=redis_url).test_client()


@pytest.fixture
def client(redis_url: str, redis: Redis, tmp_path: Path) -> FlaskClient:
    return client_for(redis_url, tmp_path)


@pytest.fixture
def as_app(redis_url: str, redis: Redis, tmp_path: Path) -> FlaskClient:
    return client_for(redis_url, tmp_path, written=WITH_APP)


def signed(body: bytes, *, secret: str = SECRET, **headers: str) -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {
        "X-Hub-Signature-256": f"sha256={digest}",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "Content-Type": "application/json",
        **headers,
    }


def send(client: FlaskClient, payload: Any = PUSH, **headers: str) -> Any:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return client.post("/webhooks/github", data=body, headers=signed(body, **headers))


def waiting(redis: Redis) -> int:
    return Queue(MERGES, connection=redis).count


def test_a_merge_is_recorded_owed_and_enqueued(client: FlaskClient, redis: Redis, store: Store) -> None:
    answer = send(client)
    assert answer.status_code == 202
    assert answer.json == {"result": "accepted", "reason": f"{COMMIT[:12]} is now the tip of main"}
    assert waiting(redis) == 1
    delivery = store.deliveries.get("github", "72d3162e-cc78-11e3-81ab-4c9367dc0958")
    assert delivery is not None
    assert json.loads(delivery.body) == PUSH
    assert "signature" not in str(delivery.headers).lower()
    assert [row.what for row in store.audit.rows()] == ["accepted"]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (PUSH | {"ref": "refs/heads/feature"}, "branch feature deploys nothing; acme/shop deploys main"),
        (PUSH | {"repository": {"full_name": "acme/other"}}, "repository acme/other is not in the settings"),
    ],
)
def test_what_does_not_concern_us_is_ignored_with_the_reason_and_in_the_audit(
    client: FlaskClient, redis: Redis, store: Store, payload: Any, reason: str
) -> None:
    answer = send(client, payload)
    assert answer.status_code == 200
    assert answer.json == {"result": "ignored", "reason": reason}
    assert waiting(redis) == 0
    assert [row.fields["reason"] for row in store.audit.rows()] == [reason]


GITHUB_EVENTS = [
    ("github_pull_request_synchronize", "request 15 was updated"),
    ("github_pull_request_opened", "request 14 was opened"),
    ("github_pull_request_reopened", "request 15 was opened"),
    ("github_pull_request_closed", "request 13 was closed"),
    ("github_check_run_rerequested", "ada asks for deploy/staging of 298892c2b57a again"),
    ("github_check_run_requested_action", "ada asks for deploy/staging of 298892c2b57a again"),
    ("github_check_suite_rerequested", "ada asks for all checks of 298892c2b57a again"),
    ("github_issue_comment_created", "grace asks for /deploy staging on request 15"),
]
GITLAB_EVENTS = [
    ("gitlab_merge_request_open", "request 15 was opened"),
    ("gitlab_merge_request_new_commits", "request 15 was updated"),
    ("gitlab_note_created", "grace asks for /deploy staging on request 15"),
]


def post(client: FlaskClient, delivery: Recorded) -> Any:
    forge = delivery.kind.value
    proof = signed(delivery.body) if forge == "github" else {"X-Gitlab-Token": TOKEN}
    return client.post(f"/webhooks/{forge}", data=delivery.body, headers=proof | delivery.headers)


@pytest.mark.parametrize(("name", "reason"), [*GITHUB_EVENTS, *GITLAB_EVENTS])
def test_what_people_do_at_the_forge_is_recorded_and_owed(
    client: FlaskClient, redis: Redis, store: Store, name: str, reason: str
) -> None:
    delivery = recorded(name)
    answer = post(client, delivery)
    assert (answer.status_code, answer.json) == (202, {"result": "accepted", "reason": reason})
    assert waiting(redis) == 1
    assert [forge for forge, _ in store.deliveries.owed()] == [delivery.kind.value]
    (row,) = store.audit.rows()
    assert (row.what, row.fields["actor"]) == ("accepted", delivery.event().actor)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "path", "value", "reason"),
    [
        ("github_pull_request_synchronize", "pull_request.base.ref", "docs", "branch docs deploys nothing"),
        ("github_check_run_rerequested", "repository.full_name", "acme/other", "repository acme/other is not in"),
        ("github_check_run_rerequested", "check_run.name", "unit tests", "no check of ours: unit tests"),
        ("github_check_run_rerequested", "check_run.name", "deploy/stagign", "no check of ours: deploy/stagign"),
        ("github_check_run_rerequested", "check_run.app.id", 999, "a check of another App"),
        ("github_check_suite_rerequested", "check_suite.app.id", 999, "a check of another App"),
        ("github_check_run_rerequested", "check_run.app", None, "a check of another App"),
        ("github_check_run_requested_action", "requested_action.identifier", "fix", "a button that is none of ours"),
        ("github_issue_comment_created", "repository.full_name", "acme/other", "repository acme/other is not in"),
    ],
)
def test_what_is_none_of_ours_is_ignored(
    as_app: FlaskClient, store: Store, *, name: str, path: str, value: Any, reason: str
) -> None:
    answer = post(as_app, edit(recorded(name), path, value))
    assert (answer.status_code, answer.json["result"]) == (200, "ignored")
    assert answer.json["reason"].startswith(reason)
    assert store.deliveries.owed() == ()


UNHEARD = ["github_issue_comment_edited", "github_issue_comment_by_bot", "gitlab_note_changed", "gitlab_note_by_bot"]


@pytest.mark.parametrize("name", UNHEARD)
def test_comments_that_ask_for_nothing_are_ignored(client: FlaskClient, redis: Redis, name: str) -> None:
    answer = post(client, recorded(name))
    assert (answer.status_code, answer.json["result"]) == (200, "ignored")
    assert waiting(redis) == 0


@pytest.mark.parametrize("secret", ["", "wrong", TOKEN])
def test_a_wrong_signature_leaves_no_trace_but_a_count(
    client: FlaskClient, redis: Redis, store: Store, secret: str
) -> None:
    answer = send(client, secret=secret)
    assert answer.status_code == 401
    assert answer.json["result"] == "error"
    assert waiting(redis) == 0
    assert list(store.audit.rows()) == []
    assert store.deliveries.get("github", "72d3162e-cc78-11e3-81ab-4c9367dc0958") is None


@pytest.mark.parametrize("forge", ["gitea", "polled"])
def test_a_forge_that_is_unknown_or_sends_no_webhooks(client: FlaskClient, forge: str) -> None:
    answer = client.post(f"/webhooks/{forge}", data=b"{}")
    reason = f"no forge named '{forge}' with webhooks in the settings"
    assert (answer.status_code, answer.json) == (404, {"result": "error", "reason": reason})


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"\xff", b"[" * 200_000, b'{"ref": 1}'])
def test_what_is_not_well_formed(client: FlaskClient, body: bytes) -> None:
    answer = send(client, body)
    assert answer.status_code == 400
    assert answer.json["result"] == "error"
    assert client.get("/healthz").status_code == 200


def test_a_body_of_another_kind(client: FlaskClient) -> None:
    assert send(client, b"<xml/>", **{"Content-Type": "text/xml"}).status_code == 415


def test_a_body_over_the_limit_by_its_length(client: FlaskClient) -> None:
    announced = {"CONTENT_LENGTH": str(BODY_LIMIT + 1)}
    answer = client.post("/webhooks/github", data=b"", headers=signed(b""), environ_overrides=announced)
    assert answer.status_code == 413


def test_a_body_over_the_limit_in_chunks_is_refused_not_cut(client: FlaskClient) -> None:
    body = b" " * (BODY_LIMIT + 1)
    answer = client.post(
        "/webhooks/github",
        input_stream=io.BytesIO(body),
        headers=signed(body) | {"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True, "CONTENT_LENGTH": ""},
    )
    assert answer.status_code == 413


def test_redis_away_is_said_within_a_second_and_never_accepted(tmp_path: Path) -> None:
    client = client_for(f"redis://127.0.0.1:{free_port()}/0", tmp_path)
    began = time.monotonic()
    answer = send(client)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert time.monotonic() - began < 1
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200


def test_a_gitlab_token_is_checked_on_its_own_path(client: FlaskClient) -> None:
    tag = recorded("gitlab_tag_push")
    headers = {"X-Gitlab-Token": TOKEN, **tag.headers}
    assert client.post("/webhooks/gitlab", data=tag.body, headers=headers).status_code == 200
    assert client.post("/webhooks/github", data=tag.body, headers=headers).status_code == 401
