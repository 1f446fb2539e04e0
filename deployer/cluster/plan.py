"""What would become of each object of an environment: git against the cluster, before anything is written.

The cheap comparison answers for all objects that are surely the same. What remains is settled by a dry run of those
objects alone, so defaults, webhooks and conversions are the API server's business and not guessed at here.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from deployer.cluster import desired, identity, prune, tenancy
from deployer.cluster.applyset import Inventory, Scope, group_kind, is_head, may_be_head
from deployer.cluster.change import Change, Verdict
from deployer.cluster.connection import Connection
from deployer.cluster.discovery import UnknownKind
from deployer.cluster.dry_run import DryRun
from deployer.cluster.inventory import Keeper
from deployer.cluster.prune import Extra
from deployer.cluster.sight import look
from deployer.cluster.steps import RESTING, Step, steps
from deployer.cluster.target import Target, locate, name_of, refuse_twice
from deployer.model import Manifest, ObjectRef, Permanent, Stage


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
    """Objects of the set in the cluster, but for those that controllers made."""

    @property
    def changes(self) -> tuple[Change, ...]:
        """All of it: the objects of git in the order of the manifests, then what left git."""
        wanted = {change.ref: change for change in (*self.unknown, *(step.change for step in self.steps))}
        return (*(wanted[ref] for ref in self.order), *(change for _, change in self.extras))

    @property
    def going(self) -> tuple[Extra, ...]:
        """What is to be deleted."""
        return tuple(extra for extra, change in self.extras if change.verdict is Verdict.DELETE)

    @property
    def known(self) -> dict[str, ObjectRef]:
        """The objects of git that are in the set, by their UID."""
        return {identity.uid(step.live): step.ref for step in self.steps if step.live is not None}

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
        Permanent: an object twice or beyond what the environment allows, a set of another tool or not the one that the
            scope asks for, something may not be read; or as `Connection.request`.
        Temporary: as `Connection.request`.
    """
    members = [desired.member(manifest, applyset=scope.id) for manifest in manifests]
    located = locate(connection, members, namespace=scope.namespace, threads=threads)
    targets = [target for target in located if isinstance(target, Target)]
    refuse_twice(targets, by=lambda target: name_of(target.ref))
    unknown = {member.ref: why for member, why in zip(members, located, strict=True) if isinstance(why, UnknownKind)}
    tenancy.refuse_beyond(
        [target.ref for target in targets],
        unknown={ref: why.message for ref, why in unknown.items()},
        allow=scope.allow,
    )
    keeper = Keeper(connection, scope)
    inventory = keeper.read()
    _refuse_another(inventory, scope)
    sight = look(connection, targets, scope=scope, inventory=inventory, threads=threads)
    order = tuple(each.ref if isinstance(each, Target) else member.ref
                  for member, each in zip(members, located, strict=True))  # fmt: skip
    dry_run = DryRun(connection, scope.force)
    compared = steps(targets, sight, scope, dry_run=dry_run, threads=threads, closely=closely)
    extras = [extra for extra in sight.extras(targets) if extra.path != keeper.path]
    return Plan(
        inventory=sight.inventory,
        steps=tuple(_guarded(step, scope, head=keeper.path, named=order) for step in compared),
        unknown=tuple(Change(ref, Verdict.REFUSE, note=why.message) for ref, why in unknown.items()),
        order=order,
        extras=_extras(extras, named=order, scope=scope),
        size=len(extras) + sum(target.path in sight.ours for target in targets),
    )


def _refuse_another(inventory: Inventory, scope: Scope) -> None:
    """Make sure that the set is not known to hold something else than what it is to be held to."""
    if scope.digest is not None and inventory.stamp.digest not in ("", scope.digest):
        message = (
            "what the overlay fetches from elsewhere is not what was deployed of it, so the cluster is neither "
            "compared with it nor brought to it; `deployer deploy` brings what is there now"
        )
        raise Permanent(message, stage=Stage.APPLY)


def kinds(refs: Sequence[ObjectRef]) -> frozenset[str]:
    """The kinds of objects as the head of a set lists them."""
    return frozenset(group_kind(ref.api_version, ref.kind) for ref in refs)


def namespaces(refs: Sequence[ObjectRef]) -> frozenset[str]:
    """The namespaces that objects are in."""
    return frozenset(ref.namespace for ref in refs if ref.namespace)


def _guarded(step: Step, scope: Scope, *, head: str, named: Sequence[ObjectRef]) -> Step:
    """The step, unless it would write the head of the set, or delete what a deployment may not delete."""
    why = ""
    if step.target.path == head:
        why = "has the name of this environment's inventory; give it another"
    elif may_be_head(step.ref) or is_head(step.target.manifest.content) or is_head(step.live):
        why = "heads a set of objects, or has the name of an inventory; that is for the tool alone that keeps the set"
    elif step.change.verdict is Verdict.RECREATE:
        why = prune.not_recreated(step.ref, step.live, applyset=scope.id, policy=scope.prune)
        if not why and (inhabitant := prune.inhabitant(step.ref, step.live or {}, [*named, scope.head])):
            why = f"can only be deleted and created anew, and {inhabitant} would go with it"
    note = "; ".join(filter(None, (step.change.note, why)))
    refused = Change(step.ref, Verdict.REFUSE, note=note, foreign=step.change.foreign)
    return replace(step, change=refused) if why else step


def _extras(extras: Sequence[Extra], *, named: Sequence[ObjectRef], scope: Scope) -> tuple[tuple[Extra, Change], ...]:
    """What becomes of what git does not name. What other objects are in stays as long as they do."""
    reasons = [
        (RESTING if extra.ref in (scope.resting or ()) else "")
        or prune.kept(extra, scope.prune)
        or tenancy.kept(extra.ref, scope.allow)
        for extra in extras
    ]
    kept = [extra.ref for extra, why in zip(extras, reasons, strict=True) if why]
    staying = [*named, scope.head, *kept]
    return tuple((extra, _extra(extra, why, staying)) for extra, why in zip(extras, reasons, strict=True))


def _extra(extra: Extra, why: str, staying: Sequence[ObjectRef]) -> Change:
    if not why and (inhabitant := prune.inhabitant(extra.ref, extra.content, staying)):
        why = f"left git, but {inhabitant} is still in it"
    return Change(extra.ref, Verdict.KEEP, note=why) if why else Change(extra.ref, Verdict.DELETE, before=extra.shown)
