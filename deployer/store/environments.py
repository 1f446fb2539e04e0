"""What each environment should run and what it runs, as far as this project knows."""

from __future__ import annotations

from dataclasses import dataclass

from redis import Redis

from deployer.model import Deployment, EnvironmentKey
from deployer.store.codec import text_hash


@dataclass(frozen=True, slots=True)
class EnvironmentState:
    """Full commits or None; `deployment` is the id of the last one that began."""

    desired: str | None = None
    deployed: str | None = None
    deployment: str | None = None

    @property
    def commits(self) -> tuple[str, ...]:
        """What it runs, and what it was last told to run: a deployment that failed may have got half of the way."""
        return tuple(commit for commit in dict.fromkeys((self.deployed, self.desired)) if commit is not None)


class Environments:
    """The state of each environment. What it runs is written where its deployment ends."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def get(self, key: EnvironmentKey) -> EnvironmentState:
        """The state of an environment; all None before its first deployment."""
        fields = text_hash(self._redis.hgetall(name(key)))
        return EnvironmentState(fields.get("desired"), fields.get("deployed"), fields.get("deployment"))

    def begin(self, deployment: Deployment) -> None:
        """A deployment begins: its commit is what the environment should run."""
        self._redis.hset(name(deployment.key), mapping={"desired": deployment.commit, "deployment": deployment.id})


def name(key: EnvironmentKey) -> str:
    """The name of an environment's hash."""
    return f"deployer:environment:{key}"
