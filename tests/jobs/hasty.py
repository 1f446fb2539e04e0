"""The worker process as the Procfile starts it, but for its leases and turns: they end after two seconds, so that a
test can wait for that."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from deployer import store
from deployer.store import turns
from deployer.store.leases import Leases
from jobs import lanes, worker

LEASE_SECONDS = 2.0

if __name__ == "__main__":
    setattr(store, "Leases", partial(Leases, seconds=LEASE_SECONDS))  # noqa: B010 - not one of its public names
    turns.STARTING = LEASE_SECONDS / 4
    setattr(lanes, "CLAIM", timedelta(seconds=LEASE_SECONDS))  # noqa: B010 - no constant of its own
    worker.main()
