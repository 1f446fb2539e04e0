"""What the forges have to be told, by when it is due. A deployment's beginning and end are written here with it."""

from __future__ import annotations

from datetime import datetime

from redis import Redis

from deployer.model import Deployment, EnvironmentKey, State
from deployer.store import names
from deployer.store.codec import text
from deployer.store.deliveries import CLAIM

# The report is done only if what was told is still what there is to tell. In the one state that is told at a pace of
# its own, what differs in words only has its time.
# KEYS: deployment, unreported  ARGV: state, summary, report, state with a pace of its own
_TOLD = """
local now = redis.call('HMGET', KEYS[1], 'state', 'summary')
if now[1] ~= ARGV[1] or (now[2] ~= ARGV[2] and now[1] ~= ARGV[4]) then return 0 end
redis.call('ZREM', KEYS[2], ARGV[3])
redis.call('HDEL', KEYS[1], 'report_attempts')
return 1
"""


class Reports:
    """One entry for each environment and commit of which a forge does not have the last word."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._claim = redis.register_script(CLAIM)
        self._told = redis.register_script(_TOLD)

    def owed(self, *, before: datetime) -> tuple[tuple[EnvironmentKey, str], ...]:
        """Environment and commit of each status that was due at its forge before a time."""
        members = self._redis.zrangebyscore(names.UNREPORTED, "-inf", before.timestamp())
        return tuple(_names(member) for member in members)

    def owe(self, deployment: Deployment, *, due: datetime) -> None:
        """The forge is to be told of a deployment whose summary has changed."""
        self._redis.zadd(names.UNREPORTED, {names.report(deployment.key, deployment.commit): due.timestamp()})

    def mention(self, deployment: Deployment, *, due: datetime) -> None:
        """The forge may be told of a deployment at that time, if not sooner."""
        self._redis.zadd(names.UNREPORTED, {names.report(deployment.key, deployment.commit): due.timestamp()}, lt=True)

    def claim(self, *, at: datetime, until: datetime) -> tuple[EnvironmentKey, str] | None:
        """Take the oldest status that is due at its forge, so that nobody else does until another time.

        Returns:
            Its environment and commit, or None when nothing is due.
        """
        claimed = self._claim(keys=[names.UNREPORTED], args=[at.timestamp(), until.timestamp()])
        return _names(claimed) if claimed else None

    def postpone(self, key: EnvironmentKey, commit: str, *, due: datetime) -> None:
        """The forge is to be told the state of a commit in an environment at that time."""
        self._redis.zadd(names.UNREPORTED, {names.report(key, commit): due.timestamp()}, xx=True)

    def attempt(self, deployment: Deployment) -> int:
        """Count one more attempt at telling the forge and return the count."""
        return int(self._redis.hincrby(names.record(deployment.id), "report_attempts", 1))

    def told(self, deployment: Deployment) -> None:
        """The forge knows this state and summary. If they have changed since, a report is still owed;
        of a rollout that stands differently by now, by the look that saw it."""
        report = names.report(deployment.key, deployment.commit)
        told = [deployment.state.value, deployment.summary, report, State.ROLLING_OUT.value]
        self._told(keys=[names.record(deployment.id), names.UNREPORTED], args=told)

    def forget(self, key: EnvironmentKey, commit: str) -> None:
        """There is nobody any more whom the state of a commit could be told."""
        self._redis.zrem(names.UNREPORTED, names.report(key, commit))


def _names(member: object) -> tuple[EnvironmentKey, str]:
    key, _, commit = text(member).rpartition("@")
    return EnvironmentKey.parse(key), commit
