"""Whether what a merge deploys is what its preview showed. Pure: asks nobody."""

from __future__ import annotations

import re

from deployer.model import Environment, ForgeKind, Trigger

AUTOMATIC = frozenset({Trigger.MERGE, Trigger.SWEEP})
"""Nobody asked for these by name, so a person may want a look first."""

_SIGNS = {ForgeKind.GITHUB: "#", ForgeKind.GITLAB: "!"}
_NUMBER = re.compile(r"[#!](\d{1,9})\b|Merge pull request #(\d{1,9})\b|.*\(#(\d{1,9})\)$")
"""How we, and GitHub's merge and squash commits, name a request."""


def number(title: str | None) -> int | None:
    """The request that a title says it merges, or None. Whoever writes the title chooses it: good for words alone."""
    found = _NUMBER.match(title or "")
    return int(next(filter(None, found.groups()))) if found else None


def as_previewed(number: int, kind: ForgeKind = ForgeKind.GITHUB) -> str:
    """What is said of manifests that are those which were shown on a request of such a forge."""
    return f"as previewed in {_SIGNS[kind]}{number}"


def verdict(kind: ForgeKind, *, shown_on: int | None, merges: int | None, promised: bool) -> str | None:
    """What to say of manifests that are about to be applied; None when there is nothing to compare them with.

    Args:
        kind: of the forge, for how it names a request.
        shown_on: the request on which exactly these were shown.
        merges: the request that is merged, if that is known.
        promised: something was shown on that one.
    """
    if shown_on is not None:
        return as_previewed(shown_on, kind)
    return f"differs from what was previewed in {_SIGNS[kind]}{merges}" if promised else None


def held(
    environment: Environment, trigger: Trigger, *, shown_on: int | None, said: str | None, commit: str
) -> str | None:
    """Why a deployment may not go on by itself, and how a person lets it; None when it may."""
    if not environment.require_preview_match or trigger not in AUTOMATIC or shown_on is not None:
        return None
    key = environment.key
    command = f"deployer deploy {key.repository} {key.environment} --commit {commit}"
    return f"held: {said or 'was not previewed'}; nothing was written; to go on: {command}"
