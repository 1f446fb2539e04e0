"""How many workers may wait for one forge at the same time, so that one that hangs keeps a worker from nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from deployer.store.leases import Leases
from jobs.resources import Resources


@contextmanager
def admission(given: Resources, forge: str, *, wish: bool = False) -> Iterator[bool]:
    """Be one of those who may ask a forge, until the block ends; False when there are enough of them.

    All workers but one may. Of what people ask for, one at a time: anybody can write comments.

    Args:
        given: resources.
        forge: which is about to be asked.
        wish: for what a person asks for; else for looking at branches, or planning one.
    """
    with ExitStack() as held:
        leases, most = given.store.leases, max(1, given.queues.workers() - 1)
        yield (not wish or _held(held, leases, [f"wish:{forge}"])) and _held(
            held, leases, [f"forge:{forge}:{number}" for number in range(most)]
        )


def _held(held: ExitStack, leases: Leases, names: list[str]) -> bool:
    """Hold the first of some leases that is free."""
    return any(held.enter_context(leases.hold(name)) is not None for name in names)
