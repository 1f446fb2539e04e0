"""Stands before a cluster and holds chosen requests on their way in, or their answers on the way out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from tests.cluster.scripted import FaultyProxy, Reply, Request, Reset

LONGEST = 60


class Fate(Enum):
    """What becomes of a request that was held."""

    LATE = "it reaches the cluster when it is let go"
    LOST = "it never reaches the cluster, and the client sees the connection break"
    DONE = "it reached the cluster at once, and only its answer was held"


@dataclass
class Hold:
    """Holds the first request of one namespace that `of` chooses."""

    namespace: str
    of: Callable[[Request], bool]
    fate: Fate
    taken: bool = False
    reached: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)

    def takes(self, request: Request) -> bool:
        """Whether this is the request to hold."""
        return f"/namespaces/{self.namespace}/" in request.path and self.of(request)


class Gate(FaultyProxy):
    """Passes requests on to the cluster of a kubeconfig, but for those that it holds."""

    def __init__(self, kubeconfig: Path) -> None:
        super().__init__(kubeconfig)
        self._passing = self.answer
        self.answer = self._held
        self._holds: list[Hold] = []
        self._choosing = threading.Lock()

    def __exit__(self, *problem: object) -> None:
        self.let_go()
        super().__exit__(*problem)

    def hold(self, holds: list[Hold]) -> None:
        """Hold these from now on."""
        self._holds = holds

    def let_go(self) -> None:
        """Let all go that are held, and hold none from now on."""
        holds, self._holds = self._holds, []
        for hold in holds:
            hold.let_go.set()

    def writes(self, *, since: int) -> list[tuple[str, str]]:
        """Method and path of the requests that write, from number `since` of `requests` on."""
        asked = self.requests[since:]
        return [(each.method, each.path) for each in asked if each.method != "GET" and "dryRun" not in each.target]

    def _held(self, request: Request) -> Reply | Reset:
        hold = self._taken(request)
        if hold is None:
            return self._passing(request)
        answer = self._passing(request) if hold.fate is Fate.DONE else None
        hold.reached.set()
        hold.let_go.wait(LONGEST)
        if hold.fate is Fate.LOST:
            return Reset()
        return answer or self._passing(request)

    def _taken(self, request: Request) -> Hold | None:
        with self._choosing:
            for hold in self._holds:
                if not hold.taken and hold.takes(request):
                    hold.taken = True
                    return hold
        return None
