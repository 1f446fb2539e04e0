"""What a delivery is, and what it means."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Merge:
    """An event: `commit` is now the tip of `branch`."""

    repository: str
    """The forge's full name, as in `acme/shop`."""
    branch: str
    commit: str
    """40 or 64 lower-case hexadecimal digits."""
    actor: str | None = None
    """Who merged or pushed, in the forge's user name."""
    title: str | None = None
    """What was merged, for people: `#12 Raise the replicas` or the commit's subject."""
    guessed: bool = False
    """The payload does not name the new tip: `commit` is it in most cases, and otherwise not on the branch at all."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """An event that is authentic and does not concern us."""

    reason: str


Event = Merge | Ignored


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook request as it came, kept so that it can be sent through again."""

    forge: str
    id: str
    headers: tuple[tuple[str, str], ...]
    """Only those that say what the delivery is; never a signature or a token. Lower-case names."""
    body: bytes
    received_at: datetime
    sender: str = ""
    """What of the forge has sent it, where several may send deliveries of the same id; otherwise empty."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """When and how often one delivery came."""

    first_at: datetime
    last_at: datetime
    times: int
    """How often whoever sent it last has sent it."""
    by: str | None = None
    """Who had it sent through again the last time, if that was done here and not at the forge."""
