"""What deploying a commit to an environment would change. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from deployer.cluster.applyset import Scope
from deployer.cluster.change import Change, Verdict
from deployer.cluster.connection import connect
from deployer.cluster.link import THREADS
from deployer.cluster.plan import Plan, plan
from deployer.cluster.resources import refuse_unsafe
from deployer.cluster.unified import unified
from deployer.forges.annotations import of_objects, of_render
from deployer.forges.preview_words import Fate, Outcome, Shown
from deployer.model import Action, Annotation, Environment, Failure, Manifests, ObjectResult, Permanent, Stage
from deployer.settings import ClusterSettings
from deployer.source.mirror import Mirror
from deployer.source.overlay import located, parse, render
from deployer.source.render_cache import RenderCache

_FATES = {
    Verdict.CREATE: Fate.CREATED,
    Verdict.UPDATE: Fate.CHANGED,
    Verdict.RECREATE: Fate.CHANGED,
    Verdict.DELETE: Fate.DELETED,
    Verdict.REFUSE: Fate.REFUSED,
}
"""Everything else stays as it is."""

_FOREIGN = "in the cluster already, and not of this environment yet"


def preview(
    environment: Environment, commit: str, *, cluster: ClusterSettings, mirror: Mirror, renders: RenderCache
) -> Plan:
    """Render a commit's overlay and compare it with the cluster.

    Args:
        environment: which one.
        commit: a full hash that the mirror has.
        cluster: the environment's cluster.
        mirror: of the environment's repository.
        renders: what was rendered before.

    Raises:
        Permanent, Temporary: as the stages of a deployment.
    """
    return _compare(environment, _render(environment, commit, mirror, renders), cluster)


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a commit would do to an environment, for people, and what it was found out from."""

    outcome: Outcome
    digest: str | None = None
    """Of the manifests; None when there are none that could be compared."""
    fault: Failure | None = None
    """Why it could not be found out."""


def foresee(
    environment: Environment, commit: str, *, cluster: ClusterSettings, mirror: Mirror, renders: RenderCache
) -> Foreseen:
    """As `preview`, but for people: what goes wrong is the result, too."""
    name = environment.key.environment
    try:
        desired = _render(environment, commit, mirror, renders)
        found = _compare(environment, desired, cluster)
    except Failure as failure:
        at = of_render(failure.message, overlay=environment.overlay) if failure.stage is Stage.RENDER else ()
        return Foreseen(Outcome(name, failure=f"{failure.stage}: {failure.message}", annotations=at), fault=failure)
    at = _refused(environment, commit, found.changes, mirror)
    seen = Outcome(name, tuple(map(_shown, found.changes)), annotations=at)
    try:
        found.refuse_over_budget(Scope.of(environment))
    except Permanent as failure:
        seen = replace(seen, failure=failure.message, over_budget=True)
    return Foreseen(seen, desired.digest)


def _render(environment: Environment, commit: str, mirror: Mirror, renders: RenderCache) -> Manifests:
    desired = parse(render(environment, commit, mirror=mirror, cache=renders), renders)
    refuse_unsafe(manifest.ref for manifest in desired.objects)
    return desired


def _refused(
    environment: Environment, commit: str, changes: Sequence[Change], mirror: Mirror
) -> tuple[Annotation, ...]:
    """What the cluster says against the environment's own objects, where the repository says them."""
    wrong = [each for each in changes if each.verdict is Verdict.REFUSE and not each.foreign]
    results = [ObjectResult(each.ref, Action.FAILED, each.note) for each in wrong]
    if results:
        results = list(located(results, environment, commit, mirror=mirror))
    return of_objects(results, overlay=environment.overlay)


def _compare(environment: Environment, desired: Manifests, cluster: ClusterSettings) -> Plan:
    with (
        connect(cluster, name=environment.cluster, service_account=environment.service_account) as connection,
        ThreadPoolExecutor(THREADS, thread_name_prefix="preview") as threads,
    ):
        return plan(connection, desired.objects, scope=Scope.of(environment), threads=threads, closely=True)


def _discreet(change: Change) -> Change:
    """Nothing of an object that is not the environment's yet: neither how it is, nor what the cluster says of it."""
    if not change.foreign:
        return change
    what = "cannot be taken over" if change.verdict is Verdict.REFUSE else "would be taken over"
    return Change(change.ref, change.verdict, note=f"{_FOREIGN}; it {what}; `deployer diff` tells an operator more")


def _shown(change: Change) -> Shown:
    """What people may read of a change who can push a branch, and so have any object compared by naming it in git."""
    fate = _FATES.get(change.verdict, Fate.UNCHANGED)
    diff = unified(_discreet(change), color=False) if fate is not Fate.UNCHANGED else ""
    return Shown(str(change.ref), fate, diff, recreated=change.verdict is Verdict.RECREATE)
