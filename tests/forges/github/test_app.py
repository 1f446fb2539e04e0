from __future__ import annotations

import logging
import os
import secrets
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from deployer.forges.github.app import SPARE, app_access
from deployer.model import Failure, Permanent, Stage, Temporary
from tests.forges import trouble
from tests.forges.github.conftest import pem
from tests.forges.github.hub import APP, COMMIT, INSTALLATION, TOKEN, Hub, app
from tests.forges.github.test_statuses import STATUS
from tests.forges.recording import Answer, Request

POST = ("POST", f"/repos/acme/shop/statuses/{COMMIT}")

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def test_an_app_asks_for_its_installation_and_a_token_and_posts_with_that(hub: Hub, key_file: Path) -> None:
    app(hub.url, key_file).post(STATUS)
    assert hub.asked == [INSTALLATION, TOKEN, POST]
    assert hub.requests[2].headers["authorization"] == f"token {hub.tokens[0]}"
    assert hub.requests[2].json["context"] == "deploy/staging"


def test_an_app_signs_with_its_key_for_ten_minutes_at_most(hub: Hub, key_file: Path, key: rsa.RSAPrivateKey) -> None:
    app(hub.url, key_file).post(STATUS)
    for request in hub.requests[:2]:
        kind, _, signed = request.headers["authorization"].partition(" ")
        claims = jwt.decode(signed, key.public_key(), algorithms=["RS256"], options={"verify_iat": False})
        assert (kind, claims["iss"]) == ("Bearer", str(APP))
        assert time.time() < claims["exp"] <= time.time() + 600
        assert claims["iat"] <= time.time()


def test_a_token_is_kept_until_it_expires(hub: Hub, key_file: Path) -> None:
    client = app(hub.url, key_file)
    for _ in range(3):
        client.post(STATUS)
    assert hub.asked == [INSTALLATION, TOKEN, POST, POST, POST]


def test_a_token_that_expires_is_replaced(hub: Hub, key_file: Path) -> None:
    hub.lifetime = timedelta(seconds=5)
    client = app(hub.url, key_file)
    for _ in range(2):
        client.post(STATUS)
    used = [request.headers["authorization"] for request in hub.requests if (request.method, request.path) == POST]
    assert hub.asked.count(INSTALLATION) == 1
    assert len(set(used)) == 2
    assert used[-1] == f"token {hub.tokens[-1]}"


def test_git_gets_a_token_that_can_only_read_the_contents(hub: Hub, key_file: Path) -> None:
    client = app(hub.url, key_file)
    assert client.credential("acme/shop") == ("x-access-token", hub.tokens[0])
    client.post(STATUS)
    permissions = [request.json["permissions"] for request in hub.requests if (request.method, request.path) == TOKEN]
    assert permissions == [{"contents": "read"}, {"statuses": "write"}]


def test_a_check_says_which_app_it_is(hub: Hub, key_file: Path) -> None:
    hub.answer = Answer(200, {"id": APP, "slug": "shop-deployer", "name": "Shop deployer"})
    assert app(hub.url, key_file).check() == "GitHub App shop-deployer"
    assert hub.asked == [("GET", "/app")]


@pytest.mark.parametrize(
    ("asked", "answer", "meaning"),
    [
        (INSTALLATION, Answer(404, {"message": "Not Found"}), (Permanent, "install the GitHub App on the repository")),
        (INSTALLATION, Answer(401, {"message": "A JSON web token could not be decoded"}), (Temporary, "private key")),
        (INSTALLATION, Answer(200, {"id": "77"}), (Temporary, "not its API's")),
        (INSTALLATION, Answer(502, trouble.PAGE), (Temporary, "502: Bad Gateway")),
        (TOKEN, Answer(422, {"message": "The permissions requested are not granted"}), (Permanent, "statuses")),
        (TOKEN, Answer(500, []), (Temporary, "")),
        (TOKEN, Answer(500, trouble.PAGE), (Temporary, "500: Internal Server Error")),
        (TOKEN, Answer(201, {}), (Temporary, "not its API's")),
        (TOKEN, Answer(201, []), (Temporary, "not its API's")),
        (TOKEN, Answer(201, b"{"), (Temporary, "not its API's")),
        (TOKEN, Answer(201, {"token": 7, "expires_at": "soon"}), (Temporary, "not its API's")),
        (TOKEN, Answer(302, trouble.PAGE, {"Location": "/login"}), (Permanent, "check api_url")),
        (TOKEN, Answer(301, {}, {"Location": "http://other.invalid/"}), (Permanent, "check api_url")),
        (TOKEN, Answer(drop=True), (Temporary, "cannot be reached")),
        (TOKEN, Answer(delay=5), (Temporary, "no answer in time")),
        (POST, Answer(403, {"message": "Resource not accessible by integration"}), (Permanent, "Commit statuses")),
    ],
)
def test_each_step_that_fails_says_what_to_do(
    hub: Hub,
    key_file: Path,
    asked: tuple[str, str],
    answer: Answer,
    meaning: tuple[type[Failure], str],
) -> None:
    kind, words = meaning
    hub.changes = {asked: answer}
    with pytest.raises(kind, match=r"^posting deploy/staging on acme/shop@4f4f4f4f4f4f: ") as caught:
        app(hub.url, key_file, timeout=1).post(STATUS)
    assert words in caught.value.message
    assert caught.value.stage is Stage.REPORT
    assert hub.asked[-1] == asked


def test_a_fetch_without_a_token_fails_as_a_fetch(hub: Hub, key_file: Path) -> None:
    hub.changes = {INSTALLATION: Answer(404, {"message": "Not Found"})}
    with pytest.raises(Permanent, match=r"^getting access to acme/shop: ") as caught:
        app(hub.url, key_file).credential("acme/shop")
    assert caught.value.stage is Stage.FETCH


