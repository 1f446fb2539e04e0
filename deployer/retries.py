"""How often and when a temporary fault is tried again. Pure, but for the dice that the caller throws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from deployer.model import Temporary

LONGEST_ASKED = 900.0
"""Seconds that another side can make us wait by asking for it, whatever it asks for."""


@dataclass(frozen=True, slots=True)
class Budget:
    """At most `attempts` tries, `first` seconds before the second one and twice as long before each further one."""

    attempts: int
    first: float
    longest: float

    def delay(self, attempt: int, fault: Temporary, *, dice: Callable[[], float]) -> float | None:
        """Seconds to wait after the failed try number `attempt`, or None when there is no further one.

        Half of the wait is left to chance, so that many that failed together do not come back together. If the other
        side asked for a time, it is not less than that, within reason.

        Args:
            attempt: counted from 1.
            fault: why the try failed.
            dice: a number from 0 to 1.
        """
        if attempt >= self.attempts:
            return None
        wait = min(self.longest, self.first * 2.0 ** (attempt - 1))
        return max(wait * (0.5 + dice() / 2), min(fault.retry_after or 0.0, LONGEST_ASKED))

    def announce(self, attempt: int, delay: float, fault: Temporary) -> str:
        """What people read while it waits, as in `retry 2 of 5 in 8 s: …`."""
        return f"retry {attempt} of {self.attempts - 1} in {delay:.0f} s: {fault.message}"


DEPLOYMENTS = Budget(attempts=6, first=2, longest=60)
REPORTS = Budget(attempts=20, first=5, longest=600)
"""More than an hour altogether: a forge may be away that long, and the commit must say the truth afterwards."""
