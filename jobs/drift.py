"""Looks for drift where that is due: clusters side by side, the environments of one cluster one after the other.

So a cluster that does not answer delays no other one. When each environment is due is on record.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from redis.exceptions import RedisError

from deployer.model import Drift, Environment, EnvironmentKey
from deployer.process import Leash
from jobs.hold import Asked, Hold, Unanswered, repository_of
from jobs.resources import Resources, resources

log = structlog.get_logger()

ANSWER_SECONDS = 20.0
"""For one environment; then its cluster, or the server that something is fetched from, counts as one that does not
answer, and is left behind. What is being fetched has until the end of the round, so that the next look finds it."""
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
    known = {each.key for each in given.settings.environments}
    if not known.isdisjoint(given.store.drift.due(at=given.clock())) and given.store.drift.ring():
        given.queues.drift()


def check() -> None:
    """Look at what is due; safe to run any number of times, and at once."""
    check_due(resources())


def check_due(given: Resources) -> None:
    """Look at what is due, with given resources, until nothing is or others should have this worker."""
    given.store.drift.answer()
    _let_go(given)
    held = _held(given)
    ends = time.monotonic() + ROUND_SECONDS

    def over() -> bool:
        return time.monotonic() > ends or given.store.leases.stopping

    def due() -> list[Environment]:
        return [] if over() else [held[key] for key in given.store.drift.due(at=given.clock()) if key in held]

    def claim(environment: Environment) -> bool:
        now = given.clock()  # what is not taken any more stays due: the clock has somebody look at it
        return not over() and given.store.drift.claim(environment.key, at=now, until=now + CLAIM)

    _Round(given, due, claim, over=over).run()


def check_now(given: Resources, environments: Sequence[Environment]) -> None:
    """Look at some environments, due or not."""
    waiting = list(environments)

    def due() -> list[Environment]:
        asked, waiting[:] = list(waiting), []
        return asked

    _Round(given, due, lambda _: True, over=lambda: True, most=len(waiting)).run()


def _held(given: Resources) -> Mapping[EnvironmentKey, Environment]:
    return {each.key: each for each in given.settings.environments if each.drift is not Drift.IGNORE}


def _let_go(given: Resources) -> None:
    """What is ignored by now and was not before is not due any more."""
    due = set(given.store.drift.due(at=given.clock()))
    for environment in given.settings.environments:
        if environment.drift is Drift.IGNORE and environment.key in due:
            Hold(given, environment).let_go()


@dataclass(slots=True, eq=False)
class _Lane:
    """One cluster's environments, one after the other, in a thread of their own."""

    given: Resources
    left: list[Environment]
    claim: Callable[[Environment], bool]
    silent: set[str]
    """Repositories whose server does not answer; all lanes share what they find out."""
    leash: Leash = field(default_factory=Leash)
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
        return self._runs and not self.given_up

    @property
    def fetches(self) -> bool:
        """Whether it was left behind, and what it fetches may yet come."""
        return self._runs and self.given_up and self.asked is not Asked.CLUSTER

    @property
    def _runs(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

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
        if asked is Asked.REPOSITORY:
            self.silent.update(map(repository_of, unanswered))
        for environment in unanswered:
            Hold(self.given, environment).unknown(f"no answer from {asked} within {ANSWER_SECONDS:.0f} s")
        return left[len(unanswered) :]

    def _run(self) -> None:
        silent: str | None = None
        with self.leash.worn():
            while self.left and not self.given_up:
                silent = self._look(self.left[0], silent)
                self.asked = Asked.NOBODY
                if not self.given_up:
                    del self.left[0]

    def _asking(self, asked: Asked) -> None:
        self.since, self.asked = time.monotonic(), asked

    def _look(self, environment: Environment, silent: str | None) -> str | None:
        """Look at one environment, if it is for us; why the cluster does not answer, if it does not."""
        hold = Hold(self.given, environment, wanted=lambda: not self.given_up, asking=self._asking, silent=self.silent)
        try:
            if not self.claim(environment):
                return silent
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
    over: Callable[[], bool]
    """Whether what is fetched for nobody any more, so that the next look has it, is not to be waited for."""
    most: int = MOST_LANES
    _begun: list[_Lane] = field(default_factory=list)
    _silent: set[str] = field(default_factory=set)

    def run(self) -> None:
        """Look until nothing is due and no lane is left to wait for."""
        try:
            self._run()
        finally:
            for lane in self._begun:
                lane.leash.cut()

    def _run(self) -> None:
        lanes: dict[str, _Lane] = {}
        while True:
            lanes = {cluster: lane for cluster, lane in lanes.items() if lane.alive}
            for cluster, environments in _by_cluster(self.due()).items():
                if cluster not in lanes and len(lanes) < self.most:
                    lanes[cluster] = self._start(environments)
            if not lanes and (self.over() or not any(lane.fetches for lane in self._begun)):
                return
            for cluster, lane in list(lanes.items()):
                if left := lane.join(_PAUSE / len(lanes)):
                    lanes[cluster] = self._start(left)
            if not lanes:
                time.sleep(_PAUSE)

    def _start(self, environments: Sequence[Environment]) -> _Lane:
        lane = _Lane(self.given, list(environments), self.claim, silent=self._silent)
        self._begun.append(lane)
        lane.start()
        return lane


def _by_cluster(environments: Iterable[Environment]) -> Mapping[str, list[Environment]]:
    found: dict[str, list[Environment]] = {}
    for environment in environments:
        found.setdefault(environment.cluster, []).append(environment)
    return found
