"""What was found in a kustomization that somebody has to judge."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Fault(StrEnum):
    """Why something in a kustomization may not, or cannot, be followed."""

    LEAVES = "leads out of the repository"
    REMOTE = "is remote"
    MISSING = "is not in the repository"
    FUNCTION = "runs a program of its own"
    HELM = "needs helm"
    UNREADABLE = "cannot be read"
    UNKNOWN = "is not known"
    NO_FOLDER = "is not a folder"
    ENDLESS = "reads more than any overlay does"
    EMPTY = "has no kustomization"
    AMBIGUOUS = "has more than one kustomization"


class Finding(NamedTuple):
    """One place in a kustomization that somebody has to judge."""

    fault: Fault
    file: str
    """Where it stands."""
    field: str
    text: str
    """The entry as it is written, or what makes the file unreadable."""
