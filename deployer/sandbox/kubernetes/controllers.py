"""What happens in a cluster by itself: namespaces empty out, dependents go with their owners, definitions take effect.

One thread follows the store's events and hands each to the controllers; anything that shall happen a little later is
put on a list. A controller holds no state that the store does not have.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import threading
import time
from collections.abc import Callable, Sequence

from deployer.sandbox.kubernetes.errors import ApiError
from deployer.sandbox.kubernetes.store import Event, Store

_IDLE = 1.0
"""Seconds after which the thread looks whether it shall end."""

Controller = Callable[[Event], None]


class Later:
    """Things to do after a delay, by the thread that follows the events."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def add(self, seconds: float, action: Callable[[], None]) -> None:
        """Do `action` after so many seconds."""
        heapq.heappush(self._heap, (time.monotonic() + seconds, next(self._order), action))

    def due(self) -> Callable[[], None] | None:
        """The next action whose time has come."""
        if self._heap and self._heap[0][0] <= time.monotonic():
            return heapq.heappop(self._heap)[2]
        return None

    def wait(self) -> float:
        """Seconds until the next action, at most `_IDLE`."""
        return min(_IDLE, max(0.0, self._heap[0][0] - time.monotonic())) if self._heap else _IDLE


class Controllers:
    """The thread that runs the controllers of one cluster."""

    def __init__(self, store: Store, controllers: Sequence[Controller], later: Later) -> None:
        self._store = store
        self._controllers = controllers
        self._later = later
        self._seen = 0
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="sandbox-controllers", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread and wait for it."""
        with self._store.changed:
            self._ended = True
            self._store.changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended:
            for event in self._next():
                self._seen = event.version
                for controller in self._controllers:
                    _run(lambda act=controller, event=event: act(event))  # type: ignore[misc]
            while (action := self._later.due()) is not None:
                _run(action)

    def _next(self) -> list[Event]:
        with self._store.changed:
            events = self._store.since(self._seen)
            if not events and not self._ended:
                self._store.changed.wait(self._later.wait())
            return events


def _run(action: Callable[[], None]) -> None:
    """What a client was refused meanwhile, or did itself, is no reason to stop."""
    with contextlib.suppress(ApiError):
        action()
