"""The clock's work: finds what was accepted and is not moving, and moves it.

Whatever a killed worker or a restarted Redis left behind is found here: the records say what is owed, the queues are
only how it is asked for. Every job may be asked for twice without harm.
"""

from __future__ import annotations

from datetime import timedelta

import structlog

from jobs.resources import Resources

log = structlog.get_logger()

PATIENCE = timedelta(seconds=20)
"""How long something may be owed before it counts as left behind."""


def sweep_with(given: Resources) -> None:
    """Move what was left behind, with given resources."""
    now = given.clock()
    before = now - PATIENCE
    given.queues.enqueue_late()
    if owed := given.store.deliveries.owed(before=before):
        given.queues.plan()
        log.warning("left behind", what="deliveries", deliveries=[delivery_id for _, delivery_id in owed])
    for key in given.store.deployments.waiting(before=before):
        if not given.store.leases.held(str(key)):
            given.store.deployments.postpone(key, due=now)
            given.queues.deploy(key)
            log.warning("left behind", what="deployment", environment=str(key))
    for key, commit in given.store.deployments.unreported(before=before):
        given.store.deployments.postpone_report(key, commit, due=now)
        given.queues.report(key, commit)
        log.warning("left behind", what="report", environment=str(key), commit=commit)
