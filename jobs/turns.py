"""Gives the environments that wait their turns. One job gives many: starting a job costs as much as a small deployment.

Jobs only say that something waits. Who waits, and since when, is on record.
"""

from __future__ import annotations

import time

from jobs.deploy import deploy_with
from jobs.lanes import next_turn
from jobs.resources import Resources, resources

ROUND_SECONDS = 20.0
"""One job gives turns for so long."""


def work() -> None:
    """Give turns until nobody waits, or others should have this worker."""
    work_with(resources())


def work_with(given: Resources) -> None:
    """Give turns with given resources; safe to run any number of times, and at once."""
    ends = time.monotonic() + ROUND_SECONDS
    workers = given.queues.workers()
    while (key := next_turn(given, workers=workers)) is not None:
        try:
            deploy_with(given, key)
        finally:
            given.store.turns.end(key)
        if given.store.leases.stopping or time.monotonic() > ends or given.queues.pressing():
            given.queues.deploy()
            return
