"""What the sandbox forge says no with. Each API and the pages turn these into their own kind of answer."""

from __future__ import annotations


class Refused(Exception):  # noqa: N818 - reads as what happened
    """The forge will not do what was asked; the message says why, for people."""


class Unauthenticated(Refused):
    """Nobody is let in with what was shown."""


class Forbidden(Refused):
    """Whoever asks may not do this."""


class NotFound(Refused):
    """There is no such repository, commit, pull request, comment or delivery."""


class Invalid(Refused):
    """One field of what was sent is not acceptable."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field} {message}")
        self.field = field
        self.message = message


class TransitionRefused(Refused):
    """A commit status or a deployment cannot go from where it is to where it was sent (GitLab)."""


class Taken(Refused):
    """It is there already, and can be there only once."""


class NotMergeable(Refused):
    """The pull request is merged or closed already, or its branch does not merge cleanly."""


class HeadMoved(Refused):
    """The caller expected another commit at the head of the pull request."""
