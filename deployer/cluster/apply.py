"""All objects of an overlay into the cluster: phase after phase, at the same time within a phase.

As with kubectl, one object that is refused stops no other; only what cannot be without it is skipped. Nothing is
ever deleted here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field

from deployer.cluster import live
from deployer.cluster.connection import Connection
from deployer.cluster.discovery import UnknownKind
from deployer.cluster.link import THREADS
from deployer.cluster.live import Version
from deployer.cluster.order import phases
from deployer.cluster.resources import refuse_unsafe
from deployer.cluster.target import Target, locate
from deployer.cluster.write import Need, Writer, brings, needs
from deployer.model import Action, Manifest, ObjectRef, ObjectResult, Permanent, Stage

SETTLE = 30.0
"""Seconds for a definition to be served, and for an object of the same name that is being deleted to be gone."""


def apply(  # noqa: PLR0913 - what, where to, the policy, and two ways to listen
    connection: Connection,
    manifests: Sequence[Manifest],
    *,
    namespace: str,
    force: bool,
    on_result: Callable[[ObjectResult], None] | None = None,
    check: Callable[[], None] = lambda: None,
    settle: float = SETTLE,
) -> tuple[ObjectResult, ...]:
    """Apply every manifest and say what happened to each.

    Args:
        connection: the cluster.
        manifests: no object twice.
        namespace: for objects of namespaced kinds that name none. It is not created; an overlay may bring it.
        force: take over fields that another manager owns; otherwise they fail the object.
        on_result: called with each result as it comes, from this thread.
        check: called before each request that writes, from any thread; what it raises ends the apply there.
        settle: seconds for what only needs time.

    Returns:
        The results in the order of the manifests, under the names that the objects have in the cluster. Refused objects
        are FAILED with the API server's reason; those whose namespace or definition failed are SKIPPED.

    Raises:
        Permanent: a name that no path may have, an object twice, or as `Connection.request`.
        Temporary: as `Connection.request`. What was applied until then stays; applying again does it no harm.
    """
    refuse_unsafe(manifest.ref for manifest in manifests)
    with _threads() as threads:
        located = locate(connection, manifests, namespace=namespace, threads=threads)
        targets = [target for target in located if isinstance(target, Target)]
        _refuse_twice(targets)
        before = live.read(connection, [(target.place, target.ref.name) for target in targets], threads)
        brought = {need for target in targets for need in brings(target)}
        writer = Writer(connection, force, settle, brought, check)
        run = _Run(writer, threads, before, on_result or (lambda _: None))
        names = [run.unknown(manifest, found) for manifest, found in zip(manifests, located, strict=True)]
        for phase in phases(targets):
            run.phase(phase)
    return tuple(run.results[name] for name in names)


@contextmanager
def _threads() -> Iterator[Executor]:
    """Threads that, when something is raised, begin nothing more and are waited for."""
    threads = ThreadPoolExecutor(THREADS, thread_name_prefix="apply")
    try:
        yield threads
    finally:
        threads.shutdown(cancel_futures=True)


def _refuse_twice(targets: Sequence[Target]) -> None:
    twice = [str(ref) for ref, times in Counter(target.ref for target in targets).items() if times > 1]
    if twice:
        message = f"in the overlay twice, once with its namespace and once without: {', '.join(twice)}; keep one"
        raise Permanent(message, stage=Stage.APPLY)


@dataclass(frozen=True, slots=True)
class _Run:
    writer: Writer
    threads: Executor
    before: dict[str, Version]
    tell: Callable[[ObjectResult], None]
    results: dict[ObjectRef, ObjectResult] = field(default_factory=dict)
    lost: dict[Need, ObjectRef] = field(default_factory=dict)
    """What objects need and will not get, and which object should have brought it."""

    def unknown(self, manifest: Manifest, found: Target | UnknownKind) -> ObjectRef:
        """The name under which the result is kept; for a kind that the cluster does not know, with the result."""
        if isinstance(found, Target):
            return found.ref
        self._keep(ObjectResult(manifest.ref, Action.FAILED, found.message))
        return manifest.ref

    def phase(self, targets: Sequence[Target]) -> None:
        """Write all of them and wait for that."""
        writes = {}
        for target in targets:
            if missing := next((self.lost[need] for need in needs(target) if need in self.lost), None):
                self._keep(ObjectResult(target.ref, Action.SKIPPED, f"needs {missing}, which failed"))
            else:
                writes[self.threads.submit(self.writer.write, target, self.before.get(target.path))] = target
        for write in as_completed(writes):
            result = write.result()
            if result.action is Action.FAILED:
                self.lost.update(dict.fromkeys(brings(writes[write]), result.ref))
            self._keep(result)

    def _keep(self, result: ObjectResult) -> None:
        self.results[result.ref] = result
        self.tell(result)
