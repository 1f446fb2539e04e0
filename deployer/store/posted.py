"""What each commit says on its forge, as far as we posted it: so that nothing is said twice."""

from __future__ import annotations

import json

from redis import Redis

from deployer.model import CommitStatus

_RETENTION_SECONDS = 90 * 24 * 3600


class Posted:
    """The last status that was posted for each commit and context."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def is_last(self, forge: str, status: CommitStatus) -> bool:
        """Whether exactly this status is the last that was posted."""
        return bool(self._redis.get(_key(forge, status)) == _value(status))

    def remember(self, forge: str, status: CommitStatus) -> None:
        """This status was posted."""
        self._redis.set(_key(forge, status), _value(status), ex=_RETENTION_SECONDS)


def _key(forge: str, status: CommitStatus) -> str:
    return f"deployer:posted:{forge}/{status.repository}@{status.commit}:{status.context}"


def _value(status: CommitStatus) -> bytes:
    return json.dumps([status.state.value, status.description, status.target_url]).encode()
