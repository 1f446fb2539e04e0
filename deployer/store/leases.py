"""Leases: at most one writer per name, for as long as it is alive.

A lease ends by itself when its holder stops renewing it. Each one carries a token that only grows per name, so that
a holder which slept through its end can find out that it is no longer the one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from redis import Redis
from redis.exceptions import RedisError

_IF_MINE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call({}) end return 0"
_RENEW = _IF_MINE.format("'PEXPIRE', KEYS[1], ARGV[2]")
_RELEASE = _IF_MINE.format("'DEL', KEYS[1]")

# KEYS: lease, fence  ARGV: milliseconds. The token is taken only when the lease is free. It is the time in milliseconds
# or one more than the last one: clusters remember it, so it has to grow also when Redis has lost its data.
_TAKE = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
local now = redis.call('TIME')
local time = tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000)
local token = math.max(tonumber(redis.call('GET', KEYS[2]) or '0') + 1, time)
local written = string.format('%.0f', token)
redis.call('SET', KEYS[2], written)
redis.call('SET', KEYS[1], written, 'PX', ARGV[1])
return token
"""


class LeaseLost(Exception):  # noqa: N818 - reads as what happened
    """Somebody else may hold the lease by now: stop, write nothing more."""


class HandedOn(LeaseLost):
    """The lease is still held, but this process was asked to stop: somebody else is to go on from here."""


@dataclass(slots=True, eq=False)
class Lease:
    """A lease that is held. `token` grows with each holder of the same name."""

    name: str
    token: int
    ends: float
    """When it ends unless it is renewed, on this machine's monotonic clock: a little before Redis ends it."""
    _leases: Leases
    _asked: float = 0

    @property
    def key(self) -> str:
        """Where Redis holds the token of whoever has the lease."""
        return name_of(self.name)

    def check(self) -> None:
        """Raise LeaseLost unless the lease is still held by this holder. Call it before each write.

        Redis is asked once a second. In between our own clock is enough: it also tells a process that was stopped for
        too long, before that process does anything else.
        """
        now = time.monotonic()
        if now > self.ends:
            raise LeaseLost(self.name)
        if now > self._asked + 1 or self._leases.stopping:
            self.confirm()
            self._asked = now

    def confirm(self) -> None:
        """Ask Redis, and raise LeaseLost unless the lease is still held by this holder, and HandedOn if this process
        is to begin nothing more."""
        if not self.held:
            raise LeaseLost(self.name)
        if self._leases.stopping:
            raise HandedOn(self.name)

    @property
    def held(self) -> bool:
        """Whether the lease is still held by this holder; asks Redis."""
        return self._leases.holds(self)


class Leases:
    """Takes, renews and releases leases."""

    def __init__(self, redis: Redis, *, seconds: float = 30) -> None:
        self._redis = redis
        self._milliseconds = int(seconds * 1000)
        self.stopping = False
        """Whether this process was asked to stop: whoever holds a lease hands on what it is at, between two writes."""
        self._take = redis.register_script(_TAKE)
        self._renew = redis.register_script(_RENEW)
        self._release = redis.register_script(_RELEASE)

    @contextmanager
    def hold(self, name: str) -> Iterator[Lease | None]:
        """Hold the lease `name`, renewed in the background until the block ends; None when somebody else has it."""
        ends = self._ends()
        token = int(self._take(keys=[name_of(name), f"deployer:fence:{name}"], args=[self._milliseconds]))
        if not token:
            yield None
            return
        lease = Lease(name, token, ends, self)
        done = threading.Event()
        renewal = threading.Thread(target=self._keep, args=(lease, done), name=f"lease {name}", daemon=True)
        renewal.start()
        try:
            yield lease
        finally:
            done.set()
            renewal.join()
            self._release(keys=[name_of(name)], args=[token])

    def holds(self, lease: Lease) -> bool:
        """Whether this very lease is still held."""
        return bool(self._redis.get(name_of(lease.name)) == str(lease.token).encode())

    def held(self, name: str) -> bool:
        """Whether anybody holds the lease `name`."""
        return bool(self._redis.exists(name_of(name)))

    def _ends(self) -> float:
        """When a lease ends that is taken or renewed from now on; counted from before Redis is asked."""
        return time.monotonic() + self._milliseconds / 1000

    def _keep(self, lease: Lease, done: threading.Event) -> None:
        while not done.wait(self._milliseconds / 3000):
            try:
                ends = self._ends()
                if not self._renew(keys=[name_of(lease.name)], args=[lease.token, self._milliseconds]):
                    return
                lease.ends = ends
            except RedisError:
                continue  # the next turn tries again; `check` tells the holder if that was too late


def name_of(name: str) -> str:
    """What a lease is called in Redis."""
    return f"deployer:lease:{name}"
