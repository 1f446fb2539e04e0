"""Watching: the events after a resource version, one JSON line each, until the time is up.

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from deployer.sandbox.kubernetes.errors import ApiError
from deployer.sandbox.kubernetes.objects import Object
from deployer.sandbox.kubernetes.reads import number, select, selector_of
from deployer.sandbox.kubernetes.selectors import Selector
from deployer.sandbox.kubernetes.store import Event, Store
from deployer.sandbox.kubernetes.target import Target
from deployer.sandbox.kubernetes.versions import shown_in

LONGEST = 1800
"""Seconds after which a watch that names no `timeoutSeconds` ends."""
_HEARTBEAT = 1.0
"""Seconds after which a watch without events looks whether it shall end."""


@dataclass(frozen=True, slots=True)
class Watch:
    """One watch: what it watches, since when, how long, and how its objects are shown."""

    target: Target
    query: dict[str, str]
    show: Callable[[Object], Object]


@dataclass(frozen=True, slots=True)
class Until:
    """When a watch ends: at a moment of the monotonic clock, or when the server does."""

    deadline: float
    ended: Callable[[], bool]

    def reached(self) -> bool:
        return self.ended() or time.monotonic() >= self.deadline


def watch(store: Store, asked: Watch, *, ended: Callable[[], bool]) -> Iterator[Object]:
    """The events of a watch, until its time is up or `ended` says so. An error is the last event.

    Raises:
        ApiError: 400, at once: the query cannot be read.
    """
    selector = selector_of(asked.target, asked.query)
    seconds = number(asked.query.get("timeoutSeconds") or "0") or LONGEST
    version, now = _start(store, asked)
    until = Until(time.monotonic() + seconds, ended)
    return itertools.chain(now, _follow(store, asked, selector, version=version, until=until))


def _follow(store: Store, asked: Watch, selector: Selector, *, version: int, until: Until) -> Iterator[Object]:
    if _wants_initial_events(asked):
        yield _bookmark(asked.target, version, initial=True)
    while not until.reached():
        try:
            events = _wait(store, version, until.deadline)
        except ApiError as error:
            yield {"type": "ERROR", "object": error.status()}
            return
        for event in events:
            version = event.version
            seen = _seen(asked, selector, event)
            if seen is not None:
                yield seen
    if asked.query.get("allowWatchBookmarks") == "true":
        yield _bookmark(asked.target, version)


def _start(store: Store, asked: Watch) -> tuple[int, list[Object]]:
    """Where to go on from and, unless a version is named, what is there already."""
    version = asked.query.get("resourceVersion", "")
    if version not in ("", "0") and not _wants_initial_events(asked):
        return number(version), []
    with store.lock:
        found = select(store, asked.target, asked.query)
        return store.version, [_event("ADDED", asked, obj) for obj in found]


def _wait(store: Store, version: int, deadline: float) -> list[Event]:
    with store.changed:
        events = store.since(version)
        if not events:
            store.changed.wait(max(0.0, min(_HEARTBEAT, deadline - time.monotonic())))
            events = store.since(version)
        return events


def _seen(asked: Watch, selector: Selector, event: Event) -> Object | None:
    """The event as this watch sees it: an object that comes to match is added, one that no longer does is deleted."""
    target, key = asked.target, event.key
    if (key.group, key.plural) != target.resource.store_key or target.namespace not in ("", key.namespace):
        return None
    before = event.before is not None and selector.matches(event.before)
    after = event.after is not None and selector.matches(event.after)
    if not (before or after):
        return None
    kind = ("MODIFIED" if before else "ADDED") if after else "DELETED"
    return _event(kind, asked, event.last)


def _event(kind: str, asked: Watch, obj: Object) -> Object:
    return {"type": kind, "object": asked.show(shown_in(asked.target.resource, obj))}


def _wants_initial_events(asked: Watch) -> bool:
    """A list in the form of a watch: everything that is there, and a bookmark that says that this was all."""
    return asked.query.get("sendInitialEvents") == "true"


def _bookmark(target: Target, version: int, *, initial: bool = False) -> Object:
    kind = {"kind": target.resource.kind, "apiVersion": target.resource.api_version}
    meta: Object = {"resourceVersion": str(version)}
    if initial:
        meta["annotations"] = {"k8s.io/initial-events-end": "true"}
    return {"type": "BOOKMARK", "object": kind | {"metadata": meta}}


def is_watch(query: dict[str, str]) -> bool:
    """Whether a GET is a watch."""
    return query.get("watch") in ("1", "true")
