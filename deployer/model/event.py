"""What a delivery is, and what it means."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


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
    number: int | None = None
    """The pull request that was merged, if it came by one."""


class PullRequestAction(StrEnum):
    """What happened to a pull request, as far as its preview is concerned."""

    OPENED = "opened"
    """Also opened again."""
    UPDATED = "updated"
    """It has other commits, another base or is no draft any more."""
    CLOSED = "closed"
    """Not merged: that is a `Merge`."""


@dataclass(frozen=True, slots=True)
class PullRequestEvent:
    """An event: a pull or merge request is to be looked at, or not any more."""

    repository: str
    """The one that it wants to be merged in, by its full name."""
    number: int
    branch: str
    """Its base: the branch that it wants to be merged to."""
    head: str
    """The commit that it wants to bring in, in full."""
    action: PullRequestAction
    from_fork: bool
    """Whether its commits come from another repository, one that may be gone."""
    draft: bool
    title: str | None = None
    actor: str | None = None
    """Who opened, updated or closed it."""
    left: str | None = None
    """The branch that it wanted to be merged to until just now, if that is another one."""


RERUN = "rerun"
"""The action of those who want a check run again, without a button of ours."""


@dataclass(frozen=True, slots=True)
class Rerun:
    """An event: someone asks for checks of a commit again, or pressed one of their buttons. Only GitHub has it.

    What the person may do is not known from it.
    """

    repository: str
    commit: str
    names: tuple[str, ...]
    """The checks, as in `deploy/staging`; none means every check of the commit."""
    action: str
    """`RERUN`, or the identifier of the button."""
    external_id: str | None
    """What we called the check, if it is one and has such a name."""
    app_id: int | None
    """The GitHub App that made the checks. Those of another than ours are none of our business."""
    actor: str
    actor_id: int


class CommandName(StrEnum):
    """What can be asked for in a comment."""

    DEPLOY = "deploy"
    DIFF = "diff"
    REPLAY = "replay"
    HELP = "help"


@dataclass(frozen=True, slots=True)
class Command:
    """An event: someone asks for something in a comment on a pull or merge request.

    What the person may do is not known from it. Nor is how the request stands now, but only how it stood then.
    """

    repository: str
    """The one that the request wants to be merged in, by its full name."""
    number: int
    """The request's."""
    name: CommandName
    arguments: tuple[str, ...]
    """Letters, digits and dashes, as names of environments are. There may be too many or too few of them."""
    comment_id: str
    actor: str
    actor_id: int
    open: bool
    merged: bool
    branch: str | None = None
    """The request's base, where the forge tells; GitHub does not."""
    head: str | None = None
    """The commit that the request wants to bring in, where the forge tells; GitHub does not."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """An event that is authentic and does not concern us."""

    reason: str


Event = Merge | PullRequestEvent | Rerun | Command | Ignored


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
