"""What a worker sees to beside its jobs."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from redis import Redis
from rq.serializers import JSONSerializer

from jobs.queue import DEPLOYMENTS
from jobs.worker import PoolWorker


def test_a_worker_removes_what_killed_jobs_left(redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (left := tmp_path / "deployer-scratch-left").mkdir()
    os.utime(left, (1, 1))
    PoolWorker([DEPLOYMENTS], connection=redis, serializer=JSONSerializer).run_maintenance_tasks()
    assert not left.exists()
