"""How the rollout of each deployment stands, between one look and the next.

Times are Redis' own, because the looks are made by different machines; what leaves this module are spans of seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from redis import Redis

from deployer.model import Deployment, State
from deployer.store import names
from deployer.store.beginnings import FIELD, Beginnings
from deployer.store.codec import text_hash
from deployer.store.leases import Lease, LeaseLost

_TELL = 2

_NOW = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
"""

_IF_OURS = """
if redis.call('HEXISTS', KEYS[1], 'finished_at') == 1 then return 0 end
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
"""

# What kills its worker from now on is no death while writing.
# KEYS: deployment, lease, rollout  ARGV: token, state, seconds that it may take, cluster, id of the set, seconds spent
_BEGIN = f"""{_IF_OURS}{_NOW}
redis.call('DEL', KEYS[3])
redis.call('HSET', KEYS[3], 'applied_at', now, 'due', now, 'deadline', now + ARGV[3])
redis.call('HSET', KEYS[3], 'looks', 0, 'ready', 0, 'total', 0)
redis.call('HSET', KEYS[3], 'cluster', ARGV[4], 'applyset', ARGV[5], 'spent', ARGV[6])
redis.call('HSET', KEYS[1], 'state', ARGV[2])
redis.call('HDEL', KEYS[1], '{FIELD}', 'attempts')
return 1
"""

# KEYS: deployment, lease, rollout, unreported
# ARGV: token, summary, ready, total, seconds until the next look, seconds between two reports, time, report
_LOOKED = f"""{_IF_OURS}{_NOW}
redis.call('HSET', KEYS[1], 'summary', ARGV[2])
redis.call('HINCRBY', KEYS[3], 'looks', 1)
redis.call('HSET', KEYS[3], 'ready', ARGV[3], 'total', ARGV[4], 'due', now + ARGV[5])
local told = redis.call('HMGET', KEYS[3], 'told', 'told_at')
if told[1] == ARGV[2] or now < (tonumber(told[2]) or 0) + ARGV[6] then return 1 end
redis.call('HSET', KEYS[3], 'told', ARGV[2], 'told_at', now)
redis.call('ZADD', KEYS[4], ARGV[7], ARGV[8])
return {_TELL}
"""


@dataclass(frozen=True, slots=True)
class Applied:
    """What is waited for from now on."""

    cluster: str
    """Name of the cluster that it was applied to."""
    applyset: str
    """Id of the environment's set of objects."""
    spent: float
    """Seconds from the beginning of the deployment until now."""
    timeout: float
    """Seconds that it may take."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What a look saw, and what follows from it."""

    summary: str
    ready: int
    total: int
    pause: float
    """Seconds until the next look."""
    pace: float
    """Seconds that are at least between two words to the forge."""


@dataclass(frozen=True, slots=True)
class Rolling:
    """A rollout as it stands now."""

    cluster: str
    applyset: str
    ready: int
    """How many objects were healthy at the last look."""
    total: int
    """How many have to be; 0 before the first look."""
    looks: int
    """How many looks there were."""
    spent: float
    since: float
    """Seconds since the end of the apply."""
    left: float
    """Seconds until it has taken too long; negative from then on."""
    due: bool
    """Whether it is time for a look."""


class Rollouts:
    """Deployments that have been applied and are waited for."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._beginnings = Beginnings(redis)
        self._begin = redis.register_script(_BEGIN)
        self._looked = redis.register_script(_LOOKED)

    def begin(self, deployment: Deployment, applied: Applied, *, lease: Lease) -> None:
        """A deployment has been applied and is waited for from now on; a look is due at once.

        Raises:
            LeaseLost: nothing was written, because the deployment has ended or the lease is somebody else's by now.
        """
        written = self._begin(
            keys=[names.record(deployment.id), lease.key, names.rollout(deployment.id)],
            args=[
                str(lease.token),
                State.ROLLING_OUT.value,
                applied.timeout,
                applied.cluster,
                applied.applyset,
                applied.spent,
            ],
        )
        if not written:
            raise LeaseLost(lease.name)

    def get(self, deployment: Deployment) -> Rolling | None:
        """How a rollout stands, or None when there is no word of it."""
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.time()
            pipe.hgetall(names.rollout(deployment.id))
            (seconds, microseconds), raw = pipe.execute()
        fields = text_hash(raw)
        return _rolling(fields, seconds + microseconds / 1e6) if "looks" in fields else None

    def looked(self, deployment: Deployment, sight: Sight, *, at: datetime, lease: Lease) -> bool:
        """Keep what a look saw.

        Returns:
            Whether the forge is to be told, which is owed to it then: not too soon after the last word, nor twice the
            same.

        Raises:
            LeaseLost: nothing was written, because the deployment has ended or the lease is somebody else's by now.
        """
        report = names.report(deployment.key, deployment.commit)
        seen = self._looked(
            keys=[names.record(deployment.id), lease.key, names.rollout(deployment.id), names.UNREPORTED],
            args=[
                str(lease.token),
                sight.summary,
                sight.ready,
                sight.total,
                sight.pause,
                sight.pace,
                at.timestamp(),
                report,
            ],
        )
        if not seen:
            raise LeaseLost(lease.name)
        return int(seen) == _TELL

    def late(self, deployment: Deployment) -> int:
        """Count one more look that begins after the time is up and return the count."""
        return self._beginnings.count(names.rollout(deployment.id), "late")


def _rolling(fields: Mapping[str, str], now: float) -> Rolling:
    return Rolling(
        cluster=fields["cluster"],
        applyset=fields["applyset"],
        ready=int(fields["ready"]),
        total=int(fields["total"]),
        looks=int(fields["looks"]),
        spent=float(fields["spent"]),
        since=now - float(fields["applied_at"]),
        left=float(fields["deadline"]) - now,
        due=now >= float(fields["due"]),
    )
