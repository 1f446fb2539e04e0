"""The clock process: sees to what is due by time. It enqueues; the work itself is the workers'.

RQ's own cron is not used: it enqueues with pickle, whatever serializer the workers have.
"""

from __future__ import annotations

import math
import signal
import sys
import threading
import time

import structlog
from redis.exceptions import RedisError

from deployer.loaded import record
from deployer.logs import configure
from deployer.settings import SettingsError, surroundings
from jobs import drift, retention
from jobs.resources import Resources, resources
from jobs.sweep import sweep_with
from jobs.tips import ask_for_due

log = structlog.get_logger()

SWEEP_SECONDS = 5


def main() -> None:
    """Run until told to stop (SIGTERM or SIGINT)."""
    configure()
    try:
        given = resources()
        record(given.store.audit, surroundings(), by="clock", at=given.clock())
    except SettingsError as error:
        sys.exit(str(error))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    tick(given, stop)


def tick(given: Resources, stop: threading.Event) -> None:
    """See to what is due at once and then again and again until told to stop; a Redis that is away is waited for."""
    begun, retained = False, -math.inf
    while not stop.is_set():
        try:
            if not begun:
                given.store.tips.start()
                begun = True
            sweep_with(given)
            ask_for_due(given)
            drift.ask_for_due(given)
            # By this process' own clock: whoever can write in Redis cannot keep it from logging the audit's head.
            if time.monotonic() > retained + retention.SECONDS:
                retention.retain_with(given)
                retained = time.monotonic()
        except RedisError as error:
            log.error("redis", error=str(error))
        stop.wait(SWEEP_SECONDS)


if __name__ == "__main__":
    main()
