"""The clock process: sees to what is due by time. It enqueues; the work itself is the workers'.

RQ's own cron is not used: it enqueues with pickle, whatever serializer the workers have.
"""

from __future__ import annotations

import signal
import sys
import threading

import structlog
from redis.exceptions import RedisError

from deployer.logs import configure
from deployer.settings import SettingsError
from jobs.resources import Resources, resources
from jobs.sweep import sweep_with

log = structlog.get_logger()

SWEEP_SECONDS = 5


def main() -> None:
    """Run until told to stop (SIGTERM or SIGINT)."""
    configure()
    try:
        given = resources()
    except SettingsError as error:
        sys.exit(str(error))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    tick(given, stop)


def tick(given: Resources, stop: threading.Event) -> None:
    """Sweep at once and then again and again until told to stop; a Redis that is away is waited for."""
    while not stop.is_set():
        try:
            sweep_with(given)
        except RedisError as error:
            log.error("redis", error=str(error))
        stop.wait(SWEEP_SECONDS)


if __name__ == "__main__":
    main()
