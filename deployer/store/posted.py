"""What each commit says on its forge, as far as we posted it: so that nothing is said twice, or too often."""

from __future__ import annotations

import json

from redis import Redis

from deployer.model import CommitStatus

_RETENTION_SECONDS = 90 * 24 * 3600


class Posted:
    """The last status that was posted for each commit and context, and when a forge wants to hear nothing."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def is_last(self, forge: str, status: CommitStatus) -> bool:
        """Whether exactly this status is the last that was posted."""
        return bool(self._redis.get(_key(forge, status)) == _value(status))

    def times(self, forge: str, status: CommitStatus) -> int:
        """How many statuses were posted for this commit and context."""
        return int(self._redis.get(_times(forge, status)) or 0)

    def remember(self, forge: str, status: CommitStatus) -> None:
        """This status was posted."""
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.set(_key(forge, status), _value(status), ex=_RETENTION_SECONDS)
            pipe.incr(_times(forge, status))
            pipe.expire(_times(forge, status), _RETENTION_SECONDS)
            pipe.execute()

    def hush(self, forge: str, *, seconds: float) -> None:
        """A forge has asked for so many seconds without a word from us."""
        self._redis.set(_hushed(forge), b"", px=max(1, round(seconds * 1000)))

    def hushed(self, forge: str) -> float:
        """Seconds for which a forge still wants to hear nothing."""
        return max(0.0, int(self._redis.pttl(_hushed(forge))) / 1000)


def _key(forge: str, status: CommitStatus) -> str:
    return f"deployer:posted:{forge}/{status.repository}@{status.commit}:{status.context}"


def _times(forge: str, status: CommitStatus) -> str:
    return f"{_key(forge, status)}:times"


def _hushed(forge: str) -> str:
    return f"deployer:hushed:{forge}"


def _value(status: CommitStatus) -> bytes:
    return json.dumps([status.state.value, status.description, status.target_url]).encode()
