"""Looks for drift where that is due: clusters side by side, the environments of one cluster one after the other.

So a cluster that does not answer delays no other one. When each environment is due is on record.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog
from redis.exceptions import RedisError

from deployer.model import Drift, Environment, EnvironmentKey
from jobs.hold import Asked, Hold, Unanswered
from jobs.resources import Resources, resources

log = structlog.get_logger()

ANSWER_SECONDS = 20.0
"""For one environment; then its cluster, or its repository's server, counts as one that does not answer, and is left
behind."""
ROUND_SECONDS = 60.0
"""One job looks for so long."""
CLAIM = timedelta(seconds=120)
"""After this an environment is due again, should whoever looks at it not come to an end."""
MOST_LANES = 32
_PAUSE = 0.2


def ask_for_due(given: Resources) -> None:
    """Have a worker look at what is due. This is the clock's part: it asks no cluster itself."""
    held = _held(given)
    spread = {
        key: given.clock() + timedelta(seconds=held[key].drift_interval * random.random())  # noqa: S311
        for key in given.store.drift.unknown(held)
    }
    given.store.drift.begin(spread)
    due = given.store.drift.due(at=given.clock())
    if any(key in held for key in due) and given.store.drift.ring():
        given.queues.drift()


def check() -> None:
    """Look at what is due; safe to run any number of times, and at once."""
    check_due(resources())


def check_due(given: Resources) -> None:
    """Look at what is due, with given resources, until nothing is or others should have this worker."""
    given.store.drift.answer()
    held = _held(given)
    ends = time.monotonic() + ROUND_SECONDS

    def over() -> bool:
        return time.monotonic() > ends or given.store.leases.stopping

    def due() -> list[Environment]:
        return [] if over() else [held[key] for key in given.store.drift.due(at=given.clock()) if key in held]

    def claim(environment: Environment) -> bool:
        now = given.clock()  # what is not taken any more stays due: the clock has somebody look at it
        return not over() and given.store.drift.claim(environment.key, at=now, until=now + CLAIM)

    _Round(given, due, claim).run()


def check_now(given: Resources, environments: Sequence[Environment]) -> None:
    """Look at some environments, due or not."""
    waiting = list(environments)

    def due() -> list[Environment]:
        asked, waiting[:] = list(waiting), []
        return asked

    _Round(given, due, lambda _: True, most=len(waiting)).run()


def _held(given: Resources) -> Mapping[EnvironmentKey, Environment]:
    return {each.key: each for each in given.settings.environments if each.drift is not Drift.IGNORE}


@dataclass(slots=True, eq=False)
class _Lane:
    """One cluster's environments, one after the other, in a thread of their own."""

    given: Resources
    left: list[Environment]
    claim: Callable[[Environment], bool]
    asked: Asked = Asked.NOBODY
    """Whom it waits for."""
    since: float = 0
    given_up: bool = False
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin. The thread keeps no process from ending."""
        name = f"drift {self.left[0].cluster}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether anything is left to wait for."""
        return self._thread is not None and self._thread.is_alive() and not self.given_up

    def join(self, seconds: float) -> Sequence[Environment]:
        """Wait for the end, for so long at most; one that takes too long is left behind.

        Returns:
            Environments that are still to be looked at then: those of a cluster to which nothing was sent.
        """
        if self._thread is not None:
            self._thread.join(seconds)
        asked = self.asked
        if not self.alive or asked is Asked.NOBODY or time.monotonic() - self.since <= ANSWER_SECONDS:
            return ()
        self.given_up = True
        left = list(self.left)
        unanswered = left if asked is Asked.CLUSTER else left[:1]
        for environment in unanswered:
            Hold(self.given, environment).unknown(f"no answer from {asked} within {ANSWER_SECONDS:.0f} s")
        return left[len(unanswered) :]

    def _run(self) -> None:
        silent: str | None = None
        while self.left and not self.given_up:
            environment = self.left[0]
            if self.claim(environment):
                silent = self._look(environment, silent)
            self.asked = Asked.NOBODY
            if not self.given_up:
                del self.left[0]

    def _asking(self, asked: Asked) -> None:
        self.since, self.asked = time.monotonic(), asked

    def _look(self, environment: Environment, silent: str | None) -> str | None:
        """Look at one environment; why the cluster does not answer, if it does not."""
        hold = Hold(self.given, environment, wanted=lambda: not self.given_up, asking=self._asking)
        try:
            if silent is None:
                hold.look()
            else:
                hold.unknown(silent)
        except Unanswered as error:
            return str(error)
        except RedisError as error:
            log.error("redis", error=str(error))
        except Exception as error:
            log.exception("internal error", environment=str(environment.key))
            hold.unknown(f"internal error ({type(error).__name__}); the worker's log has the details")
        return silent


@dataclass(frozen=True, slots=True)
class _Round:
    """Lanes side by side, and what becomes due meanwhile in those that are free."""

    given: Resources
    due: Callable[[], Iterable[Environment]]
    claim: Callable[[Environment], bool]
    most: int = MOST_LANES

    def run(self) -> None:
        """Look until nothing is due and no lane is left to wait for."""
        lanes: dict[str, _Lane] = {}
        while True:
            lanes = {cluster: lane for cluster, lane in lanes.items() if lane.alive}
            for cluster, environments in _by_cluster(self.due()).items():
                if cluster not in lanes and len(lanes) < self.most:
                    lanes[cluster] = self._start(environments)
            if not lanes:
                return
            share = _PAUSE / len(lanes)
            for cluster, lane in list(lanes.items()):
                if left := lane.join(share):
                    lanes[cluster] = self._start(left)

    def _start(self, environments: Sequence[Environment]) -> _Lane:
        lane = _Lane(self.given, list(environments), self.claim)
        lane.start()
        return lane


def _by_cluster(environments: Iterable[Environment]) -> Mapping[str, list[Environment]]:
    found: dict[str, list[Environment]] = {}
    for environment in environments:
        found.setdefault(environment.cluster, []).append(environment)
    return found
