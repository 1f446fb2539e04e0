"""The objects of one cluster in memory, in order of their names, with the history that watches read.

Objects are never changed in place: a write puts a new one. Nothing here checks or fills in anything but the resource
version. One lock guards it all; whoever reads, decides and writes holds `lock` while doing so.
"""

from __future__ import annotations

import itertools
import threading
from bisect import bisect_left, insort
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from deployer.sandbox.kubernetes.errors import expired
from deployer.sandbox.kubernetes.objects import Object, each, metadata

HISTORY = 10_000
"""Events that watches can still ask for."""
PAGES = 64
"""Lists that are being paged through at the same time and still get every page of the same moment."""


class Key(NamedTuple):
    """Where an object is stored. Cluster-wide objects have an empty namespace."""

    group: str
    plural: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Event:
    """One write. `before` is None for a new object, `after` is None for one that is gone."""

    version: int
    key: Key
    before: Object | None
    after: Object | None

    @property
    def last(self) -> Object:
        """The object as it is now, or as it was at its end."""
        return self.after if self.after is not None else self.before or {}


class Store:
    """Objects by key, the counter of resource versions, and the events since then."""

    def __init__(self, *, history: int = HISTORY) -> None:
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.version = 1
        self.listener: Callable[[Event], None] | None = None
        """Told of every write before anybody else can see it."""
        self._objects: dict[Key, Object] = {}
        self._sorted: dict[tuple[str, str], list[Key]] = defaultdict(list)
        self._history: deque[Event] = deque(maxlen=history)
        self._dependents: dict[str, set[Key]] = defaultdict(set)
        self._by_uid: dict[str, Key] = {}
        self._pages: OrderedDict[int, list[Object]] = OrderedDict()
        self._page_ids = itertools.count(1)

    def get(self, key: Key) -> Object | None:
        """The object, or None."""
        return self._objects.get(key)

    def put(self, key: Key, obj: Object) -> Object:
        """Write an object under a new resource version; returns it as it is stored. `obj` is taken over."""
        with self.lock:
            before = self._objects.get(key)
            self.version += 1
            metadata(obj)["resourceVersion"] = str(self.version)
            if before is None:
                insort(self._sorted[key.group, key.plural], key)
            self._objects[key] = obj
            self._record(Event(self.version, key, before, obj))
            return obj

    def delete(self, key: Key) -> None:
        """Take an object out. Its last event carries the resource version of the deletion."""
        with self.lock:
            before = self._objects.pop(key)
            keys = self._sorted[key.group, key.plural]
            keys.pop(bisect_left(keys, key))
            self.version += 1
            last = before | {"metadata": metadata(before) | {"resourceVersion": str(self.version)}}
            self._record(Event(self.version, key, last, None))

    def select(self, group: str, plural: str, namespace: str = "") -> list[Object]:
        """The objects of a resource, of one namespace or of all, by namespace and name."""
        with self.lock:
            keys = self._sorted[group, plural]
            if not namespace:
                return [self._objects[key] for key in keys]
            start = bisect_left(keys, Key(group, plural, namespace, ""))
            found = itertools.takewhile(lambda key: key.namespace == namespace, itertools.islice(keys, start, None))
            return [self._objects[key] for key in found]

    def in_namespace(self, namespace: str) -> list[Key]:
        """Every object in a namespace, of any resource."""
        with self.lock:
            return [key for key in self._objects if key.namespace == namespace]

    def dependents(self, uid: str) -> Iterator[tuple[Key, Object]]:
        """Objects that name this uid as an owner."""
        with self.lock:
            found = [(key, self._objects[key]) for key in sorted(self._dependents.get(uid, ())) if key in self._objects]
        return iter(found)

    def has_uid(self, uid: str) -> bool:
        """Whether an object with this uid is stored."""
        return uid in self._by_uid

    def find_uid(self, uid: str) -> Key | None:
        """Where the object with this uid is stored."""
        return self._by_uid.get(uid)

    def keep_page(self, rest: list[Object]) -> int:
        """Keep what is left of a list for the next page; returns the number to ask with."""
        with self.lock:
            number = next(self._page_ids)
            self._pages[number] = rest
            while len(self._pages) > PAGES:
                self._pages.popitem(last=False)
            return number

    def page(self, number: int) -> list[Object]:
        """What `keep_page` kept.

        Raises:
            ApiError: 410, it was too long ago.
        """
        with self.lock:
            if number not in self._pages:
                raise expired("The provided continue parameter is too old to display a consistent list result.")
            return self._pages[number]

    def since(self, version: int) -> list[Event]:
        """Events after a resource version.

        Raises:
            ApiError: 410, some of them are no longer kept.
        """
        with self.lock:
            if self._history and len(self._history) == self._history.maxlen and version < self._history[0].version - 1:
                oldest = self._history[0].version
                raise expired(f"too old resource version: {version} ({oldest})")
            newer = itertools.takewhile(lambda event: event.version > version, reversed(self._history))
            return list(newer)[::-1]

    def _record(self, event: Event) -> None:
        if event.after is None:
            self._by_uid.pop(str(metadata(event.last).get("uid")), None)
        else:
            self._by_uid[str(metadata(event.after).get("uid"))] = event.key
        for owner in each(metadata(event.before or {}), "ownerReferences"):
            self._dependents[str(owner.get("uid"))].discard(event.key)
        for owner in each(metadata(event.after or {}), "ownerReferences"):
            self._dependents[str(owner.get("uid"))].add(event.key)
        self._history.append(event)
        if self.listener is not None:
            self.listener(event)
        self.changed.notify_all()
