"""What is known of each environment's drift, and when it is looked for next."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from redis import Redis

from deployer.holding import Checked, DriftState, Step
from deployer.model import Author, DriftKind, EnvironmentKey, FieldDrift, ObjectDrift, ObjectRef
from deployer.reverts import Attempt, Memory, Refusal
from deployer.store.codec import read_time, text, write_time

_DUE = "deployer:drift:due"
_BELL = "deployer:drift:bell"
_BELL_SECONDS = 30

# Whoever read it as due takes it; somebody who read it at the same time does not.
# KEYS: due  ARGV: environment, now, due again
_CLAIM = """
local due = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not due or tonumber(due) > tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
return 1
"""


class Drifts:
    """The last look at each environment, and the next."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._claim = redis.register_script(_CLAIM)

    def begin(self, first: Mapping[EnvironmentKey, datetime]) -> None:
        """When to look at environments for the first time; those that are known keep their time."""
        if first:
            self._redis.zadd(_DUE, {str(key): at.timestamp() for key, at in first.items()}, nx=True)

    def unknown(self, keys: Iterable[EnvironmentKey]) -> tuple[EnvironmentKey, ...]:
        """Those of some environments that have no time yet."""
        asked = tuple(keys)
        times = self._redis.zmscore(_DUE, [str(key) for key in asked]) if asked else []
        return tuple(key for key, time in zip(asked, times, strict=True) if time is None)

    def due(self, *, at: datetime) -> tuple[EnvironmentKey, ...]:
        """The environments that are to be looked at, the longest due first."""
        members = self._redis.zrangebyscore(_DUE, "-inf", at.timestamp())
        return tuple(EnvironmentKey.parse(text(each)) for each in members)

    def claim(self, key: EnvironmentKey, *, at: datetime, until: datetime) -> bool:
        """Take an environment that is due, so that nobody else does until another time."""
        return bool(self._claim(keys=[_DUE], args=[str(key), at.timestamp(), until.timestamp()]))

    def look_at(self, key: EnvironmentKey, *, due: datetime) -> None:
        """An environment is to be looked at at that time."""
        self._redis.zadd(_DUE, {str(key): due.timestamp()})

    def forget(self, key: EnvironmentKey) -> None:
        """An environment is not looked at any more, and nothing is known of it."""
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.zrem(_DUE, str(key))
            pipe.delete(_name(key))
            pipe.execute()

    def ring(self) -> bool:
        """Whether a worker has to be told that something is due: none was that has yet to begin."""
        return bool(self._redis.set(_BELL, 1, nx=True, ex=_BELL_SECONDS))

    def answer(self) -> None:
        """A worker begins to look at what is due."""
        self._redis.delete(_BELL)

    def get(self, key: EnvironmentKey) -> Checked:
        """The last look at an environment."""
        return self.several([key])[0]

    def several(self, keys: Sequence[EnvironmentKey]) -> list[Checked]:
        """The last look at each of some environments, in their order."""
        found = self._redis.mget([_name(key) for key in keys]) if keys else []
        return [_read(json.loads(raw)) if raw else Checked() for raw in found]

    def keep(self, key: EnvironmentKey, checked: Checked) -> None:
        """Write down a look."""
        self._redis.set(_name(key), json.dumps(_write(checked)))


def _name(key: EnvironmentKey) -> str:
    return f"deployer:drift:of:{key}"


def _write(checked: Checked) -> dict[str, object]:
    memory = checked.memory
    return {
        "state": checked.state.value,
        "commit": checked.commit,
        "checked_at": _time(checked.checked_at),
        "objects": [_write_object(drift) for drift in checked.objects],
        "reason": checked.reason,
        "state_since": _time(checked.since),
        "step": checked.step.value,
        "again": _time(checked.again),
        "since": memory.since,
        "reverts": {mark: [write_time(at) for at in times] for mark, times in memory.reverts.items()},
        "stopped": {mark: write_time(at) for mark, at in memory.stopped.items()},
        "last": _time(memory.last),
        "refused": {mark: _write_refusal(why) for mark, why in memory.refused.items()},
        "attempt": [memory.attempt.deployment, memory.attempt.marks] if memory.attempt else None,
    }


def _read(found: dict[str, Any]) -> Checked:
    return Checked(
        state=DriftState(found["state"]),
        commit=found["commit"],
        checked_at=_at(found["checked_at"]),
        objects=tuple(map(_read_object, found["objects"])),
        reason=found["reason"],
        since=_at(found["state_since"]),
        step=Step(found["step"]),
        again=_at(found["again"]),
        memory=_read_memory(found),
    )


def _read_memory(found: dict[str, Any]) -> Memory:
    return Memory(
        since=found["since"],
        reverts={mark: tuple(map(read_time, times)) for mark, times in found["reverts"].items()},
        stopped={mark: read_time(at) for mark, at in found["stopped"].items()},
        last=_at(found["last"]),
        refused={mark: _read_refusal(why) for mark, why in found["refused"].items()},
        attempt=_read_attempt(*found["attempt"]) if found["attempt"] else None,
    )


def _read_attempt(deployment: str, marks: dict[str, list[str]]) -> Attempt:
    return Attempt(deployment, {name: tuple(asked) for name, asked in marks.items()})


def _write_refusal(why: Refusal) -> list[str | int]:
    return [why.reason, why.deployment, why.times, write_time(why.last)]


def _read_refusal(found: list[Any]) -> Refusal:
    reason, deployment, times, last = found
    return Refusal(reason, deployment, times, read_time(last))


def _write_object(drift: ObjectDrift) -> dict[str, object]:
    return {
        "api_version": drift.ref.api_version,
        "kind": drift.ref.kind,
        "namespace": drift.ref.namespace,
        "name": drift.ref.name,
        "drift": drift.kind.value,
        "fields": [_write_field(each) for each in drift.fields],
        "note": drift.note,
        **_write_author(drift.author),
    }


def _write_field(each: FieldDrift) -> dict[str, object]:
    values = {"git": None, "live": None} if each.hidden else {"git": each.git, "live": each.live}
    return {"path": each.path, **values, "hidden": each.hidden, **_write_author(each.author)}


def _write_author(author: Author | None) -> dict[str, object]:
    return {"manager": author.manager if author else None, "at": _time(author.at) if author else None}


def _read_object(found: dict[str, Any]) -> ObjectDrift:
    ref = ObjectRef(found["api_version"], found["kind"], found["namespace"], found["name"])
    fields = tuple(
        FieldDrift(each["path"], each["git"] or "", each["live"] or "", _read_author(each), hidden=each["hidden"])
        for each in found["fields"]
    )
    return ObjectDrift(ref, DriftKind(found["drift"]), fields, found["note"], _read_author(found))


def _read_author(found: dict[str, Any]) -> Author | None:
    return Author(found["manager"], _at(found["at"])) if found["manager"] is not None else None


def _time(at: datetime | None) -> str | None:
    return write_time(at) if at else None


def _at(written: str | None) -> datetime | None:
    return read_time(written) if written else None
