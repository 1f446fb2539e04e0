"""The two errors, and the stages in which they arise."""

from __future__ import annotations

from enum import StrEnum


class Stage(StrEnum):
    """Where in its life a deployment is, and where an error arose."""

    RECEIVE = "receive"
    PLAN = "plan"
    FETCH = "fetch"
    RENDER = "render"
    APPLY = "apply"
    ROLLOUT = "rollout"
    REPORT = "report"


class Failure(Exception):  # noqa: N818 - its two kinds are named for what they mean to the reader
    """Something that ends or delays a deployment. Raise one of its two kinds.

    The message says what was being done, to what, what went wrong and what to do about it. It is read on the
    commit and in the log, so it never contains a secret.
    """

    def __init__(self, message: str, *, stage: Stage) -> None:
        super().__init__(message)
        self.message = message
        self.stage = stage


class Permanent(Failure):
    """Trying again would fail again: bad input, refused, forbidden."""


class Temporary(Failure):
    """Trying again may work: network, lock, overload, a commit that is not there yet."""

    def __init__(self, message: str, *, stage: Stage, retry_after: float | None = None) -> None:
        super().__init__(message, stage=stage)
        self.retry_after = retry_after
        """Seconds that the other side asked us to wait, if it did."""
