"""Drift: in what an environment's live objects differ from the manifests of its deployed commit, and by whom."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from deployer.model.objects import ObjectRef

POINTER = r"(/([^~/]|~[01])*)+"
"""The form of a JSON pointer to something within a document.

https://www.rfc-editor.org/rfc/rfc6901
"""


@dataclass(frozen=True, slots=True)
class DriftRule:
    """What is left to others: not drift, and not written by a deployment once it is there. None: any."""

    kind: str | None = None
    """`Deployment` is Kubernetes' own kind, whichever group of its has it; `Certificate.cert-manager.io` names one."""
    name: str | None = None
    """Of the object."""
    path: str | None = None
    """JSON pointer (RFC 6901) into the manifest; everything below it counts, and `*` is any item or key."""
    managers: tuple[str, ...] = ()
    """Only what these field managers are on record for. None: whoever wrote it. Without them there is a path."""


class DriftKind(StrEnum):
    """In what way an object is not as git wants it."""

    CHANGED = "changed"
    MISSING = "missing"
    EXTRA = "extra"
    """It carries the environment's label, and git does not name it."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote something in the cluster, as far as that is on record."""

    manager: str
    """Field manager."""
    at: datetime | None
    """To the second; a manager's newest write of that object."""

    def __str__(self) -> str:
        return self.said()

    def said(self, *, day: date | None = None) -> str:
        """As in `by kubectl-edit at 14:02`; with its date if that is another than the given one."""
        if self.at is None:
            return f"by {self.manager}"
        at = f"{self.at:%H:%M}" if day in (None, self.at.date()) else f"{self.at:%Y-%m-%d %H:%M}"
        return f"by {self.manager} at {at}"


@dataclass(frozen=True, slots=True)
class FieldDrift:
    """One field that differs. The values are texts for people; long ones are cut, so that a report stays small."""

    path: str
    """As in `spec.template.spec.containers[name="web"].image`."""
    git: str = ""
    live: str = ""
    author: Author | None = None
    """None where nobody is on record: for what was removed, and for what API servers before 1.22 were told to scale."""
    hidden: bool = False
    """It is a Secret's: both values are left out."""

    def __str__(self) -> str:
        return self.said()

    def said(self, *, day: date | None = None) -> str:
        """As in `spec.replicas 3 → 5 by kubectl-edit at 14:02`; with the date if that is another than the given one."""
        what = f"{self.path} changed (hidden)" if self.hidden else f"{self.path} {self.git} → {self.live}"
        return f"{what} {self.author.said(day=day)}" if self.author else what


@dataclass(frozen=True, slots=True)
class ObjectDrift:
    """One object that is not as git wants it."""

    ref: ObjectRef
    kind: DriftKind
    fields: tuple[FieldDrift, ...] = ()
    """Sorted by path; of a changed object only, and empty there if only the note can say what it is."""
    note: str = ""
    author: Author | None = None
    """Who made an extra object."""

    def __str__(self) -> str:
        told = "; ".join(filter(None, (*map(str, self.fields), self.note, str(self.author or ""))))
        return f"{self.ref} {self.kind}: {told}" if told else f"{self.ref} {self.kind}"
