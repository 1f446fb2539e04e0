"""The queues: what can be enqueued, under which name, with which limits. Carries names and commits as JSON only.

Jobs are named by text, so that enqueuing one imports nothing of what it will do.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from redis import Redis
from rq import Queue, Worker
from rq.serializers import JSONSerializer

from deployer.model import EnvironmentKey

MERGES = "merges"
DEPLOYMENTS = "deployments"
LOOKS = "looks"
REPORTS = "reports"
CHECKS = "checks"

DEPLOY_SECONDS = 1800
WORK_SECONDS = DEPLOY_SECONDS + 60
MERGE_SECONDS = WORK_SECONDS + 300
LOOK_SECONDS = 120
REPORT_SECONDS = 120
CHECK_SECONDS = 600
KEEP_FAILED_SECONDS = 3600
"""What failed is in the records and in the log; RQ's own default would keep it for a year."""

BEAT_SECONDS = 5
HEARD = timedelta(seconds=3 * BEAT_SECONDS)
"""How often a worker says that it lives, and after what silence it counts as dead."""

ENOUGH = 16
"""So many jobs in the queue occupy every worker for as long as anything waits."""

LATE_SECONDS = 3
"""After this long nobody is going to enqueue what was to be enqueued at a time."""


@dataclass(frozen=True, slots=True)
class Work:
    """One job: the name of a function, names for it to look up, and the seconds it may take."""

    job: str
    args: tuple[str, ...]
    seconds: int


class Queues:
    """All queues behind one connection. Every job may be enqueued any number of times: asking twice does no harm."""

    def __init__(self, redis: Redis) -> None:
        self._merges = _queue(MERGES, redis)
        self._deployments = _queue(DEPLOYMENTS, redis)
        self._looks = _queue(LOOKS, redis)
        self._reports = _queue(REPORTS, redis)
        self._checks = _queue(CHECKS, redis)
        self._all = (self._merges, self._deployments, self._looks, self._reports, self._checks)

    def plan(self, *, delay: float = 0) -> None:
        """Have somebody look at the deliveries that are owed."""
        self._enqueue(self._merges, Work("jobs.merge.plan", (), MERGE_SECONDS), delay=delay)

    def plan_beside(self) -> None:
        """Have somebody else look at them, too, if nobody is about to."""
        if not self._merges.count:
            self.plan()

    def deploy(self, *, delay: float = 0) -> None:
        """Have somebody give turns to the environments that wait (now, or in so many seconds).

        One job gives many, so a few that are asked for are enough for all workers.
        """
        if delay or self._deployments.count < ENOUGH:
            self._enqueue(self._deployments, Work("jobs.turns.work", (), WORK_SECONDS), delay=delay)

    def look(self, key: EnvironmentKey, number: int, *, delay: float) -> None:
        """Have the rollout in an environment looked at, unless that look has been made by then."""
        self._enqueue(self._looks, Work("jobs.rollout.look", (str(key), str(number)), LOOK_SECONDS), delay=delay)

    def report(self, *, delay: float = 0) -> None:
        """Have the forges told what is owed to them (now, or in so many seconds); one job tells a lot."""
        if delay or self._reports.count < ENOUGH:
            self._enqueue(self._reports, Work("jobs.report.report", (), REPORT_SECONDS), delay=delay)

    def drift(self) -> None:
        """Have somebody compare with git the environments of which that is due."""
        if self._checks.count < ENOUGH:
            self._enqueue(self._checks, Work("jobs.drift.check", (), CHECK_SECONDS))

    def preview(self, *, delay: float = 0) -> None:
        """Have somebody make the previews that are owed (now, or in so many seconds)."""
        if delay or self._checks.count < ENOUGH:
            self._enqueue(self._checks, Work("jobs.preview.preview", (), CHECK_SECONDS), delay=delay)

    def enqueue_late(self) -> None:
        """Enqueue what had to wait for a time that has gone by.

        RQ's scheduler does it, but ends with its worker and with its connection to Redis, and the lock that it leaves
        behind keeps others from taking over for a minute; they look only every ten.
        """
        for queue in self._all:
            waiting = queue.scheduled_job_registry
            for job_id in waiting.get_jobs_to_schedule(int(time.time()) - LATE_SECONDS):
                if job := queue.fetch_job(job_id):
                    queue.enqueue_job(job)
                waiting.remove(job_id)

    def compare(self, forge: str) -> None:
        """Have the branches of a forge that are due compared with what was planned of them."""
        self._enqueue(self._looks, Work("jobs.tips.compare", (forge,), LOOK_SECONDS))

    def pressing(self) -> bool:
        """Whether something waits that is done before environments get turns: it takes only a moment."""
        return bool(self._merges.count or self._looks.count)

    def workers(self) -> int:
        """How many processes there are, on any machine, that give turns. One that was killed is none, soon after that;
        RQ itself would count it for minutes."""
        heard = (worker.last_heartbeat for worker in Worker.all(queue=self._deployments))
        return sum(at is not None and datetime.now(UTC) - at < HEARD for at in heard)

    def depths(self) -> dict[str, int]:
        """How many jobs wait in each queue."""
        return {queue.name: queue.count for queue in self._all}

    def _enqueue(self, queue: Queue, work: Work, *, delay: float = 0) -> None:
        limits = {"job_timeout": work.seconds, "result_ttl": 0, "failure_ttl": KEEP_FAILED_SECONDS}
        if delay:
            queue.enqueue_in(timedelta(seconds=delay), work.job, args=work.args, **limits)
        else:
            queue.enqueue(work.job, args=work.args, **limits)


def _queue(name: str, redis: Redis) -> Queue:
    return Queue(name, connection=redis, serializer=JSONSerializer)
