"""Deliveries as they came, kept so that one can be sent through again, and those whose planning is still owed."""

from __future__ import annotations

import json
from datetime import datetime

from redis import Redis

from deployer.model import Delivery, Receipt
from deployer.store.beginnings import FIELD, Beginnings
from deployer.store.codec import read_time, text

RETENTION_SECONDS = 30 * 24 * 3600
OWED = "deployer:deliveries:owed"
BELL = "deployer:deliveries:bell"
"""There while a worker was told that something is owed and has not begun."""
BELL_SECONDS = 5
"""Then somebody is told again: whoever was to tell the worker may have died before that."""

# KEYS: owed  ARGV: due at the latest, due again
CLAIM = """
local found = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, 1)
if #found == 0 then return false end
redis.call('ZADD', KEYS[1], ARGV[2], found[1])
return found[1]
"""


# KEYS: owed, those that stood back  ARGV: due at the latest
_WAKE = """
local found = redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES')
for each = 1, #found, 2 do
  local came = found[each + 1]
  redis.call('ZADD', KEYS[1], 'XX', tonumber(came) < tonumber(ARGV[1]) and came or ARGV[1], found[each])
end
return redis.call('DEL', KEYS[2])
"""


# KEYS: owed, delivery  ARGV: member, how often it had come (empty: that is no matter)
_PLANNED = f"""
redis.call('HDEL', KEYS[2], 'attempts', '{FIELD}')
if ARGV[2] ~= '' and redis.call('HGET', KEYS[2], 'times') ~= ARGV[2] then
  redis.call('ZADD', KEYS[1], 'XX', 0, ARGV[1])
else
  redis.call('ZREM', KEYS[1], ARGV[1])
end
"""


class Deliveries:
    """Records of deliveries, for 30 days. They are made on arrival."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._beginnings = Beginnings(redis)
        self._claim = redis.register_script(CLAIM)
        self._wake = redis.register_script(_WAKE)
        self._planned = redis.register_script(_PLANNED)

    def get(self, forge: str, delivery_id: str) -> Delivery | None:
        """The delivery as it last came, or None when it is unknown or older than the retention."""
        wanted = ("headers", "body", "received_at", "sender")
        headers, body, received_at, sender = self._redis.hmget(key(forge, delivery_id), *wanted)
        if headers is None or received_at is None or not isinstance(body, bytes):
            return None
        pairs = tuple((str(name), str(value)) for name, value in json.loads(headers))
        return Delivery(forge, delivery_id, pairs, body, read_time(text(received_at)), text(sender or ""))

    def receipt(self, forge: str, delivery_id: str) -> Receipt | None:
        """When and how often a delivery came, or None when it is unknown."""
        fields = self._redis.hmget(key(forge, delivery_id), "first_received_at", "received_at", "times", "by")
        if None in fields:
            return None
        first, last, times, by = (text(field) for field in fields)
        return Receipt(first_at=read_time(first), last_at=read_time(last), times=int(times), by=by or None)

    def attempt(self, forge: str, delivery_id: str) -> int:
        """Count one more attempt at planning a delivery and return the count."""
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.hincrby(key(forge, delivery_id), "attempts", 1)
            pipe.hdel(key(forge, delivery_id), FIELD)
            attempts, _ = pipe.execute()
        return int(attempts)

    def begun(self, forge: str, delivery_id: str) -> int:
        """Count one more beginning of planning a delivery and return the count since one came to an end."""
        return self._beginnings.count(key(forge, delivery_id))

    def planned(self, forge: str, delivery_id: str, *, receipt: Receipt | None = None) -> None:
        """Nothing more is owed to a delivery, unless it came once more since the receipt for which it was planned."""
        keys = [OWED, key(forge, delivery_id)]
        self._planned(keys=keys, args=[member(forge, delivery_id), receipt.times if receipt else ""])

    def owe(self, forge: str, delivery_id: str, *, due: datetime) -> None:
        """A recorded delivery has to be planned (again) at that time."""
        self._redis.zadd(OWED, {member(forge, delivery_id): due.timestamp()})

    def put_off(self, forge: str, delivery_id: str, *, due: datetime) -> None:
        """A delivery that is owed its planning is due at that time; one that is not stays so."""
        self._redis.zadd(OWED, {member(forge, delivery_id): due.timestamp()}, xx=True)

    def begin(self) -> None:
        """A worker begins to plan what is owed: for whatever comes from now on, somebody has to be told again."""
        self._redis.delete(BELL)

    def claim(self, *, at: datetime, until: datetime) -> tuple[str, str] | None:
        """Take the oldest delivery whose planning is due at a time, so that nobody else does until another time.

        Returns:
            Its forge and id, or None when nothing is due.
        """
        claimed = self._claim(keys=[OWED], args=[at.timestamp(), until.timestamp()])
        return _names(claimed) if claimed else None

    def stand_back(self, delivery: Delivery, *, repository: str) -> None:
        """A claimed delivery is due when its repository's planning, which somebody is at, has ended: see `wake`."""
        name = _behind(delivery.forge, repository)
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.zadd(name, {member(delivery.forge, delivery.id): delivery.received_at.timestamp()})
            pipe.expire(name, RETENTION_SECONDS)
            pipe.execute()

    def wake(self, forge: str, repository: str, *, at: datetime) -> None:
        """Whatever stood back while a repository was planned is due, as it came: the oldest first."""
        self._wake(keys=[OWED, _behind(forge, repository)], args=[at.timestamp()])

    def owed(self, *, before: datetime | None = None) -> tuple[tuple[str, str], ...]:
        """Forge and id of the deliveries whose planning was due before a time, or will be some time, oldest first."""
        members = self._redis.zrangebyscore(OWED, "-inf", before.timestamp() if before else "+inf")
        return tuple(_names(member) for member in members)


def key(forge: str, delivery_id: str) -> str:
    """The name of a delivery's hash."""
    return f"deployer:delivery:{forge}:{delivery_id}"


def member(forge: str, delivery_id: str) -> str:
    """How a delivery stands among those that are owed something."""
    return f"{forge}:{delivery_id}"


def _behind(forge: str, repository: str) -> str:
    return f"deployer:deliveries:behind:{forge}/{repository}"


def _names(member: object) -> tuple[str, str]:
    forge, _, delivery_id = text(member).partition(":")
    return forge, delivery_id
