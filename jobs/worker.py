"""The worker process: imports everything, then forks the workers that run the jobs.

Some workers do merges and deployments; one does nothing but reports, so that the word on the commit never waits behind
a deployment, and a forge that is slow holds up no deployment. One does nothing but previews and looks for drift, which
are never in a deployment's way.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import secrets
import signal
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import click
import structlog
from redis import Redis
from rq import Worker
from rq.serializers import JSONSerializer
from rq.worker_pool import WorkerPool

import jobs.deploy
import jobs.drift
import jobs.merge
import jobs.report
import jobs.turns  # noqa: F401 - all imported before the fork, so that no job pays for it
from deployer import scratch
from deployer.loaded import record
from deployer.logs import configure
from deployer.model import Permanent
from deployer.settings import SettingsError, surroundings
from deployer.source import kustomize
from jobs.queue import BEAT_SECONDS, CHECKS, DEPLOYMENTS, LOOKS, MERGES, REPORTS
from jobs.resources import resources

log = structlog.get_logger()

WORKING = (MERGES, LOOKS, DEPLOYMENTS)
REPORTING = (REPORTS,)
CHECKING = (CHECKS,)
_LATER = 10
"""By how much checks leave the processor to deployments and to the word on them."""
_MACHINE = "machine"
"""Field of RQ's record of a worker."""
_RQ_SPARES = 15
"""Seconds by which RQ's worker says that it lives before its time is up."""
_PR_SET_PDEATHSIG = 1  # man 2 prctl


class PoolWorker(Worker):
    """RQ's worker, which stops when it is told to or the pool is gone, however that came about.

    The job at hand is told, too: a deployment does not begin another write, but is handed on to another worker.
    """

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - passed on
        beats = {"worker_ttl": BEAT_SECONDS + _RQ_SPARES, "job_monitoring_interval": BEAT_SECONDS}
        super().__init__(*args, **{**options, **beats})

    def work(self, *args: Any, **options: Any) -> bool:  # noqa: ANN401 - passed on
        """Work until told to stop, or until the process that started this one has ended (Linux)."""
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if self.queue_names() == list(CHECKING):
            os.nice(_LATER)
        return bool(super().work(*args, **options))

    def register_birth(self) -> None:
        """Say that this worker lives, and where its pid means anything."""
        super().register_birth()  # type: ignore[no-untyped-call]
        self.connection.hset(self.key, _MACHINE, machine())

    def run_maintenance_tasks(self) -> None:
        """At the start and every ten minutes, as RQ has it; what killed jobs left on the disk goes then, too."""
        super().run_maintenance_tasks()  # type: ignore[no-untyped-call]
        try:
            left = scratch.sweep()
        except Exception:  # no reason to stop working
            log.exception("what killed jobs left was not removed")
        else:
            log.info("removed what killed jobs left", folders=left)

    def handle_warm_shutdown_request(self) -> None:
        """Told to stop: pass it on to whoever runs the job."""
        if self.horse_pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.horse_pid, signal.SIGTERM)

    def setup_work_horse_signals(self) -> None:
        """In the process that runs the job; RQ's own would end it in the middle of a write."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, _hand_on)


def _hand_on(*_: object) -> None:
    resources().store.leases.stopping = True


def machine() -> bytes:
    """Where a pid means a process: names the boot of this machine, and the container."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}".encode()
    except OSError:  # not Linux: nobody is known to be on the same one
        return secrets.token_hex(16).encode()


def bury(redis: Redis) -> None:
    """Strike off the workers of this machine that were killed: until they are, they count among those that live."""
    for worker in Worker.all(connection=redis):
        if redis.hget(worker.key, _MACHINE) == machine() and worker.pid and not _lives(worker.pid):
            worker.register_death()  # type: ignore[no-untyped-call]


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


class Pool(WorkerPool):
    """RQ's pool, in which one living worker always reports and another one checks."""

    def __init__(self, *, workers: int, redis: Redis) -> None:
        super().__init__(
            WORKING, connection=redis, num_workers=workers + 2, worker_class=PoolWorker, serializer=JSONSerializer
        )
        self._apart: dict[tuple[str, ...], BaseProcess] = {}

    def get_worker_process(self, name: str, *args: Any, **options: Any) -> BaseProcess:  # noqa: ANN401 - passed on
        """A process that is ready to start; which queues it works on depends on who is alive."""
        queues = next((each for each in (REPORTING, CHECKING) if not self._is_alive(each)), WORKING)
        self._queue_names = list(queues)
        process = super().get_worker_process(name, *args, **options)
        if queues != WORKING:
            self._apart[queues] = process
        return process

    def _is_alive(self, queues: tuple[str, ...]) -> bool:
        return queues in self._apart and self._apart[queues].is_alive()


def settle_memory() -> None:
    """Take what was imported out of the garbage collector's sight: it stays, and each job would search it anew."""
    gc.collect()
    gc.freeze()


@click.command()
@click.option(
    "--workers", default=4, show_default=True, help="Merges and deployments at once, beside the reports and checks."
)
def main(workers: int) -> None:
    """Work until told to stop (SIGTERM or SIGINT: what has begun is finished first)."""
    configure()
    try:
        given = resources()
        record(given.store.audit, surroundings(), by="worker", at=given.clock())
        version = kustomize.version()  # asked here once, and not in each job
    except (SettingsError, Permanent) as error:
        sys.exit(str(error))
    log.info("worker", renders_with=version, workers=workers)
    if left := kustomize.uncaged():
        log.warning(f"unshare(1) is not there or not allowed: kustomize runs with {left}")
    settle_memory()
    bury(given.redis)
    Pool(workers=workers, redis=given.redis).start(logging_level="WARNING")


if __name__ == "__main__":
    main()
