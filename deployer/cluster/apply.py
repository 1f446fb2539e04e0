"""Brings an environment's objects to what git says: compare, guard, apply phase after phase, prune, remember.

As with kubectl, one object that is refused stops no other; only what cannot be without it is skipped, and then nothing
is deleted. The head of the set is written before the first object and once more after the last, so that whatever is in
the cluster is always found again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import ParamSpec, TypeVar

from deployer.cluster import identity
from deployer.cluster.applyset import Inventory, Scope, Stamp
from deployer.cluster.change import Change, Verdict
from deployer.cluster.connection import Connection
from deployer.cluster.delete import Deleter
from deployer.cluster.inventory import Keeper, NoNamespace
from deployer.cluster.link import THREADS
from deployer.cluster.order import phases
from deployer.cluster.plan import Plan, kinds, namespaces, plan
from deployer.cluster.prune import Extra
from deployer.cluster.resources import refuse_unsafe
from deployer.cluster.steps import Step
from deployer.cluster.write import Need, Writer, brings, needs
from deployer.model import Action, Manifest, ObjectRef, ObjectResult, Stage, Temporary

SETTLE = 30.0
"""Seconds for a definition to be served, and for an object of the same name that is being deleted to be gone."""

_P = ParamSpec("_P")
_T = TypeVar("_T")

_WRITTEN = frozenset({Verdict.CREATE, Verdict.UPDATE, Verdict.RECREATE, Verdict.OWN})


def apply(  # noqa: PLR0913 - what, where to, for which deployment, and who listens
    connection: Connection,
    manifests: Sequence[Manifest],
    *,
    scope: Scope,
    stamp: Stamp,
    fence: int = 0,
    on_result: Callable[[ObjectResult], None] = lambda _: None,
    settle: float = SETTLE,
) -> tuple[ObjectResult, ...]:
    """Apply what differs, delete what left git, and say what happened to each object.

    Args:
        connection: the cluster.
        manifests: no object twice, at least one.
        scope: the environment's place and policy. Its namespace is not created; an overlay may bring it.
        stamp: the deployment, for whoever reads the inventory.
        fence: token of the worker; grows with each worker that has the environment.
        on_result: called with each result as it comes, from this thread.
        settle: seconds for what only needs time.

    Returns:
        The results in the order of the manifests, under the names that the objects have in the cluster, then those of
        what left git. Refused objects are FAILED with the API server's reason; those whose namespace or definition
        failed are SKIPPED.

    Raises:
        Permanent: a name that no path may have, an object twice, more to delete than the budget allows (nothing is
            changed then), or as `Connection.request`.
        Temporary: a newer worker was here; or as `Connection.request`. What was applied until then stays; applying
            again does it no harm.
    """
    refuse_unsafe(manifest.ref for manifest in manifests)
    with _threads() as threads:
        planned = plan(connection, manifests, scope=scope, threads=threads, closely=False)
        planned.refuse_over_budget(scope)
        _refuse_newer(planned.inventory, fence)
        deleter = Deleter(connection, scope)
        brought = {need for step in planned.steps for need in brings(step.target)}
        writer = Writer(connection, scope.force, settle, brought, deleter, planned.known)
        run = _Run(planned, Keeper(connection, scope), writer, threads, on_result, planned.inventory)
        run.all(replace(planned.inventory, stamp=stamp, fence=max(fence, planned.inventory.fence)))
    return run.told(planned)


class _Threads(ThreadPoolExecutor):
    """Threads that, once something was raised in one of them, begin nothing more.

    Each of them would else find out by itself that the cluster is gone, and wait for it anew, before whoever waits for
    the first can call it off.
    """

    _raised: BaseException | None = None

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        return super().submit(self._unless_raised, partial(fn, *args, **kwargs))

    def _unless_raised(self, work: Callable[[], _T]) -> _T:
        if self._raised is not None:
            raise self._raised
        try:
            return work()
        except BaseException as error:
            self._raised = error
            raise


@contextmanager
def _threads() -> Iterator[Executor]:
    """Threads that are waited for at the end; when something is raised, what they have not begun is dropped."""
    threads = _Threads(THREADS, thread_name_prefix="apply")
    try:
        yield threads
    finally:
        threads.shutdown(cancel_futures=True)


def _refuse_newer(inventory: Inventory, fence: int) -> None:
    if fence and inventory.fence > fence:
        raise Temporary("a newer deployment was here meanwhile; starting over", stage=Stage.APPLY)


@dataclass(slots=True)
class _Run:
    plan: Plan
    keeper: Keeper
    writer: Writer
    threads: Executor
    tell: Callable[[ObjectResult], None]
    head: Inventory
    """The head of the set as it stands in the cluster."""
    results: dict[ObjectRef, ObjectResult] = field(default_factory=dict)
    lost: dict[Need, ObjectRef] = field(default_factory=dict)
    """What objects need and will not get, and which object should have brought it."""

    def all(self, wanted: Inventory) -> None:
        """Do all of it; `wanted` has the stamp and the fence for the head of the set."""
        for change in self._settled():
            self._keep(_without_writing(change))
        steps = [step for step in self.plan.steps if step.change.verdict in _WRITTEN]
        if steps or self.plan.going:
            steps = self._widen(wanted, steps)
        for phase in phases(steps):
            self._confirm()
            self._write(phase)
        if not self._failed():
            for gone in reversed(phases(self.plan.going)):
                self._confirm()
                self._delete(gone)
        if not self._failed():
            self._narrow(wanted)

    def told(self, planned: Plan) -> tuple[ObjectResult, ...]:
        """The results in the order of the plan."""
        return tuple(self.results[change.ref] for change in planned.changes if change.ref in self.results)

    def _settled(self) -> Iterator[Change]:
        yield from self.plan.unknown
        yield from (step.change for step in self.plan.steps if step.change.verdict not in _WRITTEN)
        yield from (change for _, change in self.plan.extras if change.verdict is Verdict.KEEP)

    def _widen(self, wanted: Inventory, steps: list[Step]) -> list[Step]:
        """Before the first write: the head names all that was and all that will be. Gives the steps that are left."""
        before, refs = self.plan.inventory, [step.ref for step in self.plan.steps]
        wide = replace(
            wanted,
            stamp=before.stamp,
            kinds=before.kinds | kinds(refs),
            namespaces=before.namespaces | namespaces(refs) - {self.keeper.scope.namespace},
        )
        try:
            self._write_head(wide)
        except NoNamespace:
            home = [step for step in steps if step.ref == _namespace(self.keeper.scope.namespace)]
            if not home:
                raise
            self._write(home)
            steps = [step for step in steps if step not in home]
            if self._failed():
                self._skip(steps, home[0].ref)
                return []
            self._write_head(wide)
        return steps

    def _narrow(self, wanted: Inventory) -> None:
        """After the last delete: the head names what is there. Not written when it says so already."""
        there = [step.ref for step in self.plan.steps]
        there += [ref for ref, result in self.results.items() if result.action is Action.KEPT]
        narrow = replace(
            wanted,
            kinds=kinds(there),
            namespaces=namespaces(there) - {self.keeper.scope.namespace},
        )
        if not _says_the_same(self.head, narrow):
            self._write_head(narrow)

    def _write_head(self, inventory: Inventory) -> None:
        self.head = self.keeper.write(replace(inventory, version=self.head.version))

    def _confirm(self) -> None:
        if self.results:
            self.keeper.confirm(self.head)

    def _write(self, steps: Iterable[Step]) -> None:
        """Write all of them and wait for that."""
        writes = {}
        for step in steps:
            if missing := next((self.lost[need] for need in needs(step.target) if need in self.lost), None):
                self._skip([step], missing)
            else:
                writes[self.threads.submit(self.writer.write, step)] = step
        for write in _ended(writes):
            result = write.result()
            if result.action is Action.FAILED:
                self.lost.update(dict.fromkeys(brings(writes[write].target), result.ref))
            self._keep(result)

    def _delete(self, extras: Iterable[Extra]) -> None:
        """Delete those that did not turn out, while the others were written, to be objects of git by another name."""
        deleter, named = self.writer.deleter, self.writer.named
        left = [extra for extra in extras if identity.uid(extra.content) not in named]
        deletes = [self.threads.submit(deleter.delete, extra.ref, extra.path, extra.content) for extra in left]
        for delete in _ended(deletes):
            self._keep(delete.result())

    def _skip(self, steps: Iterable[Step], missing: ObjectRef) -> None:
        for step in steps:
            self._keep(ObjectResult(step.ref, Action.SKIPPED, f"needs {missing}, which failed"))

    def _failed(self) -> bool:
        return any(result.action in (Action.FAILED, Action.SKIPPED) for result in self.results.values())

    def _keep(self, result: ObjectResult) -> None:
        self.results[result.ref] = result
        self.tell(result)


def _ended(begun: Iterable[Future[_T]]) -> Iterator[Future[_T]]:
    """Those that end well, as they end. What was raised in one is raised last: the others have written, too."""
    raised: BaseException | None = None
    for each in as_completed(begun):
        error = each.exception()
        if error is None:
            yield each
        raised = raised or error
    if raised is not None:
        raise raised


def _without_writing(change: Change) -> ObjectResult:
    actions = {Verdict.REFUSE: Action.FAILED, Verdict.KEEP: Action.KEPT}
    return ObjectResult(change.ref, actions.get(change.verdict, Action.UNCHANGED), change.note)


def _namespace(name: str) -> ObjectRef:
    return ObjectRef("v1", "Namespace", None, name)


def _says_the_same(head: Inventory, wanted: Inventory) -> bool:
    """Whether there is nothing to write: which attempt it was, nobody needs to know when nothing else is new."""
    same = replace(head, fence=wanted.fence, stamp=replace(head.stamp, deployment=wanted.stamp.deployment))
    return head.version is not None and same == wanted
