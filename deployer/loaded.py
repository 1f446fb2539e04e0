"""Puts into the audit which settings a process has loaded. Not the settings themselves: the file's digest."""

from __future__ import annotations

from datetime import datetime

import structlog
from redis.exceptions import RedisError

from deployer.settings import Surroundings, digest
from deployer.store.audit import Audit

log = structlog.get_logger()


def record(audit: Audit, around: Surroundings, *, by: str, at: datetime) -> None:
    """Say that a process has loaded the settings file, unless the last one of its sort loaded the same.

    A Redis that is away keeps no process from starting; then only the log says it.

    Args:
        audit: where to.
        around: what names the file.
        by: the sort of process: web, worker or clock.
        at: when.

    Raises:
        SettingsError: the file cannot be read any more.
    """
    found = digest(around.config)
    log.info("settings", process=by, digest=found)
    try:
        audit.loaded(found, by=by, at=at)
    except RedisError as error:
        log.warning("settings not in the audit", process=by, digest=found, error=str(error))
