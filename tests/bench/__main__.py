"""`make bench`: every figure that README or docs name, measured in one run, beside a peer wherever there is one.

BENCH=webhooks, merge, apply, source or burst runs one of them. On a real API server when KUBEBUILDER_ASSETS is set.
"""

from __future__ import annotations

import logging
import platform
import sys
import tempfile
from pathlib import Path

import structlog

from deployer.source import kustomize
from tests.bench import apply, burst, merge, source, webhooks
from tests.bench.machine import cpu, program_version

BENCHES = {
    "webhooks": webhooks.measure,
    "merge": merge.measure,
    "apply": apply.measure,
    "source": source.measure,
    "burst": burst.measure,
}


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    wanted = sys.argv[1:] or list(BENCHES)
    print(f"machine: {cpu()}; {platform.system()} {platform.release()}; Python {platform.python_version()}")
    print(f"programs: {program_version('git', '--version')}; {kustomize.version()}")
    for name in wanted:
        print(f"\n{name}")
        with tempfile.TemporaryDirectory(prefix=f"bench-{name}-") as folder:
            for line in BENCHES[name](Path(folder)):
                print(f"  {line}", flush=True)


if __name__ == "__main__":
    main()
