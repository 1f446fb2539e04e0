"""Whose turn it is: which environments are being worked on right now.

What waits, and since when, is with the deployments; who may write is the lease's to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from redis import Redis

from deployer.model import EnvironmentKey
from deployer.store import leases, names
from deployer.store.codec import text

TURNS = "deployer:turns"
"""Environment and when its turn began, of each turn that is under way."""
TAKEN = "deployer:turns:taken"
"""How many turns were taken ever: whoever chose before somebody else took one has to choose again."""

STARTING = 5.0
"""Seconds in which whoever took a turn takes the lease. One without a lease then has ended, or its worker has."""

# Since when a turn is under way is told by one clock: that of Redis.
_NOW = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
"""

# KEYS: waiting, turns, taken, lease  ARGV: environment, now, due again, turns taken when it was chosen
_TAKE = f"""{_NOW}
if (redis.call('GET', KEYS[3]) or '0') ~= ARGV[4] then return 0 end
local due = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not due or tonumber(due) > tonumber(ARGV[2]) or redis.call('EXISTS', KEYS[4]) == 1 then return 0 end
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
redis.call('INCR', KEYS[3])
redis.call('HSET', KEYS[2], ARGV[1], now)
return 1
"""

# KEYS: turns, taken  ARGV: environment, turns taken when it was chosen
_ENTER = f"""{_NOW}
if (redis.call('GET', KEYS[2]) or '0') ~= ARGV[2] then return 0 end
redis.call('INCR', KEYS[2])
redis.call('HSET', KEYS[1], ARGV[1], now)
return 1
"""


@dataclass(frozen=True, slots=True)
class Running:
    """The environments that somebody is at."""

    keys: tuple[EnvironmentKey, ...]
    taken: int
    """How many turns had been taken by then."""


class Turns:
    """The turns that are under way."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._take = redis.register_script(_TAKE)
        self._enter = redis.register_script(_ENTER)

    def running(self) -> Running:
        """Who is being worked on. A turn whose worker died is dropped."""
        with self._redis.pipeline(transaction=True) as asked:
            asked.time()
            asked.get(TAKEN)
            asked.hgetall(TURNS)
            (seconds, microseconds), taken, raw = asked.execute()
        begun = {text(key): float(since) for key, since in raw.items()}
        held = dict(zip(begun, self._held(begun), strict=True))
        now = seconds + microseconds / 1e6
        over = [key for key, since in begun.items() if not held[key] and now - since > STARTING]
        if over:
            self._redis.hdel(TURNS, *over)
        return Running(tuple(EnvironmentKey.parse(key) for key in begun if key not in over), int(taken or 0))

    def take(self, key: EnvironmentKey, *, at: datetime, patience: timedelta, seen: Running) -> bool:
        """Take an environment's turn, if it waits and nobody is at it.

        Args:
            key: the environment.
            at: now.
            patience: after which it waits again, should whoever takes it not come to an end.
            seen: what it was chosen by. When another turn was taken since, this one is not.
        """
        again = (at + patience).timestamp()
        keys = [names.WAITING, TURNS, TAKEN, leases.name_of(str(key))]
        return bool(self._take(keys=keys, args=[str(key), at.timestamp(), again, seen.taken]))

    def enter(self, key: EnvironmentKey, *, seen: Running) -> bool:
        """As `take`, for one that need not wait."""
        return bool(self._enter(keys=[TURNS, TAKEN], args=[str(key), seen.taken]))

    def end(self, key: EnvironmentKey) -> None:
        """A turn has ended."""
        self._redis.hdel(TURNS, str(key))

    def _held(self, keys: dict[str, float]) -> list[int]:
        with self._redis.pipeline(transaction=False) as asked:
            for key in keys:
                asked.exists(leases.name_of(key))
            return list(asked.execute())
