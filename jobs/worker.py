"""The worker process: imports everything, then forks the workers that run the jobs.

Some workers do merges and deployments; one does nothing but reports, so that the word on the commit never waits behind
a deployment, and a forge that is slow holds up no deployment.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
import sys
from multiprocessing.process import BaseProcess
from typing import Any

import click
import structlog
from redis import Redis
from rq import Worker
from rq.serializers import JSONSerializer
from rq.worker_pool import WorkerPool

import jobs.deploy
import jobs.merge
import jobs.report  # noqa: F401 - all imported before the fork, so that no job pays for it
from deployer.logs import configure
from deployer.model import Permanent
from deployer.settings import SettingsError
from deployer.source import kustomize
from jobs.queue import DEPLOYMENTS, MERGES, REPORTS
from jobs.resources import resources

log = structlog.get_logger()

WORKING = (MERGES, DEPLOYMENTS)
REPORTING = (REPORTS,)
_LATER = 10
"""By how much the reports leave the processor to the deployments that they are about."""
_PR_SET_PDEATHSIG = 1  # man 2 prctl


class PoolWorker(Worker):
    """RQ's worker, which stops when it is told to or the pool is gone, however that came about.

    The job at hand is told, too: a deployment does not begin another write, but is handed on to another worker.
    """

    def work(self, *args: Any, **options: Any) -> bool:  # noqa: ANN401 - passed on
        """Work until told to stop, or until the process that started this one has ended (Linux)."""
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if self.queue_names() == list(REPORTING):
            os.nice(_LATER)
        return bool(super().work(*args, **options))

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


class Pool(WorkerPool):
    """RQ's pool, whose first living worker is always the one that reports."""

    def __init__(self, *, workers: int, redis: Redis) -> None:
        super().__init__(
            WORKING, connection=redis, num_workers=workers + 1, worker_class=PoolWorker, serializer=JSONSerializer
        )
        self._reporter: BaseProcess | None = None

    def get_worker_process(self, name: str, *args: Any, **options: Any) -> BaseProcess:  # noqa: ANN401 - passed on
        """A process that is ready to start; which queues it works on depends on who is alive."""
        if self._reporter is not None and self._reporter.is_alive():
            self._queue_names = list(WORKING)
            return super().get_worker_process(name, *args, **options)
        self._queue_names = list(REPORTING)
        self._reporter = super().get_worker_process(name, *args, **options)
        return self._reporter


def settle_memory() -> None:
    """Take what was imported out of the garbage collector's sight: it stays, and each job would search it anew."""
    gc.collect()
    gc.freeze()


@click.command()
@click.option("--workers", default=4, show_default=True, help="Merges and deployments at once, beside the reports.")
def main(workers: int) -> None:
    """Work until told to stop (SIGTERM or SIGINT: what has begun is finished first)."""
    configure()
    try:
        given = resources()
        version = kustomize.version()  # asked here once, and not in each job
    except (SettingsError, Permanent) as error:
        sys.exit(str(error))
    log.info("worker", renders_with=version, workers=workers)
    if left := kustomize.uncaged():
        log.warning(f"unshare(1) is not there or not allowed: kustomize runs with {left}")
    settle_memory()
    Pool(workers=workers, redis=given.redis).start(logging_level="WARNING")


if __name__ == "__main__":
    main()
