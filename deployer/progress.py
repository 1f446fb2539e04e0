"""Writes down what a deployment is doing: its stages, its log, one structured event per stage."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from deployer.forges import report
from deployer.model import Action, Deployment, Failure, ObjectResult, Place, Stage, StageRecord
from deployer.store import Store

Clock = Callable[[], datetime]

WORTH_A_WORD = timedelta(seconds=2)
"""A stage that takes less than this is over before anybody on the forge could read of it."""

_CHANGES = {"changed": (Action.CREATED, Action.UPDATED, Action.RECREATED), "pruned": (Action.DELETED,)}
"""What the audit calls that which was done to objects."""


class Progress:
    """The progress of one deployment, for `deployer log` and the deployment's page."""

    def __init__(self, deployment: Deployment, *, store: Store, clock: Clock) -> None:
        self._deployment = deployment
        self._store = store
        self._clock = clock
        self._log = structlog.get_logger().bind(
            environment=str(deployment.key), commit=deployment.commit, deployment=deployment.id
        )

    @contextmanager
    def stage(self, stage: Stage, doing: str) -> Iterator[None]:
        """Everything inside the block belongs to `stage`; `doing` tells people what it is."""
        begun = StageRecord(stage, self._clock(), message=doing)
        self._store.deployments.write_stage(self._deployment.id, begun)
        self._store.reports.mention(self._deployment, due=begun.started_at + WORTH_A_WORD)
        try:
            yield
        except Failure as failure:
            self._end(begun, failure.message)
            raise
        self._end(begun, doing)

    def waits(self, stage: Stage, message: str) -> None:
        """A stage that outlives this job stands like this; it begins with the first word on it."""
        begun = self._open(stage)
        if begun.message != message:
            self._store.deployments.write_stage(self._deployment.id, replace(begun, message=message))
            self.say(f"{stage}: {message}")

    def ended(self, stage: Stage, message: str) -> None:
        """A stage that outlived its job has ended."""
        self._end(self._open(stage), message)

    def settles(self, place: Place) -> None:
        """The environment is at this place from now on; the log says what stays behind where it was before."""
        self._store.places.settle(self._deployment.key, place)
        for left in self._store.places.left(self._deployment.key):
            self.say(f"{report.still_there(left)}; to delete it: {report.clean_up(left)}")

    def reads(self, fingerprint: str) -> None:
        """What the environment is deployed from, so that a merge that changes nothing of it leaves it alone."""
        self._store.deployments.reads(self._deployment, fingerprint)

    def previewed(self, said: str) -> None:
        """Whether what the deployment brings is what people were shown; its last word repeats it."""
        self._store.deployments.previewed(self._deployment, said)
        self.say(said)

    def say(self, line: str) -> None:
        """Add a line to the deployment's log. It must hold no secret."""
        self._store.deployments.log(self._deployment.id, line, at=self._clock())

    def objects(self, results: Sequence[ObjectResult]) -> None:
        """Keep what happened to each object."""
        self._store.deployments.write_objects(self._deployment.id, results)
        told = [result for result in results if result.action is not Action.UNCHANGED or result.message]
        lines = [": ".join(filter(None, (str(each.ref), each.source, each.action, each.message))) for each in told]
        if len(told) < len(results):
            lines.append(f"{len(results) - len(told)} {'others ' if told else ''}unchanged")
        self._store.deployments.log(self._deployment.id, *lines, at=self._clock())

    @contextmanager
    def changes(self, digest: str) -> Iterator[Callable[[ObjectResult], None]]:
        """What is told to what the block gets, as it happens, is in the audit when the block ends, however it ends.

        Args:
            digest: of the manifests that are brought.
        """
        self._store.deployments.rendered(self._deployment, digest)
        results: list[ObjectResult] = []
        try:
            yield results.append
        finally:
            for what, actions in _CHANGES.items():
                done = {action: [str(each.ref) for each in results if each.action is action] for action in actions}
                if names := {action.value: refs for action, refs in done.items() if refs}:
                    self._store.audit.step(self._deployment, what, at=self._clock(), digest=digest, **names)

    def _open(self, stage: Stage) -> StageRecord:
        records = self._store.deployments.stages(self._deployment.id)
        return next((record for record in records if record.stage is stage), StageRecord(stage, self._clock()))

    def _end(self, begun: StageRecord, message: str) -> None:
        ended = replace(begun, finished_at=self._clock(), message=message)
        self._store.deployments.write_stage(self._deployment.id, ended)
        seconds = (self._clock() - begun.started_at).total_seconds()
        self.say(f"{begun.stage}: {message} ({seconds:.2f} s)")
        self._log.info("stage", stage=begun.stage.value, seconds=round(seconds, 3), message=message)
