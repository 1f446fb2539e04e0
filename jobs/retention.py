"""Keeps the audit as long as the settings say, and no longer; and says where it stands, for whoever keeps the logs.

Whoever can write in Redis can write the whole audit anew. The head that was logged before then fits no row any more.
"""

from __future__ import annotations

from datetime import timedelta

import structlog

from jobs.resources import Resources

log = structlog.get_logger()

SECONDS = 3600
"""How often the clock comes here."""

TOGETHER = timedelta(days=1)
"""Rows go when the oldest is so much over its time: each trimming is a row, too, and there shall be few of them."""


def retain_with(given: Resources) -> None:
    """Log the head of the audit, then trim what is too old, with given resources; does no harm at any time."""
    log.info("audit", head=given.store.audit.head)
    now = given.clock()
    before = now - timedelta(seconds=given.settings.audit_retention)
    oldest = given.store.audit.oldest
    if oldest is None or oldest > before - TOGETHER:
        return
    if rows := given.store.audit.trim(before=before, at=now):
        log.info("audit trimmed", rows=rows, before=before.isoformat(), head=given.store.audit.head)
