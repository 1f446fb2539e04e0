"""Sending webhooks as GitHub and GitLab send them: signed, once, within ten seconds, and remembered.

Sends to loopback only and never follows a redirect. What was sent can be sent again with the same id; secrets and
tokens are in nothing that is remembered.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import http.client
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

from deployer.model import ForgeKind
from deployer.sandbox.forge.loopback import is_loopback
from deployer.sandbox.forge.refusal import Invalid

TIMEOUT = 10.0
"""Seconds; GitHub's (https://docs.github.com/en/webhooks/using-webhooks/best-practices-for-using-webhooks)."""

_KEPT = 64 * 1024
"""Bytes of an answer that are read."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where a repository's events go, and what proves that they come from this forge."""

    id: int
    url: str
    secret: str = field(repr=False)
    signing_secret: str | None = field(default=None, repr=False)
    """`whsec_…`, GitLab only: signs by the Standard Webhooks specification."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One time that a delivery was sent."""

    at: datetime
    seconds: float
    status: int | None
    """Of the answer; None when there was none."""
    answer: str
    """Its body, or what went wrong."""


@dataclass(slots=True)
class Delivery:
    """One event on its way to one webhook."""

    id: str
    webhook: Webhook
    event: str
    """As in the header: `pull_request`, `Merge Request Hook`."""
    headers: tuple[tuple[str, str], ...]
    """Those that do not depend on when it is sent, and no secret."""
    body: bytes
    attempts: tuple[Attempt, ...] = ()

    @property
    def delivered(self) -> bool:
        """Whether the last attempt was answered with a 2xx."""
        return bool(self.attempts) and 200 <= (self.attempts[-1].status or 0) < 300


class Sender:
    """Sends deliveries in the background, those given together one after another."""

    def __init__(self) -> None:
        self._threads: set[threading.Thread] = set()
        self._lock = threading.Lock()

    def send(self, kind: ForgeKind, deliveries: Iterable[Delivery]) -> None:
        """Return at once; each delivery gets its attempt when its answer is there."""
        thread = threading.Thread(target=self._run, args=(kind, tuple(deliveries)), name="webhooks", daemon=True)
        with self._lock:
            self._threads.add(thread)
            thread.start()

    def settle(self, seconds: float = TIMEOUT + 1) -> bool:
        """Wait until nothing is on its way any more; False when that takes longer than `seconds`."""
        deadline = time.monotonic() + seconds
        while pending := self._pending():
            pending[0].join(max(0, deadline - time.monotonic()))
            if pending[0].is_alive():
                return False
        return True

    def _pending(self) -> list[threading.Thread]:
        with self._lock:
            return list(self._threads)

    def _run(self, kind: ForgeKind, deliveries: tuple[Delivery, ...]) -> None:
        try:
            for delivery in deliveries:
                delivery.attempts += (_attempt(kind, delivery),)
        finally:
            with self._lock:
                self._threads.discard(threading.current_thread())


def checked(webhook: Webhook) -> Webhook:
    """`webhook` if it can be used. Raises Invalid: not on loopback, no secret, not a signing secret."""
    if not _goes_to_loopback(webhook.url):
        raise Invalid("url", f"of a sandbox webhook must be http on loopback: {webhook.url!r}")
    if not (webhook.secret and webhook.secret.isascii() and webhook.secret.isprintable()):
        raise Invalid("secret", "of a webhook must be printable ASCII and not empty")
    if webhook.signing_secret is not None:
        _key(webhook.signing_secret)
    return webhook


def _goes_to_loopback(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return url.isascii() and parts.scheme == "http" and parts.port != 0 and is_loopback(parts.hostname or "")
    except ValueError:  # not a URL, or a port that is none
        return False


def signature_headers(kind: ForgeKind, delivery: Delivery, *, timestamp: int) -> dict[str, str]:
    """The headers that prove where a delivery comes from; `timestamp` in seconds since 1970.

    https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries,
    https://docs.gitlab.com/user/project/integrations/webhooks/ and
    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """
    webhook = delivery.webhook
    if kind is ForgeKind.GITHUB:
        key = webhook.secret.encode()
        return {
            "X-Hub-Signature": "sha1=" + hmac.new(key, delivery.body, hashlib.sha1).hexdigest(),
            "X-Hub-Signature-256": "sha256=" + hmac.new(key, delivery.body, hashlib.sha256).hexdigest(),
        }
    headers = {"X-Gitlab-Token": webhook.secret}
    return headers | (_standard(webhook.signing_secret, delivery, timestamp) if webhook.signing_secret else {})


def _standard(signing_secret: str, delivery: Delivery, timestamp: int) -> dict[str, str]:
    signed = b".".join((delivery.id.encode(), str(timestamp).encode(), delivery.body))
    digest = hmac.new(_key(signing_secret), signed, hashlib.sha256).digest()
    return {
        "webhook-id": delivery.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }


def _key(signing_secret: str) -> bytes:
    prefix, _, encoded = signing_secret.partition("_")
    try:
        key = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        key = b""
    if prefix != "whsec" or not key:
        raise Invalid("signing_secret", "must be whsec_ and then Base64")
    return key


def _attempt(kind: ForgeKind, delivery: Delivery) -> Attempt:
    at, start = datetime.now(UTC), time.monotonic()
    headers = dict(delivery.headers) | signature_headers(kind, delivery, timestamp=int(at.timestamp()))
    try:
        status, answer = _post(delivery.webhook.url, headers, delivery.body)
    except (OSError, http.client.HTTPException) as error:
        return Attempt(at, time.monotonic() - start, None, str(error) or type(error).__name__)
    return Attempt(at, time.monotonic() - start, status, answer)


def _post(url: str, headers: dict[str, str], body: bytes) -> tuple[int, str]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, body=body, headers=headers)
        response = connection.getresponse()
        return response.status, response.read(_KEPT).decode(errors="replace")
    finally:
        connection.close()
