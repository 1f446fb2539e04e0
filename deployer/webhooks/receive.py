"""The front door for webhooks: one request in, one event out, and nothing is read before it is verified.

Pure: time and secrets are passed in, and what is to be recorded or enqueued is the caller's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from deployer.model import Event, ForgeKind
from deployer.webhooks import github, gitlab
from deployer.webhooks.headers import kept, lower_case
from deployer.webhooks.refusal import Malformed, Refused, UnsupportedMediaType, Unverified
from deployer.webhooks.signature import verify_github, verify_gitlab

__all__ = ["Malformed", "Received", "Refused", "UnsupportedMediaType", "Unverified", "interpret", "receive"]


@dataclass(frozen=True, slots=True)
class Received:
    """A delivery that is authentic and understood."""

    delivery_id: str
    event: Event
    sender: str
    """Which of a forge's webhooks it comes from, where the id alone does not tell."""
    kept_headers: tuple[tuple[str, str], ...]
    """What `interpret` needs and people want to see; lower-case names, never a signature or a token."""


def receive(  # noqa: PLR0913 - a request, and all that it is checked against
    kind: ForgeKind,
    headers: Mapping[str, str],
    body: bytes,
    *,
    webhook_secrets: Sequence[bytes],
    signing_secrets: Sequence[bytes],
    now: datetime,
) -> Received:
    """Verify a request over its raw `body`, then say what it means. `now` is aware of its time zone.

    On GitHub the webhook secrets are keys and signing secrets do not exist; on GitLab the webhook secrets are tokens.

    Raises:
        Unverified: it does not come from the forge. Nothing but the headers of the proof was read until then.
        UnsupportedMediaType: its body is of another kind than the forge sends.
        Malformed: it comes from the forge and is not what the forge documents.
    """
    names = lower_case(headers)
    match kind:
        case ForgeKind.GITHUB:
            verify_github(names, body, secrets=webhook_secrets)
            identity, sender = github.delivery_id(names, body), github.sender(names)
        case ForgeKind.GITLAB:
            verify_gitlab(names, body, tokens=webhook_secrets, signing_secrets=signing_secrets, now=now.timestamp())
            identity, sender = gitlab.delivery_id(names, body), ""  # each of its webhooks has ids of its own
    return Received(identity, _event(kind, names, body), sender, kept(names))


def interpret(kind: ForgeKind, headers: Mapping[str, str], body: bytes) -> Event:
    """What a recorded delivery means, for sending it through again. It was verified when it came.

    Raises:
        UnsupportedMediaType: as `receive`.
        Malformed: as `receive`.
    """
    return _event(kind, lower_case(headers), body)


def _event(kind: ForgeKind, names: Mapping[str, str], body: bytes) -> Event:
    match kind:
        case ForgeKind.GITHUB:
            return github.parse(names, body)
        case ForgeKind.GITLAB:
            return gitlab.parse(names, body)
