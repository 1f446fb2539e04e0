"""Finds what was accepted and is not moving, and moves it.

Whatever a killed worker or a restarted Redis left behind is found here: the records say what is owed, the queues are
only how it is asked for. Every job may be asked for twice without harm.
"""

from __future__ import annotations

from datetime import timedelta

import structlog

from jobs.queue import ENOUGH
from jobs.resources import Resources

log = structlog.get_logger()

PATIENCE = timedelta(seconds=20)
"""How long something may be owed before it counts as left behind."""


SOON = timedelta(seconds=2)
"""How long something may be owed before it is asked for once more: clocks of machines differ."""


def sweep_with(given: Resources) -> None:
    """Move what was left behind, with given resources."""
    now = given.clock()
    before = now - PATIENCE
    given.queues.enqueue_late()
    if given.store.deliveries.owed(before=now - SOON) or given.store.tips.owed(before=now - SOON):
        given.queues.plan()  # by the clock of who took it in it may have been due before it was by the worker's
    if owed := given.store.deliveries.owed(before=before):
        log.warning("left behind", what="deliveries", deliveries=[delivery_id for _, delivery_id in owed])
    if branches := given.store.tips.owed(before=before):
        log.warning("left behind", what="branches", branches=list(map(str, branches)))
    if requests := given.store.previews.owed(before=before):
        given.queues.preview()
        log.warning("left behind", what="previews", requests=list(map(str, requests)))
    for _ in given.store.deployments.waiting(before=now)[:ENOUGH]:
        given.queues.deploy()
    if left := given.store.deployments.waiting(before=before):
        log.warning("left behind", what="deployments", environments=list(map(str, left)))
    if given.store.reports.owed(before=now):
        given.queues.report()
    if reports := given.store.reports.owed(before=before):
        log.warning("left behind", what="reports", reports=[f"{key}@{commit}" for key, commit in reports])
