"""What a measurement was made on, and what its numbers come to."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from statistics import median


def cpu() -> str:
    """Number and name of the processors."""
    info = Path("/proc/cpuinfo")
    names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return f"{os.cpu_count()} x {names[0]}" if names else f"{os.cpu_count()} processors"


def program_version(*argv: str) -> str:
    """The first line of what a program says of its version."""
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()[0]


def milliseconds(seconds: Sequence[float]) -> str:
    """Median, least and most of some times."""
    return f"median {median(seconds) * 1000:.0f} ms (least {min(seconds) * 1000:.0f}, most {max(seconds) * 1000:.0f})"


def verdict(ratio: float, target: float, *, at_least: bool = False) -> str:
    """A ratio beside its target."""
    met = ratio >= target if at_least else ratio <= target
    return f"{ratio:.2f} (target {'at least' if at_least else 'at most'} {target}: {'met' if met else 'MISSED'})"
