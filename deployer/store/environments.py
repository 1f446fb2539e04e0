"""What each environment should run and what it runs, as far as this project knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from redis import Redis

from deployer.model import BranchKey, Deployment, EnvironmentKey, Trigger
from deployer.store import names
from deployer.store.codec import text, text_hash
from deployer.store.leases import Lease, LeaseLost

# Putting back what drifted is nobody's new wish. What somebody went back to stays that, however often it is deployed.
# KEYS: environment, lease  ARGV: token (empty without a lease), commit, id, trigger, what a rollback leaves behind
_BEGIN = f"""
if ARGV[1] ~= '' and redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'deployment', ARGV[3])
if ARGV[4] ~= '{Trigger.DRIFT}' then redis.call('HSET', KEYS[1], 'desired', ARGV[2], 'chosen', ARGV[3]) end
if ARGV[4] == '{Trigger.ROLLBACK}' then redis.call('HSET', KEYS[1], 'back_to', ARGV[2], 'back_from', ARGV[5]) end
if ARGV[4] ~= '{Trigger.DRIFT}' and redis.call('HGET', KEYS[1], 'back_to') ~= ARGV[2] then
  redis.call('HDEL', KEYS[1], 'back_to', 'back_from')
end
redis.call('HDEL', KEYS[1], 'reads')
return 1
"""

# KEYS: what was planned last  ARGV: what was read there (or empty), commit
_PLANNED = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
"""


@dataclass(frozen=True, slots=True)
class EnvironmentState:
    """Full commits or None; `deployment` is the id of the last one that began."""

    desired: str | None = None
    deployed: str | None = None
    deployment: str | None = None
    chosen: str | None = None
    """Id of the last one that began because git or somebody wanted another commit, or this one again."""
    back_to: str | None = None
    """The commit that somebody went back to, as long as no other one has begun."""
    back_from: str | None = None
    """What was planned last when they asked for that: whatever its history contains stays away. Empty when nothing was
    planned by then."""

    @property
    def commits(self) -> tuple[str, ...]:
        """What it runs, and what it was last told to run: a deployment that failed may have got half of the way."""
        return tuple(commit for commit in dict.fromkeys((self.deployed, self.desired)) if commit is not None)


@dataclass(frozen=True, slots=True)
class Standing:
    """What there is to know of an environment before a commit is planned for it."""

    settled: bool
    """Its last deployment succeeded, and none is on its way."""
    reads: str | None
    """What it ran on: the fingerprint of its settings and of what its overlay read, as it was deployed last."""
    seen: bool
    """The commit was planned for it before."""
    deployed: str | None
    """The commit that it runs."""


class Environments:
    """The state of each environment. What it runs is written where its deployment ends."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._begin = redis.register_script(_BEGIN)
        self._planned = redis.register_script(_PLANNED)

    def get(self, key: EnvironmentKey) -> EnvironmentState:
        """The state of an environment; all None before its first deployment."""
        fields = text_hash(self._redis.hgetall(name(key)))
        return EnvironmentState(
            *map(fields.get, ("desired", "deployed", "deployment", "chosen", "back_to", "back_from"))
        )

    def planned(self, branch: BranchKey) -> str | None:
        """The commit of a branch that was planned last, whether or not it reached an environment."""
        found = self._redis.get(_planned(branch))
        return text(found) if found else None

    def plan(self, branch: BranchKey, commit: str, *, after: str | None) -> bool:
        """From now on a commit is the one that was planned last, unless that is another than `after` by now."""
        return bool(self._planned(keys=[_planned(branch)], args=[after or "", commit]))

    def standings(self, keys: Sequence[EnvironmentKey], commit: str) -> list[Standing]:
        """How each of many environments stands to a commit, in their order; asked for in one go."""
        with self._redis.pipeline(transaction=False) as asked:
            asked.zrange(names.WAITING, 0, -1)
            asked.mget([names.latest(str(key), commit) for key in keys])
            for key in keys:
                asked.hmget(name(key), "desired", "deployed", "reads")
            waiting, seen, *states = asked.execute()
        busy = {text(member) for member in waiting}
        return [
            Standing(
                settled=deployed is not None and desired == deployed and str(key) not in busy,
                reads=text(reads) if reads else None,
                seen=known is not None,
                deployed=text(deployed) if deployed else None,
            )
            for key, known, (desired, deployed, reads) in zip(keys, seen, states, strict=True)
        ]

    def begin(self, deployment: Deployment, *, lease: Lease | None = None) -> None:
        """A deployment begins: its commit is what the environment should run.

        Args:
            deployment: which one.
            lease: what the caller may write under.

        Raises:
            LeaseLost: nothing was written, because the lease is somebody else's by now.
        """
        keys = [name(deployment.key), lease.key if lease else ""]
        token = str(lease.token) if lease else ""
        left = deployment.back_from or ""
        if not self._begin(keys=keys, args=[token, deployment.commit, deployment.id, deployment.trigger.value, left]):
            raise LeaseLost(str(deployment.key))


def _planned(branch: BranchKey) -> str:
    return f"deployer:planned:{branch}"


def name(key: EnvironmentKey) -> str:
    """The name of an environment's hash."""
    return f"deployer:environment:{key}"
