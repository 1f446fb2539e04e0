"""Server-side apply: a configuration merged into what is live, fields that left it removed, conflicts refused.

Pure: it computes the new object and its owners; what may be written at all is decided elsewhere.
https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from deployer.sandbox.kubernetes.fieldset import FieldSet, with_parents, without
from deployer.sandbox.kubernetes.objects import Object
from deployer.sandbox.kubernetes.ownership import (
    Change,
    Manager,
    Owned,
    Owners,
    conflict_error,
    conflicts_of,
    ownable,
)
from deployer.sandbox.kubernetes.typed import compare, fields_of, merge, remove


@dataclass(frozen=True, slots=True)
class Applier:
    """Who applies, in which version of the API, and whether it takes over what others own."""

    manager: Manager
    api_version: str
    force: bool


def apply(owners: Owners, applier: Applier, change: Change) -> tuple[Object, Owners]:
    """Apply the configuration `change.new` to the live object `change.old` (empty when there is none).

    Returns the object as it shall be and its owners. Nothing that was given is changed.

    Raises:
        ApiError: 409, a field belongs to another manager and has another value, and `force` is not set.
    """
    live, config, schema = change.old, change.new, change.schema
    fields = without(ownable(fields_of(config, schema)), change.ignored)
    last = owners.get(applier.manager)
    mine = Owned(fields, last.time if last else "", applier.api_version)
    claimed = {**owners, applier.manager: mine}
    merged = merge(live, config, schema)
    if last:
        merged = remove(merged, _abandoned(last.fields, claimed), schema)
    difference = compare(live, merged, schema)
    taken = conflicts_of(claimed, applier.manager, without(ownable(difference.written), change.ignored))
    if taken and not applier.force:
        raise conflict_error(taken)
    return merged, {
        who: replace(owned, fields=owned.fields - taken.get(who, frozenset()) - difference.removed)
        for who, owned in claimed.items()
    }


def _abandoned(last: FieldSet, claimed: Owners) -> FieldSet:
    """What the applier owned before and nobody claims now."""
    kept = with_parents(path for owned in claimed.values() for path in owned.fields)
    return with_parents(last) - kept
