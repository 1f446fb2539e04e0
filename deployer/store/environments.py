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


class Environments:
    """The state of each environment."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def get(self, key: EnvironmentKey) -> EnvironmentState:
        """The state of an environment; all None before its first deployment."""
        fields = text_hash(self._redis.hgetall(_name(key)))
        return EnvironmentState(fields.get("desired"), fields.get("deployed"), fields.get("deployment"))

    def begin(self, deployment: Deployment) -> None:
        """A deployment begins: its commit is what the environment should run."""
        self._redis.hset(_name(deployment.key), mapping={"desired": deployment.commit, "deployment": deployment.id})

    def deployed(self, deployment: Deployment) -> None:
        """A deployment went well: its commit is what the environment runs."""
        self._redis.hset(_name(deployment.key), "deployed", deployment.commit)


def _name(key: EnvironmentKey) -> str:
    return f"deployer:environment:{key}"
