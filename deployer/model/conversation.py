"""What passes between people and the deployer on a pull or merge request: who may ask, what is asked about, and a sign
that it was seen. Pull and merge requests are called pull requests here, whichever forge has them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Permission(IntEnum):
    """What a person may do in a repository. Each is more than the one before it, so they can be compared."""

    NONE = 0
    READ = 1
    WRITE = 2
    ADMIN = 3


class Reaction(StrEnum):
    """A sign on a comment, in GitHub's words."""

    THUMBS_UP = "+1"
    THUMBS_DOWN = "-1"
    EYES = "eyes"
    ROCKET = "rocket"
    CONFUSED = "confused"


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull or merge request as it is right now."""

    repository: str
    number: int
    head: str
    """The commit that it wants to bring in."""
    base: str
    """The branch that it wants to bring it to."""
    title: str
    open: bool
    merged: bool
    from_fork: bool
    """Whether its commits come from another repository, one that may be gone."""
    merge_commit: str | None = None
    """What its base was at right after it was merged; None before that, and where the forge does not tell."""
