"""What is known of the branches that we look at: when each is due, what was found, what went wrong.

That something is to be planned is written here before it is, so that a worker that dies over it leaves it to be found.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from redis import Redis

from deployer.model import BranchKey
from deployer.store.beginnings import Beginnings
from deployer.store.codec import read_time, text, write_time
from deployer.store.deliveries import CLAIM

_DUE = "deployer:tips:due"
_BEHIND = "deployer:tips:behind"
_OWED = "deployer:tips:owed"
_TROUBLE = "deployer:tips:trouble"
_SILENT = "deployer:tips:silent"
_MISSED = "deployer:tips:missed"
_BELL_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a branch is not followed."""

    doing: str
    """What went wrong, in a word that stays the same for as long as the same thing goes wrong."""
    message: str
    since: datetime


class Tips:
    """The branches of the settings, as far as looking at them goes."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._beginnings = Beginnings(redis)
        self._claim = redis.register_script(CLAIM)

    def start(self) -> None:
        """All branches are due at once, and what is known of others is forgotten."""
        self._redis.delete(_DUE)

    def due(self, branches: Iterable[BranchKey], *, at: datetime) -> tuple[BranchKey, ...]:
        """Those of some branches that are to be looked at, the longest due first; one that is new is."""
        known = {str(branch): branch for branch in branches}
        if not known:
            return ()
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.zadd(_DUE, dict.fromkeys(known, at.timestamp()), nx=True)
            pipe.zrangebyscore(_DUE, "-inf", at.timestamp())
            _, members = pipe.execute()
        return tuple(known[name] for name in map(text, members) if name in known)

    def look_again(self, branch: BranchKey, *, due: datetime) -> None:
        """A branch is to be looked at (again) at that time."""
        self._redis.zadd(_DUE, {str(branch): due.timestamp()})

    def ring(self, forge: str) -> bool:
        """Whether a worker has to be told that branches of a forge are due: none was that has yet to begin."""
        return bool(self._redis.set(_bell(forge), 1, nx=True, ex=_BELL_SECONDS))

    def begin(self, forge: str) -> None:
        """A worker begins to look at what is due of a forge."""
        self._redis.delete(_bell(forge))

    def behind(self, branch: BranchKey, planned: str | None, *, at: datetime) -> datetime:
        """Since when a branch has been at another commit than the one that was planned last: now, or from before."""
        known = self._redis.hget(_BEHIND, str(branch))
        if known:
            found = json.loads(known)
            if found["planned"] == planned:
                return read_time(found["since"])
        self._redis.hset(_BEHIND, str(branch), json.dumps({"planned": planned, "since": write_time(at)}))
        return at

    def level(self, branch: BranchKey) -> None:
        """What a branch is at was planned."""
        self._redis.hdel(_BEHIND, str(branch))

    def owe(self, branch: BranchKey, *, due: datetime) -> None:
        """What a branch is at has to be planned at that time."""
        self._redis.zadd(_OWED, {str(branch): due.timestamp()})

    def claim(self, *, at: datetime, until: datetime) -> BranchKey | None:
        """Take a branch that is to be planned, so that nobody else does until another time; None when there is none."""
        claimed = self._claim(keys=[_OWED], args=[at.timestamp(), until.timestamp()])
        return BranchKey.parse(text(claimed)) if claimed else None

    def begun(self, branch: BranchKey, commit: str) -> int:
        """Count one more beginning of planning a commit of a branch; how many there were since one came to an end."""
        return self._beginnings.count(_begun(branch), commit)

    def ended(self, branch: BranchKey) -> None:
        """Planning a branch came to an end, good or bad."""
        self._redis.delete(_begun(branch))

    def planned(self, branch: BranchKey) -> None:
        """Nothing more is owed to a branch."""
        self._redis.zrem(_OWED, str(branch))

    def owed(self, *, before: datetime) -> tuple[BranchKey, ...]:
        """The branches whose planning was due before a time, oldest first."""
        members = self._redis.zrangebyscore(_OWED, "-inf", before.timestamp())
        return tuple(BranchKey.parse(text(member)) for member in members)

    def is_owed(self, branch: BranchKey) -> bool:
        """Whether what a branch is at has to be planned."""
        return self._redis.zscore(_OWED, str(branch)) is not None

    def unanswered(self, forge: str) -> int:
        """A forge did not answer; how often in a row."""
        return int(self._redis.hincrby(_SILENT, forge, 1))

    def answered(self, forge: str) -> int:
        """A forge answered; how often in a row it had not before that."""
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.hget(_SILENT, forge)
            pipe.hdel(_SILENT, forge)
            count, _ = pipe.execute()
        return int(count or 0)

    def failed(self, branch: BranchKey, doing: str, message: str, *, at: datetime) -> bool:
        """A branch is not followed; whether that is news.

        Args:
            branch: which one.
            doing: what went wrong. The same as before is no news, however its message is worded.
            message: why, for people.
            at: when.
        """
        known = self._trouble(branch)
        news = known is None or known.doing != doing
        since = at if known is None or news else known.since
        written = {"doing": doing, "message": message, "since": write_time(since)}
        self._redis.hset(_TROUBLE, str(branch), json.dumps(written))
        return news

    def well(self, branch: BranchKey, doing: str = "") -> bool:
        """What went wrong with a branch, if it is this (anything when left out), does not any more; whether it did."""
        known = self._trouble(branch)
        return known is not None and known.doing.startswith(doing) and bool(self._redis.hdel(_TROUBLE, str(branch)))

    def troubles(self, branches: Iterable[BranchKey]) -> Mapping[BranchKey, Trouble]:
        """Those of some branches that are not followed, and why."""
        found = {branch: self._trouble(branch) for branch in branches}
        return {branch: trouble for branch, trouble in found.items() if trouble}

    def missed(self, branch: BranchKey, commit: str, *, at: datetime) -> bool:
        """Nobody told us of a commit; whether that is known of it for the first time."""
        name, written = f"{branch.forge}/{branch.repository}", json.dumps({"commit": commit, "at": write_time(at)})
        known = self._redis.hget(_MISSED, name)
        self._redis.hset(_MISSED, name, written)
        return not known or json.loads(known)["commit"] != commit

    def last_missed(self) -> Mapping[tuple[str, str], datetime]:
        """Forge and repository of which we missed something, and when that was found the last time."""
        known = {text(name): json.loads(written) for name, written in self._redis.hgetall(_MISSED).items()}
        return {_repository(name): read_time(found["at"]) for name, found in sorted(known.items())}

    def _trouble(self, branch: BranchKey) -> Trouble | None:
        written = self._redis.hget(_TROUBLE, str(branch))
        if not written:
            return None
        found = json.loads(written)
        return Trouble(found["doing"], found["message"], read_time(found["since"]))


def _bell(forge: str) -> str:
    return f"deployer:tips:bell:{forge}"


def _begun(branch: BranchKey) -> str:
    return f"deployer:tips:begun:{branch}"


def _repository(name: str) -> tuple[str, str]:
    forge, _, repository = name.partition("/")
    return forge, repository
