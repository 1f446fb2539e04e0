"""The arrival of a delivery, written in one step: the record, what is owed to it, the audit row and the count.

One step, so that either all of it is there or nothing; and one command, because the sender is waiting.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Mapping, Sequence

from redis import Connection, Redis
from redis.exceptions import ResponseError

from deployer.model import Delivery
from deployer.store import chain, counters, deliveries, rows
from deployer.store.codec import write_time

# KEYS: delivery, owed, bell, counters, audit, its head
# ARGV: received_at, headers, body, retention, member (empty when nothing is owed), due, row of the audit, its digest,
#       count, life of the bell, sender, who has it sent through again (empty for the forge)
_TAKE = f"""{chain.SEAL}
local times = redis.call('HINCRBY', KEYS[1], 'times:' .. ARGV[11], 1)
redis.call('HSETNX', KEYS[1], 'first_received_at', ARGV[1])
redis.call('HSET', KEYS[1], 'received_at', ARGV[1], 'headers', ARGV[2], 'body', ARGV[3])
redis.call('HSET', KEYS[1], 'times', times, 'sender', ARGV[11], 'by', ARGV[12])
redis.call('EXPIRE', KEYS[1], ARGV[4])
audit(KEYS[5], KEYS[6], ARGV[7], ARGV[8])
redis.call('HINCRBY', KEYS[4], ARGV[9], 1)
if ARGV[5] == '' then return 0 end
redis.call('ZADD', KEYS[2], ARGV[6], ARGV[5])
if redis.call('SET', KEYS[3], 1, 'NX', 'EX', ARGV[10]) then return 1 end
return 0
"""


class _Arrival:
    """What one caller waits for: the arguments of the script, then its answer or why there is none."""

    def __init__(self, keys: tuple[str, ...], arguments: tuple[str | bytes | int | float, ...]) -> None:
        self.command = ("EVAL", _TAKE, len(keys), *keys, *arguments)
        self.answer: object = None
        self.written = False


class Arrivals:
    """Takes deliveries in. Those that come at the same time travel to Redis together: the first one takes all along."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._waiting: deque[_Arrival] = deque()
        self._turn = threading.Lock()

    def take(
        self, delivery: Delivery, *, owed: bool, what: str, again_by: str | None = None, **fields: str | None
    ) -> bool:
        """Record a delivery: as it came, in the audit, in the counts, and with `owed` among what is to be planned.

        Args:
            delivery: as it came.
            owed: whether it is to be planned.
            what: what became of it, for the audit and the count.
            again_by: who has it sent through again, if it does not come from its forge.
            fields: what else the audit says.

        Returns:
            Whether a worker has to be told. Not if one was told a moment ago and has not begun: it will find this too.

        Raises:
            RedisError: it may not be recorded.
        """
        arrival = _arrival(delivery, owed=owed, what=what, again_by=again_by, fields=fields)
        self._waiting.append(arrival)
        with self._turn:
            if not arrival.written:
                self._write_all()
        if isinstance(arrival.answer, BaseException):
            raise arrival.answer
        return bool(arrival.answer)

    def _write_all(self) -> None:
        arrivals = [self._waiting.popleft() for _ in range(len(self._waiting))]
        try:
            answers = self._send([arrival.command for arrival in arrivals])
        except BaseException as error:
            answers = [error] * len(arrivals)  # the others, too, wait for an answer
        for arrival, answer in zip(arrivals, answers, strict=True):
            arrival.answer, arrival.written = answer, True

    def _send(self, commands: Sequence[tuple[object, ...]]) -> list[object]:
        """Send commands in one go. What redis-py does in a pipeline beyond this costs as much as all of it."""
        pool = self._redis.connection_pool
        connection = pool.get_connection()
        try:
            packed = connection.pack_commands(commands)  # type: ignore[no-untyped-call]
            connection.send_packed_command(packed)  # type: ignore[no-untyped-call]
            return [_answer(connection) for _ in commands]
        except BaseException:
            # Or the next command would read an answer to one of these.
            connection.disconnect()  # type: ignore[no-untyped-call]
            raise
        finally:
            pool.release(connection)


def _answer(connection: Connection) -> object:
    try:
        return connection.read_response()
    except ResponseError as error:
        return error


def _arrival(
    delivery: Delivery, *, owed: bool, what: str, again_by: str | None, fields: Mapping[str, str | None]
) -> _Arrival:
    forge, at = delivery.forge, delivery.received_at
    keys = (
        deliveries.key(forge, delivery.id), deliveries.OWED, deliveries.BELL, counters.COUNTERS, *rows.KEYS,
    )  # fmt: skip
    arguments = (
        write_time(at),
        json.dumps(delivery.headers),
        delivery.body,
        deliveries.RETENTION_SECONDS,
        deliveries.member(forge, delivery.id) if owed else "",
        at.timestamp(),
        *rows.write_row(what, at=at, forge=forge, delivery=delivery.id, **fields),
        counters.field("webhooks", forge=forge, result=what),
        deliveries.BELL_SECONDS,
        delivery.sender,
        again_by or "",
    )
    return _Arrival(keys, arguments)
