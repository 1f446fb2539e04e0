"""What each object of git needs, and what of it is left to others. Nothing is written here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace

from deployer.cluster import autoscaler, desired, identity
from deployer.cluster.applyset import Scope
from deployer.cluster.aside import ANNOTATION, Aside, aside
from deployer.cluster.change import Change, Verdict
from deployer.cluster.compare import holds
from deployer.cluster.dry_run import DryRun, difference
from deployer.cluster.merge import overlaid
from deployer.cluster.sight import Sight
from deployer.cluster.strays import Stray, exchange, siblings, strays, without
from deployer.cluster.target import Target, name_of
from deployer.model import JSON, ObjectRef

RESTING = "not put back any more, because it is changed again each time"


@dataclass(frozen=True, slots=True)
class Subject:
    """One object of git beside what is in its place now."""

    target: Target
    live: Mapping[str, JSON] | None
    left: Aside
    """What of it is left alone."""
    hold: bool
    """Whether what strays into its lists is taken away."""

    @property
    def ref(self) -> ObjectRef:
        """What it is called in the cluster."""
        return self.target.ref

    def over(self, live: identity.Content) -> Target:
        """What to apply over a live object, of which something may be left alone."""
        if not self.left.parts:
            return self.target
        return replace(self.target, manifest=self.left.applied(self.target.manifest, live))

    def strays(self, live: identity.Content) -> tuple[Stray, ...]:
        """What is to be taken away from a live object beside applying."""
        if not (self.hold and isinstance(live, Mapping)):
            return ()
        return strays(live, self.target.manifest.content, self.left)

    def exchange(self, live: identity.Content) -> list[JSON]:
        """A JSON patch that puts what git wants in the place of what may be in its way; nothing if nothing may be.

        It is for when the API server refuses what git wants beside that: the last port of a Service cannot be taken
        away before there is another, and a volume has one source at any time.
        """
        if not (self.hold and isinstance(live, Mapping)):
            return []
        wanted = self.over(live).manifest.content
        gone = (*self.strays(live), *siblings(live, wanted, self.left))
        after = without(overlaid(live, wanted, empties=True), gone)
        return exchange(identity.version(live), live, after) if gone else []

    def cleared(self, live: Mapping[str, JSON]) -> Mapping[str, JSON]:
        """A live object without its strays."""
        found = self.strays(live)
        return without(live, found) if found else live


@dataclass(frozen=True, slots=True)
class Step(Subject):
    """One object of git, what it needs, and what is in its place now."""

    change: Change = field(kw_only=True)


def steps(  # noqa: PLR0913 - what is compared, with what, by whom
    targets: Sequence[Target], sight: Sight, scope: Scope, *, dry_run: DryRun, threads: Executor, closely: bool
) -> tuple[Step, ...]:
    """Find out what each object needs.

    Args:
        targets: the objects of git.
        sight: what is in the cluster.
        scope: says what is left alone, and whether strays are taken away.
        dry_run: settles what is not plain to see.
        threads: several requests go out at once.
        closely: ask about objects that are not in the set, too.

    Raises:
        Permanent, Temporary: as `Connection.request`.
    """
    seen = _autoscaled(list(_subjects(targets, sight, scope)), dry_run, threads)
    known: dict[str, Change] = {}
    asked: dict[str, Future[Change]] = {}
    for subject in seen:
        path = subject.target.path
        if why := _rests(subject, scope, is_foreign=path in sight.foreign):
            known[path] = Change(subject.ref, Verdict.KEEP, note=why)
        elif (change := _surely(subject, sight.foreign.get(path))) is not None:
            known[path] = change
        elif subject.live is not None:
            over = subject.over(subject.live)
            asked[path] = threads.submit(dry_run.of, over, subject.live, subject)
        elif closely or desired.asks(subject.target.manifest.content, desired.APPLY) == desired.IF_ABSENT:
            asked[path] = threads.submit(dry_run.of_absent, subject.target)
        else:
            known[path] = Change(subject.ref, Verdict.CREATE)
    known |= {path: question.result() for path, question in asked.items()}
    return tuple(Step(s.target, s.live, s.left, s.hold, change=known[s.target.path]) for s in seen)


def _subjects(targets: Sequence[Target], sight: Sight, scope: Scope) -> Iterator[Subject]:
    scaled = autoscaler.in_git(target.manifest for target in targets)
    for target in targets:
        left = aside(target.ref, target.manifest.content, scope.ignore)
        if name_of(target.ref) in scaled:
            left = left.with_path(autoscaler.REPLICAS)
        yield Subject(target, sight.ours.get(target.path), left, scope.hold)


def _autoscaled(seen: Sequence[Subject], dry_run: DryRun, threads: Executor) -> Sequence[Subject]:
    """The same, in which replicas are left to the autoscalers in the cluster, too; these are seldom asked for."""
    resized = (s for s in seen if s.live and autoscaler.differs(s.live, s.over(s.live).manifest))
    namespaces = {subject.ref.namespace for subject in resized if subject.ref.namespace}
    if not namespaces:
        return seen
    scaled = autoscaler.in_cluster(dry_run.connection, namespaces, threads=threads)
    return [
        replace(subject, left=subject.left.with_path(autoscaler.REPLICAS))
        if name_of(subject.ref) in scaled
        else subject
        for subject in seen
    ]


def _rests(subject: Subject, scope: Scope, *, is_foreign: bool) -> str:
    """Why an object is not for a revert of drift, whatever it is like, or nothing."""
    if scope.resting is None:
        return ""
    if subject.ref in scope.resting:
        return RESTING
    goes = subject.live is None and not is_foreign and desired.goes_by_itself(subject.target.manifest)
    return "gone after it ended, as it says; the next deployment runs it again" if goes else ""


def _surely(subject: Subject, other: str | None) -> Change | None:
    """What an object needs if that is plain to see. `other` is the set to which it belongs if that is not ours."""
    live = subject.live
    if why := _not_ours(other) or subject.left.problem:
        return Change(subject.ref, Verdict.REFUSE, note=why)
    if live is None:
        return None
    if identity.is_going(live):
        return Change(subject.ref, Verdict.CREATE, note="the old one is still being deleted")
    if why := _left_alone(subject):
        return Change(subject.ref, Verdict.UNCHANGED, note=why)
    over = subject.over(live)
    if not holds(live, over.manifest.content, has_status=over.resource.has_status):
        return None
    return (
        difference(over, live, subject.cleared(live)) if subject.strays(live) else Change(over.ref, Verdict.UNCHANGED)
    )


def _not_ours(other: str | None) -> str:
    if other is None:
        return ""
    return (
        f"belongs to another set ({other}); take it out there first, so that only one place rules it. Which one: "
        f"kubectl get configmaps --all-namespaces --selector applyset.kubernetes.io/id={other}"
    )


def _left_alone(subject: Subject) -> str:
    """Why an object that is there stays as it is whatever git says, or nothing."""
    if desired.asks(subject.target.manifest.content, desired.APPLY) == desired.IF_ABSENT:
        return "there already, and to be applied only if absent"
    return f'there already, and left alone: it says {ANNOTATION}: "true"' if subject.left.whole else ""
