"""A process of the Procfile as it is, but for how long it waits before it counts something as left behind: a lease ends
after a second and a half and the clock has little patience, so that a test can wait for that.

    python -m tests.end_to_end.hasty jobs.worker --workers 4
"""

from __future__ import annotations

import runpy
import sys
from datetime import timedelta
from functools import partial

from deployer import store
from deployer.store import turns
from deployer.store.leases import Leases
from jobs import clock, lanes, merge, report, sweep

LEASE_SECONDS = 1.5

if __name__ == "__main__":
    setattr(store, "Leases", partial(Leases, seconds=LEASE_SECONDS))  # noqa: B010 - not one of its public names
    merge.CLAIM = timedelta(seconds=LEASE_SECONDS)
    turns.STARTING = LEASE_SECONDS / 4
    lanes.CLAIM = timedelta(seconds=LEASE_SECONDS)
    report.CLAIM = timedelta(seconds=LEASE_SECONDS)
    sweep.PATIENCE = timedelta(seconds=1)
    setattr(clock, "SWEEP_SECONDS", 0.5)  # noqa: B010 - a fraction, for once
    module, *arguments = sys.argv[1:]
    sys.argv = [module, *arguments]
    if module == "jobs.clock":
        clock.main()  # not run anew, or it would have its own number again
    else:
        runpy.run_module(module, run_name="__main__")
