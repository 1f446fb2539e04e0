from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from deployer.forges.connect import Forge, connect
from deployer.model import Failure, ForgeKind, Permanent, Stage, Temporary
from deployer.settings import AppSettings, FileSecret, ForgeSettings
from tests.forges import trouble
from tests.forges.recording import Answer, RecordingForge, Request
from tests.forges.test_github import COMMIT, STATUS

APP = 12345
INSTALLATION = ("GET", "/repos/acme/shop/installation")
TOKEN = ("POST", "/app/installations/77/access_tokens")
POST = ("POST", f"/repos/acme/shop/statuses/{COMMIT}")

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def pem(key: PrivateKey, password: bytes | None = None) -> bytes:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def key_file(tmp_path: Path, key: rsa.RSAPrivateKey) -> Path:
    path = tmp_path / "app.pem"
    path.write_bytes(pem(key))
    return path


def app(api_url: str, key_file: Path, *, timeout: int = 10) -> Forge:
    settings = AppSettings(id=APP, private_key=FileSecret(file=key_file))
    forge = connect(ForgeSettings(kind=ForgeKind.GITHUB, api_url=api_url, app=settings), timeout=timeout)
    assert forge is not None
    return forge


class Hub(RecordingForge):
    """GitHub as an App sees it: one installation, whose tokens live for `lifetime`, but for the `changes` to that."""

    def __init__(self) -> None:
        super().__init__(self.usual)
        self.lifetime = timedelta(hours=1)
        self.tokens: list[str] = []
        self.changes: dict[tuple[str, str], Answer] = {}

    def usual(self, request: Request) -> Answer:
        asked = (request.method, request.path)
        if asked in self.changes:
            return self.changes[asked]
        if asked == TOKEN:
            self.tokens.append(f"ghs_{secrets.token_hex(18)}")
            expires = (datetime.now(UTC) + self.lifetime).strftime("%Y-%m-%dT%H:%M:%SZ")
            return Answer(201, {"token": self.tokens[-1], "expires_at": expires, **request.json})
        return {INSTALLATION: Answer(200, {"id": 77}), POST: Answer(201)}[asked]


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as recording:
        yield recording


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
        (INSTALLATION, Answer(401, {"message": "A JSON web token could not be decoded"}), (Permanent, "private key")),
        (INSTALLATION, Answer(200, {"id": "77"}), (Temporary, "not its API's")),
        (INSTALLATION, Answer(502, trouble.PAGE), (Temporary, "502: Bad Gateway")),
        (TOKEN, Answer(422, {"message": "The permissions requested are not granted"}), (Permanent, "statuses")),
        (TOKEN, Answer(500, []), (Temporary, "")),
        (TOKEN, Answer(500, trouble.PAGE), (Temporary, "500: Internal Server Error")),
        (TOKEN, Answer(201, {}), (Temporary, "not its API's")),
        (TOKEN, Answer(201, []), (Temporary, "not its API's")),
        (TOKEN, Answer(201, b"{"), (Temporary, "not its API's")),
        (TOKEN, Answer(201, {"token": 7, "expires_at": "soon"}), (Temporary, "not its API's")),
        (TOKEN, Answer(302, trouble.PAGE, {"Location": "/login"}), (Temporary, "not its API's")),
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
