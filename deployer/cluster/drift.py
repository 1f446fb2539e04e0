"""In what an environment's live objects differ from the manifests of its deployed commit. Nothing is written here.

Drift is what a deployment of that commit would put back, and no more than that; docs/decisions/0011-drift.md has the
rules. Objects that are surely the same cost no request of their own, the others a dry run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace

from deployer.cluster import attribution
from deployer.cluster.applyset import Scope
from deployer.cluster.change import Change, FieldChange, Verdict
from deployer.cluster.connection import Connection
from deployer.cluster.fields import changed, shown_path, text
from deployer.cluster.merge import in_order, named_at, overlaid
from deployer.cluster.plan import plan
from deployer.cluster.prune import Extra
from deployer.cluster.record import Entry
from deployer.cluster.resources import refuse_unsafe
from deployer.cluster.steps import Step
from deployer.model import JSON, PART_OF, Author, DriftKind, FieldDrift, Manifest, ObjectDrift

_AS_WANTED = frozenset({Verdict.UNCHANGED, Verdict.OWN, Verdict.KEEP})
"""Who is on record for a field is the cluster's own business, and what is kept stays by the environment's policy."""
_MOST_FIELDS = 50
_REPLICAS = ("spec", "replicas")
_AUTOSCALER = ("kube-controller-manager", "scale")
"""Manager and subresource by which an autoscaler is on record, from API server 1.22 on."""


def check(
    connection: Connection, manifests: Sequence[Manifest], *, scope: Scope, threads: Executor
) -> tuple[ObjectDrift, ...]:
    """Compare the cluster with git; only dry runs are sent.

    Args:
        connection: the cluster.
        manifests: of the deployed commit.
        scope: the environment's place and policy, with its rules on what is left to others. Whether conflicts are
            forced makes no difference here.
        threads: what asks; several requests go out at once.

    Returns:
        What is not as git wants it: objects of git in the order of the manifests, then extra ones.

    Raises:
        Permanent, Temporary: as `plan`. Then nothing is known, which is not drift.
    """
    refuse_unsafe(manifest.ref for manifest in manifests)
    found = plan(
        connection,
        manifests,
        scope=replace(scope, force=True, hold=True, resting=frozenset()),
        threads=threads,
        closely=False,
    )
    drifted = {change.ref: ObjectDrift(change.ref, DriftKind.MISSING, note=change.note) for change in found.unknown}
    drifted |= {step.ref: drift for step in found.steps if (drift := _of(step)) is not None}
    return (
        *(drifted[ref] for ref in found.order if ref in drifted),
        *(_extra(extra) for extra in found.going),
    )


def _of(step: Step) -> ObjectDrift | None:
    change = step.change
    if change.verdict in _AS_WANTED:
        return None
    if step.live is None or change.verdict is Verdict.CREATE:
        return ObjectDrift(step.ref, DriftKind.MISSING, note=change.note)
    fields = tuple(_fields(step, step.live))
    if not fields and not _excludes(change):
        return None  # what is not shown: a status, or kubectl's quotation of the object
    note = change.note if change.verdict is not Verdict.UPDATE else ""
    if len(fields) > _MOST_FIELDS:
        note = "; ".join(filter(None, (note, f"and {len(fields) - _MOST_FIELDS} fields more")))
    return ObjectDrift(step.ref, DriftKind.CHANGED, fields[:_MOST_FIELDS], note)


def _excludes(change: Change) -> bool:
    """Whether git's manifest is not taken over what is there, so that this is not as git wants it, whatever is seen."""
    return change.verdict in (Verdict.REFUSE, Verdict.RECREATE) and not change.barred


def _fields(step: Step, live: Mapping[str, JSON]) -> Iterator[FieldDrift]:
    before, after = _states(step, live)
    for each in changed(before, in_order(after, before, live)):
        writer = attribution.writer(live, each.place, absent=each.old is None)
        if not _is_autoscaled(each, writer):
            yield _field(_as_written(each, step, live), _author(writer))


def _states(step: Step, live: Mapping[str, JSON]) -> tuple[Mapping[str, JSON], Mapping[str, JSON]]:
    """What the object is and what it would be: as the API server said, or as near as can be told without it."""
    change: Change = step.change
    if change.verdict is Verdict.UPDATE and change.before is not None and change.after is not None:
        return change.before, change.after
    wanted = step.over(live).manifest.content
    return live, step.cleared(overlaid(live, wanted, empties=_excludes(change)))


def _is_autoscaled(change: FieldChange, writer: Entry | None) -> bool:
    """Whether an autoscaler set it that is gone by now, or that we may not list."""
    return change.place == _REPLICAS and writer is not None and (writer.manager, writer.subresource) == _AUTOSCALER


def _as_written(change: FieldChange, step: Step, live: Mapping[str, JSON]) -> FieldChange:
    """The change with git's value also where the API server leaves it out, as it does with 0, false and no text."""
    if change.new is not None or change.hidden or change.old is None:
        return change
    named = named_at(step.over(live).manifest.content, live, change.place)
    return replace(change, new=named) if named in (0, False, "") and not isinstance(named, float) else change


def _field(change: FieldChange, author: Author | None) -> FieldDrift:
    path = shown_path(change.path)
    if change.hidden:
        return FieldDrift(path, author=author, hidden=True)
    return FieldDrift(path, text(change.new), text(change.old), author)


def _extra(extra: Extra) -> ObjectDrift:
    labeller = attribution.writer(extra.content, ("metadata", "labels", PART_OF))
    author = _author(labeller or attribution.maker(extra.content))
    return ObjectDrift(extra.ref, DriftKind.EXTRA, author=author)


def _author(writer: Entry | None) -> Author | None:
    return Author(writer.manager, writer.at) if writer else None
