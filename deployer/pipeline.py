"""The spine: the stages of a deployment in order, nothing else.

Each stage raises a `Failure` that carries its name; turning that into an outcome is not done here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from deployer.cluster.apply import Listeners, apply
from deployer.cluster.applyset import Scope, Stamp, applyset_id
from deployer.cluster.connection import connect
from deployer.model import Action, Environment, Manifests, ObjectResult, Permanent, Place, Stage
from deployer.progress import Progress
from deployer.settings import ClusterSettings
from deployer.source import manifests
from deployer.source.mirror import Mirror
from deployer.source.overlay import render_overlay


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What a deployment works with."""

    environment: Environment
    cluster: ClusterSettings
    mirror: Mirror
    progress: Progress
    still_ours: Callable[[], None]
    """Raises when this worker is no longer the environment's writer; called before each phase of writing."""
    deployment: str
    """Id of the deployment, for the inventory."""
    fence: int
    """Token of this worker's lease on the environment; a later holder has a higher one."""

    @property
    def place(self) -> Place:
        """Where the environment's objects are."""
        namespace, inventory = self.environment.namespace, self.environment.key.inventory
        return Place(self.environment.cluster, namespace, inventory, applyset_id(inventory, namespace))

    def run(self, commit: str) -> tuple[ObjectResult, ...]:
        """Bring the environment to a commit.

        Returns:
            What happened to each object; all went well.

        Raises:
            Permanent: it cannot work; what happened to the objects that were tried is in the progress.
            Temporary: trying again may work.
        """
        self._fetch(commit)
        return self._apply(self._render(commit), commit)

    def _fetch(self, commit: str) -> None:
        with self.progress.stage(Stage.FETCH, f"commit {commit[:12]} of {self.environment.branch}"):
            self.mirror.ensure(commit, branch=self.environment.branch)

    def _render(self, commit: str) -> Manifests:
        with self.progress.stage(Stage.RENDER, self.environment.overlay):
            return manifests.parse(render_overlay(self.mirror, commit, self.environment.overlay))

    def _apply(self, desired: Manifests, commit: str) -> tuple[ObjectResult, ...]:
        doing = f"{len(desired.objects)} objects to cluster {self.environment.cluster}"
        with (
            self.progress.stage(Stage.APPLY, doing),
            connect(self.cluster, name=self.environment.cluster) as connection,
        ):
            self.still_ours()
            self.progress.settles(self.place)
            try:
                results = apply(
                    connection,
                    desired.objects,
                    scope=Scope.of(self.environment),
                    stamp=Stamp(commit, self.deployment, desired.digest),
                    fence=self.fence,
                    listeners=Listeners(check=self.still_ours),
                )
            finally:
                for trouble in connection.troubles():
                    self.progress.say(f"cluster {self.environment.cluster}: {trouble}; waited and went on")
            self.progress.objects(results)
            _refuse_failures(results)
        return results


def _refuse_failures(results: Sequence[ObjectResult]) -> None:
    failed = [result for result in results if result.action is Action.FAILED]
    if failed:
        reasons = "; ".join(f"{result.ref}: {result.message}" for result in failed)
        raise Permanent(f"{len(failed)} of {len(results)} objects failed: {reasons}", stage=Stage.APPLY)
