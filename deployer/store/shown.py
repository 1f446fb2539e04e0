"""What a forge shows of each deployment beside the status of its commit: a check run, a deployment of its own.

The ids that the forge gave them are kept here, and what they said last, so that nothing is made or said twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from redis import Redis

from deployer.model import Deployment, EnvironmentKey
from deployer.store import names
from deployer.store.codec import text, text_hash

_RETENTION_SECONDS = 90 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Shown:
    """What a forge shows of one deployment. Empty where it shows nothing."""

    check: str = ""
    """The id of its check run."""
    check_said: str = ""
    """Digest of what that said last."""
    deployment: str = ""
    """The id of the forge's own deployment."""
    deployment_said: str = ""
    """The state that it said last."""
    refused: str = ""
    """Why the forge takes no deployment of it."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A deployment that a forge shows as what an environment runs."""

    id: str
    known: str
    """Its id at the forge."""
    commit: str
    production: bool


class Showings:
    """The records of what is shown, by deployment; and by environment, of which it says that it runs."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def get(self, deployment: Deployment) -> Shown:
        """What is shown of a deployment."""
        return Shown(**text_hash(self._redis.hgetall(_shown(deployment))))

    def keep(self, deployment: Deployment, /, **fields: str) -> None:
        """Change some of what is known to be shown; the names are those of `Shown`."""
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(_shown(deployment), mapping={name: value.encode() for name, value in fields.items()})
            pipe.expire(_shown(deployment), _RETENTION_SECONDS)
            pipe.execute()

    def forget_said(self, deployment: Deployment) -> None:
        """The forge took the check of a deployment back, so whatever it said last is to be said again."""
        if self.get(deployment).check:
            self.keep(deployment, check_said="")
            self.open(deployment)

    def open(self, deployment: Deployment) -> None:
        """Something is about to be shown of it, which has to be brought to its end."""
        name = _unsettled(deployment.key, deployment.commit)
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.sadd(name, deployment.id)
            pipe.expire(name, _RETENTION_SECONDS)
            pipe.execute()

    def settle(self, deployment: Deployment) -> None:
        """The forge shows its end."""
        self._redis.srem(_unsettled(deployment.key, deployment.commit), deployment.id)

    def unsettled(self, key: EnvironmentKey, commit: str) -> tuple[str, ...]:
        """The ids of all deployments of a commit of which a forge may show something that is not the end."""
        return tuple(sorted(text(each) for each in self._redis.smembers(_unsettled(key, commit))))

    def stands(self, deployment: Deployment, standing: Standing) -> None:
        """A forge shows a deployment, one that has ended, as what runs; it counts from its end on."""
        at = (deployment.finished_at or deployment.created_at).timestamp()
        member = json.dumps([standing.id, standing.known, standing.commit, standing.production])
        self._redis.zadd(_standing(deployment.key), {member: at})

    def newer_stands(self, deployment: Deployment) -> bool:
        """Whether a forge shows one that ended later as what runs."""
        at = (deployment.finished_at or deployment.created_at).timestamp()
        return bool(self._redis.zcount(_standing(deployment.key), f"({at!r}", "+inf"))

    def outdated(self, key: EnvironmentKey) -> Iterator[Standing]:
        """All but the newest that a forge was told to run in an environment; each is forgotten once it was seen to."""
        for member in map(text, self._redis.zrange(_standing(key), 0, -2)):
            yield Standing(*json.loads(member))
            self._redis.zrem(_standing(key), member)


def _shown(deployment: Deployment) -> str:
    return f"{names.record(deployment.id)}:shown"


def _unsettled(key: EnvironmentKey, commit: str) -> str:
    return f"deployer:unsettled:{names.report(key, commit)}"


def _standing(key: EnvironmentKey) -> str:
    return f"deployer:standing:{key}"
