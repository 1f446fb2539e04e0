"""Counts beginnings of which nobody wrote the end: whoever began has died over it.

A beginning after which Redis itself was restarted says nothing: without Redis no end can be written.
"""

from __future__ import annotations

from redis import Redis

FIELD = "begun"
"""Of the record of what was begun; whoever writes an end removes it."""

MOST_RESTARTS = 3
"""So many restarts of Redis are believed to have nothing to do with what was begun; both may want the same memory."""

# KEYS: record  ARGV: field, run of Redis, restarts that are believed
_BEGIN = """
local run, before, restarts = string.match(redis.call('HGET', KEYS[1], ARGV[1]) or '', '^(%w+):(%d+):(%d+)$')
local count, restarts = tonumber(before or 0) + 1, tonumber(restarts or 0)
if run and run ~= ARGV[2] and restarts < tonumber(ARGV[3]) then
  count, restarts = math.max(count - 1, 1), restarts + 1
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ':' .. count .. ':' .. restarts)
return count
"""


class Beginnings:
    """The beginnings of one sort of thing."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._begin = redis.register_script(_BEGIN)

    def count(self, record: str, field: str = FIELD) -> int:
        """Count one more beginning, and return how many there were since the last end.

        Args:
            record: key of the hash that is about what is begun.
            field: of that hash.
        """
        run = self._redis.info("server")["run_id"]
        return int(self._begin(keys=[record], args=[field, run, MOST_RESTARTS]))
