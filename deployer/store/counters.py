"""Counts that only grow, for the metrics: kept in Redis because every process adds to them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache

from redis import Redis

COUNTERS = "deployer:counters"


class Counters:
    """Named counts with labels."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def add(self, name: str, **labels: str) -> None:
        """Count one more."""
        self._redis.hincrby(COUNTERS, field(name, **labels), 1)

    def all(self) -> tuple[tuple[str, Mapping[str, str], int], ...]:
        """Name, labels and count of each."""
        raw = self._redis.hgetall(COUNTERS)
        return tuple((*json.loads(field), int(count)) for field, count in sorted(raw.items()))


@lru_cache(maxsize=1024)
def field(name: str, **labels: str) -> str:
    """How a count stands in the hash."""
    return json.dumps([name, labels], sort_keys=True)
