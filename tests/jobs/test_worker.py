"""What a worker sees to beside its jobs."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from redis import Redis
from rq import Worker
from rq.serializers import JSONSerializer

from jobs.queue import DEPLOYMENTS
from jobs.worker import PoolWorker, bury


def test_workers_of_this_machine_that_were_killed_are_struck_off(redis: Redis) -> None:
    with subprocess.Popen(["true"]) as gone:
        pass
    alive, dead, elsewhere = (PoolWorker([DEPLOYMENTS], connection=redis, serializer=JSONSerializer) for _ in range(3))
    dead.pid = elsewhere.pid = gone.pid
    for worker in (alive, dead, elsewhere):
        worker.register_birth()
    redis.hset(elsewhere.key, "machine", "another container")
    bury(redis)
    assert {worker.name for worker in Worker.all(connection=redis)} == {alive.name, elsewhere.name}


def test_a_worker_removes_what_killed_jobs_left(redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (left := tmp_path / "deployer-scratch-left").mkdir()
    os.utime(left, (1, 1))
    PoolWorker([DEPLOYMENTS], connection=redis, serializer=JSONSerializer).run_maintenance_tasks()
    assert not left.exists()
