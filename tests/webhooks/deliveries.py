"""Recorded deliveries, and signers that share no code with the verification that they test.

A file in tests/payloads holds one delivery: its headers without any proof, and its body.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deployer.model import Event, ForgeKind
from deployer.webhooks.receive import interpret

PAYLOADS = Path(__file__).parent.parent / "payloads"
NOW = datetime(2026, 11, 23, 9, 4, 3, tzinfo=UTC)


@dataclass(frozen=True)
class Recorded:
    """One delivery as a forge sends it."""

    kind: ForgeKind
    headers: dict[str, str]
    payload: dict[str, Any]

    @property
    def body(self) -> bytes:
        return json.dumps(self.payload, separators=(",", ":")).encode()

    def changed(self, change: Callable[[dict[str, Any]], object]) -> Recorded:
        """The same delivery with another payload; `change` edits a copy in place."""
        payload = json.loads(self.body)
        change(payload)
        return Recorded(self.kind, self.headers, payload)

    def with_headers(self, **headers: str) -> Recorded:
        """The same delivery with more headers; an underscore stands for a dash."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return Recorded(self.kind, {**self.headers, **more}, self.payload)

    def event(self) -> Event:
        return interpret(self.kind, self.headers, self.body)


def recorded(name: str) -> Recorded:
    delivery = json.loads((PAYLOADS / f"{name}.json").read_text())
    return Recorded(ForgeKind(name.partition("_")[0]), delivery["headers"], delivery["body"])


def edit(delivery: Recorded, path: str, value: Any) -> Recorded:
    """The same delivery with another value at `path`."""
    *parents, last = path.split(".")

    def change(payload: dict[str, Any]) -> None:
        for parent in parents:
            payload = payload[parent]
        payload[last] = value

    return delivery.changed(change)


def without(delivery: Recorded, path: str) -> Recorded:
    """The same delivery without what is at `path`."""
    *parents, last = path.split(".")

    def change(payload: dict[str, Any]) -> None:
        for parent in parents:
            payload = payload[parent]
        del payload[last]

    return delivery.changed(change)


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """HMAC by hand, as RFC 2104 defines it."""
    block = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block) + message).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in block) + inner).digest()


def github_proof(secret: bytes, body: bytes) -> dict[str, str]:
    return {"X-Hub-Signature-256": f"sha256={hmac_sha256(secret, body).hex()}"}


def standard_proof(key: bytes, body: bytes, *, identity: str = "msg_1", at: datetime = NOW) -> dict[str, str]:
    """The headers of a Standard Webhooks signature; `key` is the decoded one."""
    timestamp = str(int(at.timestamp()))
    signature = hmac_sha256(key, b".".join((identity.encode(), timestamp.encode(), body)))
    return {
        "webhook-id": identity,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
    }


def signing_secret(key: bytes) -> bytes:
    return b"whsec_" + base64.b64encode(key)
