"""Who owns which field: `metadata.managedFields` read, brought up to date and written.

https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from deployer.sandbox.kubernetes.errors import ApiError
from deployer.sandbox.kubernetes.fieldset import FieldSet, Path, decode, encode, path_text, without
from deployer.sandbox.kubernetes.objects import Object, at, each, metadata, section
from deployer.sandbox.kubernetes.schema import Schema
from deployer.sandbox.kubernetes.typed import compare

APPLY = "Apply"
UPDATE = "Update"
_NEVER_OWNED: FieldSet = frozenset(
    [("f:apiVersion",), ("f:kind",), ("f:metadata",)]
    + [
        ("f:metadata", f"f:{name}")
        for name in (
            *("name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation"),
            *("managedFields", "resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds"),
        )
    ]
)
_ALWAYS_THERE = tuple(
    tuple(path.split("."))
    for path in (
        *("spec", "spec.strategy", "spec.updateStrategy", "spec.template", "spec.template.metadata"),
        *("spec.template.spec", "spec.template.spec.containers", "spec.jobTemplate", "spec.jobTemplate.metadata"),
        *("spec.jobTemplate.spec", "spec.jobTemplate.spec.template", "spec.jobTemplate.spec.template.metadata"),
        *("spec.jobTemplate.spec.template.spec", "spec.jobTemplate.spec.template.spec.containers"),
        *("spec.containers", "spec.resources", "spec.podSelector", "spec.names", "spec.scaleTargetRef", "roleRef"),
    )
)
"""Structures that the API's types have from the start, parents first: nobody adds them, so nobody owns them as such."""


class Manager(NamedTuple):
    """What tells two entries of managedFields apart. An applier is one manager whatever version it applies."""

    name: str
    operation: str
    api_version: str
    subresource: str

    @property
    def sort_key(self) -> tuple[bool, str, str, str]:
        return (self.operation != APPLY, self.name, self.api_version, self.subresource)


@dataclass(frozen=True, slots=True)
class Owned:
    """The fields of one manager, since when, and in which version they are named."""

    fields: FieldSet
    time: str
    api_version: str


Owners = dict[Manager, Owned]


def manager(name: str, operation: str, *, api_version: str, subresource: str = "") -> Manager:
    """The identity under which a write is recorded."""
    return Manager(name, operation, "" if operation == APPLY else api_version, subresource)


def read_owners(obj: Object) -> Owners:
    """Read managedFields. Entries that say nothing are left out."""
    owners: Owners = {}
    for entry in each(metadata(obj), "managedFields"):
        version = str(entry.get("apiVersion", ""))
        who = manager(
            str(entry.get("manager", "")), str(entry.get("operation", "")),
            api_version=version, subresource=str(entry.get("subresource", "")),
        )  # fmt: skip
        if who.operation:
            owners[who] = Owned(decode(section(entry, "fieldsV1")), str(entry.get("time", "")), version)
    return owners


def write_owners(owners: Owners) -> list[Object]:
    """managedFields: appliers first, then the others, oldest first."""
    ordered = sorted(owners.items(), key=lambda pair: (pair[0].operation != APPLY, pair[1].time, pair[0].name))
    return [_entry(who, owned) for who, owned in ordered if owned.fields]


def _entry(who: Manager, owned: Owned) -> Object:
    entry: Object = {"manager": who.name, "operation": who.operation, "apiVersion": owned.api_version}
    entry |= {"time": owned.time, "fieldsType": "FieldsV1", "fieldsV1": encode(owned.fields)}
    return entry | ({"subresource": who.subresource} if who.subresource else {})


def ownable(fields: Iterable[Path]) -> FieldSet:
    """The fields without those that the server itself keeps."""
    return frozenset(fields) - _NEVER_OWNED


def settle(owners: Owners, old: Owners, *, now: str) -> Owners:
    """Give the time of the write to every entry that changed, and drop those that own nothing any more."""
    return {
        who: owned if _same(old.get(who), owned) else replace(owned, time=now)
        for who, owned in owners.items()
        if owned.fields
    }


def _same(old: Owned | None, new: Owned) -> bool:
    return old is not None and (old.fields, old.api_version) == (new.fields, new.api_version)


@dataclass(frozen=True, slots=True)
class Change:
    """One write: what was there, what shall be there, and what of it this request cannot own."""

    old: Object
    new: Object
    schema: Schema
    ignored: tuple[Path, ...] = ()


def after_update(owners: Owners, who: Manager, change: Change, *, api_version: str) -> Owners:
    """Owners after a create, update or patch: what it changed is now the writer's, and nobody else's."""
    difference = compare(change.old or _blank(change.new), change.new, change.schema)
    changed = without(ownable(difference.written), change.ignored)
    others = {
        other: replace(owned, fields=owned.fields - changed - difference.removed)
        for other, owned in owners.items()
        if other != who
    }
    mine = owners[who].fields - difference.removed if who in owners else frozenset()
    time = owners[who].time if who in owners else ""
    return {**others, who: Owned(mine | changed, time, api_version)}


def _blank(obj: Object) -> Object:
    """What there was before an object was created: its empty structures."""
    blank: Object = {"metadata": {}}
    for path in _ALWAYS_THERE:
        value = at(obj, *path)
        if isinstance(value, dict | list):
            at(blank, *path[:-1])[path[-1]] = type(value)()
    return blank


def conflicts_of(owners: Owners, who: Manager, written: FieldSet) -> dict[Manager, FieldSet]:
    """Fields that are being written and belong to others."""
    found = {other: owned.fields & written for other, owned in owners.items() if other != who}
    return {other: fields for other, fields in found.items() if fields}


def conflict_error(conflicts: dict[Manager, FieldSet]) -> ApiError:
    """409 that names every field and its manager, as the real API server words it."""
    listed = [(who, path) for who in sorted(conflicts, key=lambda m: m.sort_key) for path in sorted(conflicts[who])]
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {_called(who)}", "field": path_text(path)}
        for who, path in listed
    ]
    if len(listed) == 1:
        text = f"1 conflict: conflict with {_called(listed[0][0])}: {path_text(listed[0][1])}"
    else:
        text = f"{len(listed)} conflicts: " + "\n".join(_paragraph(who, fields) for who, fields in conflicts.items())
    return ApiError(409, "Conflict", f"Apply failed with {text}", details={"causes": causes})


def _paragraph(who: Manager, fields: FieldSet) -> str:
    return f"conflicts with {_called(who)}:\n" + "\n".join(f"- {path_text(path)}" for path in sorted(fields))


def _called(who: Manager) -> str:
    through = f' with subresource "{who.subresource}"' if who.subresource else ""
    using = f" using {who.api_version}" if who.operation == UPDATE else ""
    return f'"{who.name}"{through}{using}'
