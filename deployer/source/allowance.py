"""How many values of YAML may be read, in all the texts that one question leads to. Pure but for the count."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_left: ContextVar[list[int] | None] = ContextVar("left", default=None)


class TooMuch(Exception):  # noqa: N818 - reads as what is the matter
    """All texts together hold more values than may be read."""


@contextmanager
def at_most(values: int) -> Iterator[None]:
    """Bound what is read within: so many values of all texts together, be they within others or stand for aliases.

    Raises:
        TooMuch: in whatever reads the first one too many.
    """
    token = _left.set([values])
    try:
        yield
    finally:
        _left.reset(token)


def spend(values: int) -> None:
    """Count values that are read.

    Raises:
        TooMuch: they are more than `at_most` allows.
    """
    left = _left.get()
    if left is not None:
        left[0] -= values
        if left[0] < 0:
            raise TooMuch
