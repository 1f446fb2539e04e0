"""The front door with a secret of every sort configured, made anew for each run."""

from __future__ import annotations

import secrets
from datetime import datetime

from deployer.model import ForgeKind
from deployer.webhooks.receive import Received, receive
from tests.webhooks.deliveries import NOW, Recorded, github_proof, signing_secret, standard_proof

SECRET = secrets.token_hex(20).encode()
KEY = secrets.token_bytes(32)


def let_in(kind: ForgeKind, headers: dict[str, str], body: bytes, *, now: datetime = NOW) -> Received:
    return receive(kind, headers, body, webhook_secrets=[SECRET], signing_secrets=[signing_secret(KEY)], now=now)


def proof(kind: ForgeKind, body: bytes) -> dict[str, str]:
    """The headers by which the door knows that the forge sent `body`."""
    return github_proof(SECRET, body) if kind is ForgeKind.GITHUB else standard_proof(KEY, body)


def send(delivery: Recorded) -> Received:
    """A delivery with its proof, through the door."""
    return let_in(delivery.kind, {**delivery.headers, **proof(delivery.kind, delivery.body)}, delivery.body)
