"""Lets environments have workers in turn, so that what several of them share never takes all workers.

A burst of merges in one repository, or a cluster that does not answer, leaves one worker to the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from deployer.model import EnvironmentKey
from deployer.planning import in_turn
from deployer.store.turns import Running
from jobs.resources import Resources

LOOKING = timedelta(seconds=1)
"""After this an environment waits again whose rollout somebody looks at."""
CLAIM = timedelta(seconds=30)
"""After this an environment waits again, should its worker have died before it took the lease."""


def next_turn(given: Resources, *, workers: int) -> EnvironmentKey | None:
    """Take the turn of an environment that waits: of those whose repository and cluster have the fewest under way, of
    the one that waits longest.

    Args:
        given: resources.
        workers: how many there are.

    Returns:
        None when nobody waits that may have a turn now. Whoever gets one calls `turns.end`.
    """
    while True:
        now = given.clock()
        waiting = given.store.deployments.waiting(before=now)
        chosen, seen = _choose(given, waiting, workers=workers)
        if chosen is None:
            return None
        if given.store.turns.take(chosen, at=now, patience=CLAIM, seen=seen):
            return chosen
        if given.store.leases.held(str(chosen)):  # by a look at its rollout, which does not take long
            given.store.deployments.postpone(chosen, due=now + LOOKING)


@contextmanager
def room(given: Resources, key: EnvironmentKey) -> Iterator[bool]:
    """Have an environment count as worked on until the block ends; False when others are to go first."""
    if not given.settings.lanes(key):
        yield True
        return
    chosen, seen = _choose(given, [key], workers=given.queues.workers())
    if chosen is None or not given.store.turns.enter(key, seen=seen):
        yield False
        return
    try:
        yield True
    finally:
        given.store.turns.end(key)


def _choose(given: Resources, keys: Sequence[EnvironmentKey], *, workers: int) -> tuple[EnvironmentKey | None, Running]:
    running = given.store.turns.running()
    most = max(1, workers - 1)
    chosen = in_turn(keys, running=running.keys, lanes=given.settings.lanes, most=most)
    return (chosen[0] if chosen else None), running
