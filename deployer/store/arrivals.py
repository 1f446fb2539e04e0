"""The arrival of a delivery, written in one step: the record, what is owed to it, the audit row and the count.

One step, so that either all of it is there or nothing; and one command, because the sender is waiting.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis
from redis.client import Pipeline

from deployer.model import Delivery
from deployer.store import audit, counters, deliveries
from deployer.store.codec import write_time

# KEYS: delivery, owed, audit, counters
# ARGV: received_at, headers, body, retention, member (empty when nothing is owed), due, row, rows kept, count
_TAKE = """
redis.call('HINCRBY', KEYS[1], 'times', 1)
redis.call('HSETNX', KEYS[1], 'first_received_at', ARGV[1])
redis.call('HSET', KEYS[1], 'received_at', ARGV[1], 'headers', ARGV[2], 'body', ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[4])
if ARGV[5] ~= '' then redis.call('ZADD', KEYS[2], ARGV[6], ARGV[5]) end
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[8], '*', 'row', ARGV[7])
redis.call('HINCRBY', KEYS[4], ARGV[9], 1)
"""


class Arrivals:
    """Takes deliveries in."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    @contextmanager
    def together(self) -> Iterator[Pipeline]:
        """What is written to the pipeline inside the block is written in one step, at its end, or not at all.

        So a delivery is never recorded without being enqueued, and the sender waits for one answer of Redis only.
        """
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.multi()
            yield pipe
            pipe.execute()

    def take(self, pipe: Pipeline, delivery: Delivery, *, owed: bool, what: str, **fields: str | None) -> None:
        """Record a delivery: as it came, in the audit, in the counts, and with `owed` among what is to be planned.

        Args:
            pipe: of `together`.
            delivery: as it came.
            owed: whether it is to be planned.
            what: what became of it, for the audit and the count.
            fields: what else the audit says.
        """
        forge, at = delivery.forge, delivery.received_at
        pipe.eval(
            _TAKE,
            4,
            deliveries.key(forge, delivery.id),
            deliveries.OWED,
            audit.STREAM,
            counters.COUNTERS,
            write_time(at),
            json.dumps(delivery.headers),
            delivery.body,
            deliveries.RETENTION_SECONDS,
            deliveries.member(forge, delivery.id) if owed else "",
            at.timestamp(),
            audit.write_row(what, at=at, forge=forge, delivery=delivery.id, **fields),
            audit.ROWS_KEPT,
            counters.field("webhooks", forge=forge, result=what),
        )
