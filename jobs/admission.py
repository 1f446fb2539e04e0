"""How many workers may wait for one forge at the same time, so that one that hangs keeps a worker
from nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from jobs.resources import Resources

WISHES = 1
"""Anybody can write comments, so what people ask for has one worker at each forge, and merges have the others."""


@contextmanager
def admission(given: Resources, forge: str, *, wish: bool = False) -> Iterator[bool]:
    """Be one of those who may ask a forge, until the block ends; False when there are enough of them.

    Args:
        given: resources.
        forge: which is about to be asked.
        wish: for what a person asks for; else for planning a branch, which leaves a worker to other forges.
    """
    most = WISHES if wish else max(1, given.queues.workers() - 1)
    for number in range(most):
        with given.store.leases.hold(f"{'wish' if wish else 'plan'}:{forge}:{number}") as lease:
            if lease is not None:
                yield True
                return
    yield False
