"""GitHub as an App sees it, over real HTTP: an installation, tokens that end, and what a test says for the rest."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deployer.forges.connect import Forge, connect
from deployer.model import ForgeKind
from deployer.settings import AppSettings, EnvSecret, FileSecret, ForgeSettings
from tests.forges.recording import Answer, RecordingForge, Request

APP = 12345
COMMIT = "4f" * 20
INSTALLATION = ("GET", "/repos/acme/shop/installation")
ORGANIZATION = ("GET", "/orgs/acme/installation")
TOKEN = ("POST", "/app/installations/77/access_tokens")
OWN = (("GET", "/app"), INSTALLATION, ORGANIZATION, TOKEN)


class Hub(RecordingForge):
    """GitHub with one installation, whose tokens live for `lifetime`. `changes` says what else to answer."""

    def __init__(self) -> None:
        super().__init__(self.usual)
        self.lifetime = timedelta(hours=1)
        self.tokens: list[str] = []
        self.changes: dict[tuple[str, str], Answer | Callable[[Request], Answer]] = {}

    def usual(self, request: Request) -> Answer:
        asked = (request.method, request.route)
        if asked in self.changes:
            answer = self.changes[asked]
            return answer(request) if callable(answer) else answer
        if asked == TOKEN:
            self.tokens.append(f"ghs_{secrets.token_hex(18)}")
            expires = (datetime.now(UTC) + self.lifetime).strftime("%Y-%m-%dT%H:%M:%SZ")
            return Answer(201, {"token": self.tokens[-1], "expires_at": expires, **request.json})
        if asked in (INSTALLATION, ORGANIZATION):
            return Answer(200, {"id": 77})
        if asked == ("GET", "/app"):
            return Answer(200, {"id": APP, "slug": "shop-deployer"})
        return Answer(201) if request.route == f"/repos/acme/shop/statuses/{COMMIT}" else Answer(404, {"message": "?"})

    @property
    def work(self) -> list[Request]:
        """What was asked but for getting in."""
        return [request for request in self.requests if (request.method, request.route) not in OWN]

    @property
    def done(self) -> list[tuple[str, str]]:
        """Method and path of that, without the repository."""
        return [(each.method, each.route.removeprefix("/repos/acme/shop")) for each in self.work]


def app(api_url: str, key_file: Path, *, timeout: int = 10) -> Forge:
    """The client of a GitHub App."""
    settings = AppSettings(id=APP, private_key=FileSecret(file=key_file))
    forge = connect(ForgeSettings(kind=ForgeKind.GITHUB, api_url=api_url, app=settings), timeout=timeout)
    assert forge is not None
    return forge


def github(api_url: str, *, timeout: int = 10) -> Forge:
    """The client of a GitHub with a token."""
    settings = ForgeSettings(kind=ForgeKind.GITHUB, api_url=api_url, token=EnvSecret(env="FORGE_TOKEN"))
    forge = connect(settings, timeout=timeout)
    assert forge is not None
    return forge
