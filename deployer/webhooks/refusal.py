"""The three ways in which a request is turned away: answers to a sender, not stages of a deployment."""

from __future__ import annotations

from typing import ClassVar


class Refused(Exception):  # noqa: N818 - its kinds are named for what is wrong with the request
    """A webhook request that is not let in. Raise one of its three kinds.

    The message is the reason as the sender reads it, so it never contains a secret or a value computed from one.
    """

    status: ClassVar[int]
    """The HTTP status that answers it."""


class Unverified(Refused):
    """Nothing proves that the forge sent this."""

    status = 401


class Malformed(Refused):
    """It came from the forge, and is not what the forge documents that it sends."""

    status = 400


class UnsupportedMediaType(Refused):
    """The body is of a kind that this forge does not send."""

    status = 415
