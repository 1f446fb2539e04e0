"""What would become of each object: the one result of comparing that applying, diffs, previews and drift all use. Pure.

Nothing here holds a value of a Secret: whoever makes these has hidden them (`disguise.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from deployer.cluster.record import Place
from deployer.model import JSON, ObjectRef


class Verdict(StrEnum):
    """What an object needs."""

    CREATE = "create"
    UPDATE = "update"
    RECREATE = "recreate"
    """An immutable field differs and the object asks to be deleted and created anew."""
    DELETE = "delete"
    UNCHANGED = "unchanged"
    OWN = "own"
    """Nothing that people see differs, only the cluster's record of which fields are git's."""
    KEEP = "keep"
    """It stays in the cluster as it is, for the reason in the note: it left git, or git leaves it to its maker."""
    REFUSE = "refuse"
    """It cannot be brought there, for the reason in the note."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that differs, as in `spec.template.spec.containers[name="web"].image`."""

    path: str
    old: JSON
    """None when it is not there."""
    new: JSON
    hidden: bool = False
    """It is a Secret's: both values are left out."""
    place: Place = field(default=(), compare=False, repr=False)
    """Where it is in the old state, or would be; of an item that is not in its list there, where the list is."""


@dataclass(frozen=True, slots=True)
class Change:
    """What one object needs, and why."""

    ref: ObjectRef
    verdict: Verdict
    fields: tuple[FieldChange, ...] = ()
    note: str = ""
    """For people: who owned the fields that are taken over, why it is kept or refused."""
    before: Mapping[str, JSON] | None = field(default=None, repr=False)
    """The object in the cluster as it may be shown; None when it is not there or nothing differs."""
    after: Mapping[str, JSON] | None = field(default=None, repr=False)
    """As it would be; None when it goes or nothing differs."""
    foreign: bool = False
    """It is in the cluster, but not in the set yet: somebody else's until it is applied."""
    barred: bool = False
    """It is refused for what stands in the way of asking, a webhook that is away, a policy or a right: that says
    nothing of whether the object is as git wants it."""

    @property
    def differs(self) -> bool:
        """Whether cluster and git differ in this object."""
        return self.verdict not in (Verdict.UNCHANGED, Verdict.OWN, Verdict.KEEP)
