"""The repository of a small shop, as the demo and the tests deploy it: what it begins with and what is proposed next.

For trying and testing only; the images that it names do not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

NAME = "acme/shop"
FILES = Path(__file__).parent / "repository"
"""The files of the first commit, as a folder."""

BASE = "deploy/base"
STAGING = "deploy/overlays/staging"
PRODUCTION = "deploy/overlays/production"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A pull request that is ready to be opened."""

    title: str
    branch: str
    author: str
    changes: Mapping[str, str]
    """New content by path."""


def proposals() -> tuple[Proposal, ...]:
    """What the team wants next. Each merges cleanly on the first commit, in any order."""
    base, size = f"{BASE}/kustomization.yaml", f"{PRODUCTION}/size.yaml"
    staging, production = f"{STAGING}/kustomization.yaml", f"{PRODUCTION}/kustomization.yaml"
    return (
        Proposal(
            "Raise the web replicas to 3",
            branch="raise-replicas",
            author="ada",
            changes={size: _edited(size, "replicas: 2", "replicas: 3")},
        ),
        Proposal(
            "Ship version 1.4.1, with 48 products on a page",
            branch="ship-1.4.1",
            author="grace",
            changes={
                base: _edited(base, "PAGE_SIZE=24", "PAGE_SIZE=48"),
                staging: _edited(staging, "newTag: 1.4.1-rc.1", "newTag: 1.4.1"),
                production: _edited(production, "newTag: 1.4.0", "newTag: 1.4.1"),
            },
        ),
    )


def _edited(path: str, old: str, new: str) -> str:
    content = (FILES / path).read_text()
    if content.count(old) != 1:
        raise ValueError(f"{path} says {old!r} {content.count(old)} times, not once")
    return content.replace(old, new)
