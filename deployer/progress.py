"""Writes down what a deployment is doing: its stages, its log, one structured event per stage."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

import structlog

from deployer.model import Deployment, Failure, ObjectResult, Stage, StageRecord
from deployer.store import Store

Clock = Callable[[], datetime]


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
        try:
            yield
        except Failure as failure:
            self._end(begun, failure.message)
            raise
        self._end(begun, doing)

    def say(self, line: str) -> None:
        """Add a line to the deployment's log. It must hold no secret."""
        self._store.deployments.log(self._deployment.id, line, at=self._clock())

    def objects(self, results: Sequence[ObjectResult]) -> None:
        """Keep what happened to each object."""
        self._store.deployments.write_objects(self._deployment.id, results)
        for result in results:
            self.say(f"{result.ref}: {result.action}{f': {result.message}' if result.message else ''}")

    def _end(self, begun: StageRecord, message: str) -> None:
        ended = replace(begun, finished_at=self._clock(), message=message)
        self._store.deployments.write_stage(self._deployment.id, ended)
        seconds = (self._clock() - begun.started_at).total_seconds()
        self.say(f"{begun.stage}: {message} ({seconds:.2f} s)")
        self._log.info("stage", stage=begun.stage.value, seconds=round(seconds, 3), message=message)
