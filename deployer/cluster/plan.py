"""What would become of each object of an environment: git against the cluster, before anything is written.

The cheap comparison answers for all objects that are surely the same. What remains is settled by a dry run of those
objects alone, so defaults, webhooks and conversions are the API server's business and not guessed at here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from deployer.cluster import desired, prune
from deployer.cluster.applyset import Inventory, Scope, group_kind
from deployer.cluster.change import Change, Verdict
from deployer.cluster.compare import holds
from deployer.cluster.connection import Connection
from deployer.cluster.discovery import UnknownKind
from deployer.cluster.dry_run import DryRun
from deployer.cluster.inventory import Keeper
from deployer.cluster.prune import Extra
from deployer.cluster.sight import Sight, look
from deployer.cluster.target import Target, locate, refuse_twice
from deployer.model import JSON, Manifest, ObjectRef


@dataclass(frozen=True, slots=True)
class Step:
    """One object of git, what it needs, and what is in its place now."""

    target: Target
    change: Change
    live: Mapping[str, JSON] | None

    @property
    def ref(self) -> ObjectRef:
        """What it is called in the cluster."""
        return self.target.ref


@dataclass(frozen=True, slots=True)
class Plan:
    """What bringing an environment to its manifests takes."""

    inventory: Inventory
    """The head of the set as it was read."""
    steps: tuple[Step, ...]
    """In the order of the manifests."""
    unknown: tuple[Change, ...]
    """Objects of kinds that the cluster does not know."""
    order: tuple[ObjectRef, ...]
    """The objects of git as the manifests list them."""
    extras: tuple[tuple[Extra, Change], ...]
    """Objects of the set that git does not name."""
    size: int
    """Objects of the set in the cluster."""

    @property
    def changes(self) -> tuple[Change, ...]:
        """All of it: the objects of git in the order of the manifests, then what left git."""
        wanted = {change.ref: change for change in (*self.unknown, *(step.change for step in self.steps))}
        return (*(wanted[ref] for ref in self.order), *(change for _, change in self.extras))

    @property
    def going(self) -> tuple[Extra, ...]:
        """What is to be deleted."""
        return tuple(extra for extra, change in self.extras if change.verdict is Verdict.DELETE)

    def refuse_over_budget(self, scope: Scope) -> None:
        """Make sure that not more is deleted than the environment allows.

        Raises:
            Permanent: names what would go.
        """
        if scope.prune is not None:
            prune.refuse_over_budget([extra.ref for extra in self.going], size=self.size, policy=scope.prune)


def plan(
    connection: Connection, manifests: Sequence[Manifest], *, scope: Scope, threads: Executor, closely: bool
) -> Plan:
    """Compare git with the cluster; writes nothing.

    Args:
        connection: the cluster.
        manifests: what git wants.
        scope: the environment's place and policy.
        threads: what asks; several requests go out at once.
        closely: ask the API server about objects that are not in the set yet, too: they may be there without our label,
            and what they will become is then known. Applying finds that out by itself.

    Raises:
        Permanent: an object twice, a set of another tool, something may not be read; or as `Connection.request`.
        Temporary: as `Connection.request`.
    """
    members = [desired.member(manifest, applyset=scope.id) for manifest in manifests]
    located = locate(connection, members, namespace=scope.namespace, threads=threads)
    targets = [target for target in located if isinstance(target, Target)]
    refuse_twice(targets)
    sight = look(connection, targets, scope=scope, inventory=Keeper(connection, scope).read(), threads=threads)
    steps = _steps(targets, sight, DryRun(connection, scope.force), threads, closely=closely)
    return Plan(
        inventory=sight.inventory,
        steps=steps,
        unknown=tuple(_unknown(each, why) for each, why in zip(members, located, strict=True)
                      if isinstance(why, UnknownKind)),
        order=tuple(each.ref if isinstance(each, Target) else member.ref
                    for member, each in zip(members, located, strict=True)),
        extras=tuple((extra, _extra(extra, scope)) for extra in sight.extras(targets)),
        size=len(sight.ours),
    )  # fmt: skip


def kinds(refs: Sequence[ObjectRef]) -> frozenset[str]:
    """The kinds of objects as the head of a set lists them."""
    return frozenset(group_kind(ref.api_version, ref.kind) for ref in refs)


def namespaces(refs: Sequence[ObjectRef]) -> frozenset[str]:
    """The namespaces that objects are in."""
    return frozenset(ref.namespace for ref in refs if ref.namespace)


def _steps(
    targets: Sequence[Target], sight: Sight, dry_run: DryRun, threads: Executor, *, closely: bool
) -> tuple[Step, ...]:
    asked = {}
    known: dict[str, Change] = {}
    for target in targets:
        live = sight.ours.get(target.path)
        change = _surely(target, live, sight)
        if change is not None:
            known[target.path] = change
        elif live is not None:
            asked[target.path] = threads.submit(dry_run.of, target, live)
        elif closely or desired.asks(target.manifest.content, desired.APPLY) == desired.IF_ABSENT:
            asked[target.path] = threads.submit(dry_run.of_absent, target)
        else:
            known[target.path] = Change(target.ref, Verdict.CREATE)
    known |= {path: question.result() for path, question in asked.items()}
    return tuple(Step(target, known[target.path], sight.ours.get(target.path)) for target in targets)


def _surely(target: Target, live: Mapping[str, JSON] | None, sight: Sight) -> Change | None:
    """What an object needs if that is plain to see."""
    if other := sight.foreign.get(target.path):
        note = (
            f"belongs to another set ({other}); take it out there first, so that only one place rules it. Which one: "
            f"kubectl get configmaps --all-namespaces --selector applyset.kubernetes.io/id={other}"
        )
        return Change(target.ref, Verdict.REFUSE, note=note)
    if live is None:
        return None
    if _is_going(live):
        return Change(target.ref, Verdict.CREATE, note="the old one is still being deleted")
    if desired.asks(target.manifest.content, desired.APPLY) == desired.IF_ABSENT:
        return Change(target.ref, Verdict.UNCHANGED, note="there already, and to be applied only if absent")
    if holds(live, target.manifest.content, has_status=target.resource.has_status):
        return Change(target.ref, Verdict.UNCHANGED)
    return None


def _unknown(manifest: Manifest, why: UnknownKind) -> Change:
    return Change(manifest.ref, Verdict.REFUSE, note=why.message)


def _extra(extra: Extra, scope: Scope) -> Change:
    if why := prune.kept(extra, scope.prune):
        return Change(extra.ref, Verdict.KEEP, note=why)
    return Change(extra.ref, Verdict.DELETE, before=extra.shown)


def _is_going(content: Mapping[str, JSON]) -> bool:
    metadata = content.get("metadata")
    return isinstance(metadata, dict) and bool(metadata.get("deletionTimestamp"))
