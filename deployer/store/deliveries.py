"""Deliveries as they came, kept so that one can be sent through again, and those whose planning is still owed."""

from __future__ import annotations

import json
from datetime import datetime

from redis import Redis

from deployer.model import Delivery, Receipt
from deployer.store.codec import read_time, text, write_time

RETENTION_SECONDS = 30 * 24 * 3600
_OWED = "deployer:deliveries:owed"


class Deliveries:
    """Records of deliveries, for 30 days."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def record(self, delivery: Delivery, *, owed: bool) -> bool:
        """Keep a delivery; with `owed`, remember that it still has to be planned.

        Returns:
            Whether its planning was not owed already: only then does somebody have to be told.
        """
        key = _key(delivery.forge, delivery.id)
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.hincrby(key, "times", 1)
            pipe.hsetnx(key, "first_received_at", write_time(delivery.received_at))
            pipe.hset(
                key,
                mapping={
                    "headers": json.dumps(delivery.headers),
                    "body": delivery.body,
                    "received_at": write_time(delivery.received_at),
                },
            )
            pipe.expire(key, RETENTION_SECONDS)
            if owed:
                due = {_member(delivery.forge, delivery.id): delivery.received_at.timestamp()}
                pipe.zadd(_OWED, due, nx=True)
            replies = pipe.execute()
        return bool(owed and replies[-1])

    def get(self, forge: str, delivery_id: str) -> Delivery | None:
        """The delivery as it last came, or None when it is unknown or older than the retention."""
        headers, body, received_at = self._redis.hmget(_key(forge, delivery_id), "headers", "body", "received_at")
        if headers is None or received_at is None or not isinstance(body, bytes):
            return None
        pairs = tuple((str(name), str(value)) for name, value in json.loads(headers))
        return Delivery(forge, delivery_id, pairs, body, read_time(text(received_at)))

    def receipt(self, forge: str, delivery_id: str) -> Receipt | None:
        """When and how often a delivery came, or None when it is unknown."""
        fields = self._redis.hmget(_key(forge, delivery_id), "first_received_at", "received_at", "times")
        if None in fields:
            return None
        first, last, times = (text(field) for field in fields)
        return Receipt(first_at=read_time(first), last_at=read_time(last), times=int(times))

    def attempt(self, forge: str, delivery_id: str) -> int:
        """Count one more attempt at planning a delivery and return the count."""
        return int(self._redis.hincrby(_key(forge, delivery_id), "attempts", 1))

    def planned(self, forge: str, delivery_id: str) -> None:
        """Nothing more is owed to this delivery."""
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.zrem(_OWED, _member(forge, delivery_id))
            pipe.hdel(_key(forge, delivery_id), "attempts")
            pipe.execute()

    def owe(self, forge: str, delivery_id: str, *, due: datetime) -> None:
        """A recorded delivery has to be planned (again) at that time."""
        self._redis.zadd(_OWED, {_member(forge, delivery_id): due.timestamp()})

    def owed(self, *, before: datetime) -> tuple[tuple[str, str], ...]:
        """Forge and id of the deliveries whose planning was due before a time, oldest first."""
        members = self._redis.zrangebyscore(_OWED, "-inf", before.timestamp())
        return tuple(_names(member) for member in members)


def _key(forge: str, delivery_id: str) -> str:
    return f"deployer:delivery:{forge}:{delivery_id}"


def _member(forge: str, delivery_id: str) -> str:
    return f"{forge}:{delivery_id}"


def _names(member: object) -> tuple[str, str]:
    forge, _, delivery_id = text(member).partition(":")
    return forge, delivery_id