@pytest.mark.parametrize("asked", [INSTALLATION, TOKEN, POST])
@pytest.mark.parametrize(("answer", "wait"), trouble.WAITS)
def test_github_is_asked_again_when_it_wants_and_no_worker_waits_for_it(
    hub: Hub,
    key_file: Path,
    asked: tuple[str, str],
    answer: Answer,
    wait: float,
) -> None:
    hub.changes, begun = {asked: answer}, time.monotonic()
    with pytest.raises(Temporary) as caught:
        app(hub.url, key_file).post(STATUS)
    assert caught.value.retry_after == wait
    assert time.monotonic() - begun < 5


def test_neither_key_nor_token_is_in_a_log_or_a_representation(
    hub: Hub, key_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = app(hub.url, key_file)
    client.post(STATUS)
    shown = caplog.text + repr(client) + repr(vars(client))
    signed = hub.requests[0].headers["authorization"].partition(" ")[2]
    for secret in (hub.tokens[0], signed, key_file.read_text().splitlines()[1]):
        assert secret not in shown


def test_a_token_that_github_repeats_is_in_no_message(hub: Hub, key_file: Path) -> None:
    def echo(request: Request) -> Answer:
        if (request.method, request.path) == POST:
            return Answer(422, {"message": request.headers["authorization"]})
        return hub.usual(request)

    hub.answer = echo
    with pytest.raises(Permanent, match=r"token \[redacted\]") as caught:
        app(hub.url, key_file).post(STATUS)
    assert not trouble.carries(caught.value, hub.tokens[0])


@pytest.mark.parametrize("kind", ["text", "public", "elliptic", "password", "half"])
def test_a_private_key_that_cannot_sign_is_refused_with_its_remedy(
    tmp_path: Path, key: rsa.RSAPrivateKey, kind: str
) -> None:
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    content = {
        "text": b"correct horse battery staple",
        "public": public,
        "elliptic": pem(ec.generate_private_key(ec.SECP256R1())),
        "password": pem(key, b"swordfish"),
        "half": pem(key)[:400],
    }[kind]
    path = tmp_path / "app.pem"
    path.write_bytes(content)
    with pytest.raises(Permanent, match="the GitHub App 12345: its private key is not an RSA key") as caught:
        app("https://api.github.com", path)
    assert not trouble.carries(caught.value, content.decode().splitlines()[-1])


def test_a_token_serves_every_repository_of_its_installation_and_every_client_of_a_process(
    hub: Hub, key_file: Path
) -> None:
    hub.changes["GET", "/repos/acme/blog/installation"] = Answer(200, {"id": 77})
    hub.changes["POST", f"/repos/acme/blog/statuses/{COMMIT}"] = Answer(201)
    for status in (STATUS, replace(STATUS, repository="acme/blog"), STATUS):
        app(hub.url, key_file).post(status)
    assert len(hub.tokens) == 1
    assert hub.asked.count(INSTALLATION) == 1


@pytest.mark.parametrize(("left", "tokens"), [(SPARE - 30, 2), (SPARE + 60, 1)])
def test_a_token_is_not_used_in_its_last_minutes(hub: Hub, key_file: Path, left: float, tokens: int) -> None:
    hub.lifetime = timedelta(seconds=left)
    for _ in range(2):
        app(hub.url, key_file).post(STATUS)
    assert len(hub.tokens) == tokens


def test_a_new_key_does_not_use_the_old_ones_tokens(hub: Hub, key_file: Path) -> None:
    app(hub.url, key_file).post(STATUS)
    key_file.write_bytes(pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)))
    app(hub.url, key_file).post(STATUS)
    assert len(hub.tokens) == 2


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")  # the child does nothing but end
def test_a_forked_child_begins_without_its_parents_connections(hub: Hub, key_file: Path) -> None:
    app(hub.url, key_file).post(STATUS)
    child = os.fork()
    if child == 0:
        os._exit(app_access.cache_info().currsize)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert app_access.cache_info().currsize == 1


def test_a_kept_token_that_was_revoked_is_replaced_at_once(hub: Hub, key_file: Path) -> None:
    client = app(hub.url, key_file)
    client.post(STATUS)
    revoked = f"token {hub.tokens[0]}"

    def let_in(request: Request) -> Answer:
        ok = request.headers["authorization"] != revoked
        return Answer(201) if ok else Answer(401, {"message": "Bad credentials"})

    hub.changes[POST] = let_in
    client.post(STATUS)
    assert hub.asked[-4:] == [POST, INSTALLATION, TOKEN, POST]


def test_a_token_that_is_never_let_in_is_replaced_once_only(hub: Hub, key_file: Path) -> None:
    hub.changes[POST] = Answer(401, {"message": "Bad credentials"})
    with pytest.raises(Temporary, match="401: Bad credentials"):
        app(hub.url, key_file).post(STATUS)
    assert hub.asked.count(POST) == 2


def test_an_app_that_was_installed_anew_is_found_again(hub: Hub, key_file: Path) -> None:
    hub.lifetime = timedelta(seconds=5)
    client = app(hub.url, key_file)
    client.post(STATUS)
    hub.changes[TOKEN] = Answer(404, {"message": "Not Found"})
    with pytest.raises(Permanent, match="install the GitHub App"):
        client.post(STATUS)
    hub.changes[INSTALLATION] = Answer(200, {"id": 78})
    expires = Answer(201, {"token": f"ghs_{secrets.token_hex(18)}", "expires_at": "2099-01-01T00:00:00Z"})
    hub.changes["POST", "/app/installations/78/access_tokens"] = expires
    client.post(STATUS)
    assert hub.asked[-1] == POST
