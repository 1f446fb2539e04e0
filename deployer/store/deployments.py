"""Deployments from the moment they are accepted: their record, their place in the queue, what became of them.

A deployment stays in its environment's queue until it has a final state, so a worker that dies leaves it there to be
found. Its beginning and its end mark the commit as owing a report and are in the audit, in the same transaction.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain

from redis import Redis

from deployer.model import Deployment, EnvironmentKey, ObjectResult, StageRecord, State, Trigger
from deployer.store import environments, names, rows, scripts
from deployer.store.beginnings import FIELD, Beginnings
from deployer.store.codec import (
    read_deployment,
    read_result,
    read_stage,
    text,
    text_hash,
    write_deployment,
    write_result,
    write_stage,
    write_time,
)
from deployer.store.leases import Lease

RETENTION_SECONDS = 90 * 24 * 3600
LOG_LINES = 2000


class Deployments:
    """The records of all deployments, and the queue of each environment."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._beginnings = Beginnings(redis)
        self._queue = redis.register_script(scripts.QUEUE)
        self._advance = redis.register_script(scripts.ADVANCE)
        self._finish = redis.register_script(scripts.FINISH)

    def queue(self, deployment: Deployment, *, anew: bool = False, note: str | None = None) -> Deployment:
        """Put a new deployment into its environment's queue; one that has ended already is only put on record.

        Args:
            deployment: a new one.
            anew: do not join one that has been applied and is only waited for.
            note: what the audit says beside what it is.

        Returns:
            The same deployment; or the one of the same commit that has no final state yet, which it joins. A rollback
            joins only one that leaves the same behind: all others may yet give way to what is newer.
        """
        joined, written = "", 0
        while not written:
            answer, written = self._queue_or_join(deployment, joined, anew=anew, note=note)
            joined = text(answer)
        if deployment.finished_at and joined == deployment.id:
            self._expire(deployment, deployment.finished_at)
        return deployment if joined == deployment.id else self.get(joined) or deployment

    def _queue_or_join(
        self, deployment: Deployment, joined: str, *, anew: bool, note: str | None
    ) -> tuple[bytes | str, int]:
        """Queue a deployment, or have it join `joined`; gives the one that it is now, or is to join, and if it does."""
        key, commit, at = str(deployment.key), deployment.commit, deployment.created_at
        queued = rows.write_step(deployment, deployment.state.value, at=at, reason=note)
        joins = rows.write_step(replace(deployment, id=joined), "joined", at=at, reason=note) if joined else ("", "")
        answer: tuple[bytes | str, int] = self._queue(
            keys=[
                names.active(key, commit),
                names.record(deployment.id),
                names.ALL,
                names.of_environment(key),
                names.queued(key),
                names.WAITING,
                names.UNREPORTED,
                "" if deployment.trigger is Trigger.DRIFT else names.latest(key, commit),  # what drifted has its own
                *rows.KEYS,
            ],
            args=[
                deployment.id,
                at.timestamp(),
                key,
                names.report(deployment.key, commit),
                deployment.state.value if deployment.state.final else "",
                State.ROLLING_OUT.value if anew else "",
                *queued,
                joined,
                *joins,
                _going_back(deployment),
                *chain.from_iterable(write_deployment(deployment).items()),
            ],
        )
        return answer

    def get(self, deployment_id: str) -> Deployment | None:
        """A deployment by its id, or None."""
        if not deployment_id.isalnum():
            return None
        fields = text_hash(self._redis.hgetall(names.record(deployment_id)))
        return read_deployment(fields) if "id" in fields else None

    def latest(self, key: EnvironmentKey, commit: str) -> Deployment | None:
        """The newest deployment of one commit to one environment: what its commit status is about."""
        found = self._redis.get(names.latest(str(key), commit))
        return self.get(text(found)) if found else None

    def newest(self, key: EnvironmentKey | None = None, *, most: int = 100) -> tuple[Deployment, ...]:
        """The newest deployments, of one environment or of all, newest first."""
        index = names.of_environment(str(key)) if key else names.ALL
        return self._several(self._redis.zrange(index, 0, most - 1, desc=True))

    def queued(self, key: EnvironmentKey) -> tuple[Deployment, ...]:
        """The deployments of an environment that have no final state, in the order in which they were accepted."""
        return self._several(self._redis.lrange(names.queued(str(key)), 0, -1))

    def waiting(self, *, before: datetime) -> tuple[EnvironmentKey, ...]:
        """The environments with a deployment that has no final state and was due before a time."""
        members = self._redis.zrangebyscore(names.WAITING, "-inf", before.timestamp())
        return tuple(EnvironmentKey.parse(text(member)) for member in members)

    def postpone(self, key: EnvironmentKey, *, due: datetime) -> None:
        """An environment's queue is to be looked at again at that time."""
        self._redis.zadd(names.WAITING, {str(key): due.timestamp()}, xx=True)

    def advance(
        self,
        deployment: Deployment,
        state: State,
        summary: str,
        *,
        lease: Lease | None = None,
        at: datetime | None = None,
    ) -> Deployment:
        """Write what a deployment is doing now (not its end).

        One that has ended stays as it is, and so does one whose lease is somebody else's by now.
        """
        keys = [names.record(deployment.id), lease.key if lease else "", *rows.KEYS]
        row = rows.write_step(deployment, state.value, at=at or datetime.now(UTC), reason=summary)
        self._advance(keys=keys, args=[str(lease.token) if lease else "", state.value, summary, *row])
        return replace(deployment, state=state, summary=summary)

    def reads(self, deployment: Deployment, fingerprint: str) -> None:
        """Write down what a deployment is made from; it is its environment's when it succeeds."""
        self._redis.hset(names.record(deployment.id), "reads", fingerprint)

    def rendered(self, deployment: Deployment, digest: str) -> None:
        """Write down the digest of the manifests that a deployment brings; the audit has it when it ends."""
        self._redis.hset(names.record(deployment.id), "digest", digest)

    def previewed(self, deployment: Deployment, said: str) -> None:
        """Write down whether what a deployment brings is what people were shown before the merge."""
        self._redis.hset(names.record(deployment.id), "previewed", said)

    def begun(self, deployment: Deployment) -> int:
        """Count one more beginning of a deployment and return the count since it last ended or was postponed."""
        return self._beginnings.count(names.record(deployment.id))

    def postponed(self, deployment: Deployment) -> None:
        """A try at a deployment came to its end, if not to a good one."""
        self._redis.hdel(names.record(deployment.id), FIELD)

    def finish(
        self, deployment: Deployment, state: State, summary: str, *, at: datetime, lease: Lease | None = None
    ) -> bool:
        """Write the end of a deployment; the only place where that happens.

        Args:
            deployment: which one, and what supersedes it.
            state: a final one. With SUCCEEDED, its commit is what the environment runs.
            summary: what happened.
            at: when.
            lease: what the caller may write under; None for a deployment that nobody has begun.

        Returns:
            Whether it was written. Not if the deployment has ended already, or the lease is somebody else's by now.
        """
        key, digest = str(deployment.key), self._redis.hget(names.record(deployment.id), "digest")
        row = rows.write_step(deployment, state.value, at=at, reason=summary, digest=text(digest) if digest else None)
        ended = self._finish(
            keys=[
                names.record(deployment.id),
                lease.key if lease else "",
                names.queued(key),
                names.active(key, deployment.commit),
                names.UNREPORTED,
                environments.name(deployment.key),
                names.WAITING,
                *rows.KEYS,
            ],
            args=[
                str(lease.token) if lease else "",
                state.value,
                summary,
                write_time(at),
                deployment.id,
                at.timestamp(),
                names.report(deployment.key, deployment.commit),
                deployment.commit if state is State.SUCCEEDED else "",
                key,
                *row,
                deployment.superseded_by or "",
            ],
        )
        self._expire(deployment, at)
        return bool(ended)

    def _expire(self, deployment: Deployment, at: datetime) -> None:
        key, oldest = str(deployment.key), at.timestamp() - RETENTION_SECONDS
        with self._redis.pipeline(transaction=True) as pipe:
            for name in (*names.parts(deployment.id), names.latest(key, deployment.commit)):
                pipe.expire(name, RETENTION_SECONDS)
            for index in (names.ALL, names.of_environment(key)):
                pipe.zremrangebyscore(index, "-inf", oldest)
            pipe.execute()

    def attempt(self, deployment: Deployment) -> int:
        """Count one more attempt at a deployment and return the count."""
        return int(self._redis.hincrby(names.record(deployment.id), "attempts", 1))

    def tried(self, deployment: Deployment) -> bool:
        """Whether a deployment has been attempted, so that a further attempt has its time."""
        return bool(self._redis.hexists(names.record(deployment.id), "attempts"))

    def write_stage(self, deployment_id: str, record: StageRecord) -> None:
        """Keep a stage under its name; a later attempt replaces it."""
        self._redis.hset(names.stages(deployment_id), record.stage.value, write_stage(record))

    def stages(self, deployment_id: str) -> tuple[StageRecord, ...]:
        """The stages so far, by the time they began."""
        records = [read_stage(written) for written in self._redis.hvals(names.stages(deployment_id))]
        return tuple(sorted(records, key=lambda record: record.started_at))

    def log(self, deployment_id: str, *lines: str, at: datetime) -> None:
        """Add lines, at least one, to what `deployer log` shows. They must hold no secret."""
        name = names.log(deployment_id)
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.rpush(name, *(f"{write_time(at)} {line}" for line in lines))
            pipe.ltrim(name, -LOG_LINES, -1)
            pipe.expire(name, RETENTION_SECONDS)  # the last line comes after the end
            pipe.execute()

    def log_lines(self, deployment_id: str) -> tuple[str, ...]:
        """All lines of the log, oldest first."""
        return tuple(text(line) for line in self._redis.lrange(names.log(deployment_id), 0, -1))

    def write_objects(self, deployment_id: str, results: Sequence[ObjectResult]) -> None:
        """Keep what happened to each object."""
        self._redis.set(names.objects(deployment_id), json.dumps([write_result(result) for result in results]))

    def objects(self, deployment_id: str) -> tuple[ObjectResult, ...]:
        """What happened to each object, in the order of applying."""
        written = self._redis.get(names.objects(deployment_id))
        return tuple(read_result(value) for value in json.loads(written)) if written else ()

    def _several(self, ids: Iterable[object]) -> tuple[Deployment, ...]:
        with self._redis.pipeline(transaction=False) as pipe:
            for deployment_id in ids:
                pipe.hgetall(names.record(text(deployment_id)))
            hashes = [text_hash(raw) for raw in pipe.execute()]
        return tuple(read_deployment(fields) for fields in hashes if "id" in fields)


def _going_back(deployment: Deployment) -> str:
    """By what rollbacks to one commit differ; empty for what is none."""
    return f"{deployment.trigger} {deployment.back_from or ''}" if deployment.trigger is Trigger.ROLLBACK else ""
