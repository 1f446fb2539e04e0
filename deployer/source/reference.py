"""One entry of a kustomization, and what it is taken for. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a reference is taken for."""

    FILE = "file"
    FOLDER = "folder"
    """With a kustomization of its own."""
    RESOURCE = "resource"
    """A file or such a folder."""
    PLUGIN = "plugin"
    """A file with the configuration of a generator, transformer or validator, or a folder that makes some."""
    CHARTS = "charts"
    """A folder with all that is in it; it need not be there."""
    HELM = "helm"
    """No place, but the wish to run helm."""
    REMOTE = "remote"
    """A place elsewhere, whatever it looks like."""
    FUNCTION = "function"
    """No place, but a program or container to run."""
    UNKNOWN = "unknown"
    """A field of which nobody knows what it reads."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One entry of a kustomization."""

    role: Role
    path: str
    """As it is written; empty where the role has none."""
    field: str
    unless: str = ""
    """The reference is not followed if this folder is there; the only one in which kustomize looks for the chart."""
    optional: bool = False
    """It need not be there, but may not lead out."""
