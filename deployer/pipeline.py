"""The spine: the stages of a deployment in order, nothing else.

Each stage raises a `Failure` that carries its name; turning that into an outcome is not done here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from deployer.cluster.apply import apply
from deployer.cluster.applyset import Scope, Stamp, applyset_id
from deployer.cluster.connection import connect
from deployer.model import Action, Environment, Manifests, ObjectRef, ObjectResult, Permanent, Place, Stage
from deployer.planning import fingerprint
from deployer.progress import Progress
from deployer.settings import ClusterSettings
from deployer.source.mirror import Mirror
from deployer.source.overlay import located, parse, render
from deployer.source.render_cache import RenderCache
from deployer.store.leases import Lease


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What a deployment works with."""

    environment: Environment
    cluster: ClusterSettings
    mirror: Mirror
    renders: RenderCache
    progress: Progress
    lease: Lease
    """On the environment: asked for before each stage, and before each request that writes."""
    deployment: str
    """Id of the deployment, for the inventory."""
    judge: Callable[[str], None] = lambda _: None
    """Told the digest of the manifests before the first write; what it raises ends the deployment."""
    resting: frozenset[ObjectRef] | None = None
    """Of a revert of drift: what it leaves as it is. None: it is no revert."""

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
            LeaseLost: somebody else may be the environment's writer by now.
        """
        self._fetch(commit)
        desired = self._render(commit)
        self.judge(desired.digest)
        return self._apply(desired, commit)

    def _fetch(self, commit: str) -> None:
        with self._stage(Stage.FETCH, f"commit {commit[:12]} of {self.environment.branch}"):
            self.mirror.ensure(commit, branch=self.environment.branch)

    def _render(self, commit: str) -> Manifests:
        with self._stage(Stage.RENDER, self.environment.overlay):
            rendered = render(
                self.environment, commit, mirror=self.mirror, cache=self.renders, anew=self.resting is None
            )
            self.progress.reads(fingerprint(self.environment, rendered.inputs.digest))
            for note in rendered.notes:
                self.progress.say(f"{note}; the whole repository counts as what the overlay reads")
            if rendered.known:
                self.progress.say("nothing that the overlay reads has changed: taken as it was rendered before")
            return parse(rendered, self.renders)

    def _apply(self, desired: Manifests, commit: str) -> tuple[ObjectResult, ...]:
        doing = f"{len(desired.objects)} objects to cluster {self.environment.cluster}"
        with (
            self._stage(Stage.APPLY, doing),
            connect(
                self.cluster,
                name=self.environment.cluster,
                service_account=self.environment.service_account,
                guard=self.lease.check,
            ) as connection,
        ):
            self.progress.settles(self.place)
            try:
                with self.progress.changes(desired.digest) as changed:
                    results = apply(
                        connection,
                        desired.objects,
                        scope=self._scope(desired),
                        stamp=Stamp(commit, self.deployment, desired.digest),
                        fence=self.lease.token,
                        on_result=changed,
                    )
            finally:
                for trouble in connection.troubles():
                    self.progress.say(f"cluster {self.environment.cluster}: {trouble}; waited and went on")
            if any(result.action is Action.FAILED for result in results):
                results = located(results, self.environment, commit, mirror=self.mirror)
            self.progress.objects(results)
            _refuse_failures(results)
        return results

    def _scope(self, desired: Manifests) -> Scope:
        """Of a revert: for the manifests that were deployed, and no others that the commit renders to by now."""
        digest = desired.digest if desired.fetched and self.resting is not None else None
        return replace(Scope.of(self.environment), resting=self.resting, digest=digest)

    @contextmanager
    def _stage(self, stage: Stage, doing: str) -> Iterator[None]:
        """A stage that begins only as long as the environment is ours: nothing is added to what others have ended."""
        self.lease.confirm()
        with self.progress.stage(stage, doing):
            yield


def _refuse_failures(results: Sequence[ObjectResult]) -> None:
    failed = [result for result in results if result.action is Action.FAILED]
    if failed:
        reasons = "; ".join(f"{result.ref}: {result.message}" for result in failed)
        raise Permanent(f"{len(failed)} of {len(results)} objects failed: {reasons}", stage=Stage.APPLY)
