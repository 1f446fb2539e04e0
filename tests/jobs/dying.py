"""How a test has a worker die in the middle of what it does: nothing on its way out is done, as after a SIGKILL."""

from __future__ import annotations


class Killed(BaseException):
    """A worker is gone."""


def die(*_: object, **__: object) -> None:
    """What takes the place of the step in which it dies."""
    raise Killed
