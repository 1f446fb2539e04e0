"""What an overlay may do: build on its own repository, and on nothing else that the settings do not name. Pure.

Judges what the walk through the kustomizations has found, before anything runs. Messages name file, line and entry,
never what stands in a file that is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from deployer.model import Permanent, Stage
from deployer.source.finding import Fault, Finding

_SHOWN: Final = 10
"""Findings in one message."""

Lines = Callable[[str, str], int | None]
"""The line of a file on which a text stands first."""

_REMEDIES: Final = {
    Fault.LEAVES: "leads out of the repository",
    Fault.REMOTE: "is remote and not in allow_remote, so it is not fetched; copy it into the repository",
    Fault.MISSING: "is not in the repository",
    Fault.FUNCTION: "is a plugin or a function, and none is ever run; render what it makes into the repository",
    Fault.HELM: "needs Helm, which runs only where the settings say helm: true",
    Fault.UNKNOWN: "cannot be followed",
    Fault.NO_FOLDER: "is not a folder",
    Fault.EMPTY: "has no kustomization; add a kustomization.yaml",
    Fault.AMBIGUOUS: "has more than one kustomization; leave one",
}


@dataclass(frozen=True, slots=True)
class Permission:
    """What an environment's settings allow beyond the repository."""

    remote: tuple[str, ...] = ()
    """Beginnings of URLs."""
    helm: bool = False

    def allows(self, finding: Finding) -> bool:
        """Whether the settings, or the nature of it, let this pass."""
        if finding.fault is Fault.REMOTE:
            return any(is_below(finding.text, allowed) for allowed in self.remote)
        return finding.fault is Fault.UNKNOWN or (finding.fault is Fault.HELM and self.helm)


def refuse(findings: Iterable[Finding], permission: Permission, *, lines: Lines) -> None:
    """Make sure that an overlay stays within the repository and what its environment allows.

    Raises:
        Permanent: it does not; names each file, line and entry.
    """
    refused = [finding for finding in findings if not permission.allows(finding)]
    if refused:
        said = [said_of(finding, lines) for finding in refused[:_SHOWN]]
        more = [f"and {len(refused) - _SHOWN} more"] if len(refused) > _SHOWN else []
        raise Permanent("; ".join([*said, *more]), stage=Stage.RENDER)


def said_of(finding: Finding, lines: Lines) -> str:
    """One finding for people, as in `staging/kustomization.yaml:4: resources: '../..' leads out of the repository`."""
    if not finding.file:
        remedy = _REMEDIES[finding.fault]
        if finding.fault is Fault.MISSING:
            remedy += "; correct `overlay` in the settings, or add it"
        return f"the overlay {_quoted(finding.text)} {remedy}"
    line = lines(finding.file, finding.text or finding.field)
    where = f"{finding.file}:{line}" if line else finding.file
    if finding.fault is Fault.UNREADABLE:
        return f"{finding.file}: {finding.text}"
    what = f"{finding.field}: {_quoted(finding.text)}" if finding.text else finding.field
    return f"{where}: {what} {_REMEDIES[finding.fault]}"


def is_below(url: str, allowed: str) -> bool:
    """Whether a remote place, in any spelling that kustomize takes, is the allowed one or below it.

    `https://github.com/acme/bases` allows `github.com/acme/bases//shop?ref=v1` and not `…/acme/bases-evil`.
    """
    place, base = _place(url), _place(allowed)
    if place is None or base is None or place.scheme != base.scheme or place.host != base.host:
        return False
    return ".." not in place.path and place.path[: len(base.path)] == base.path


@dataclass(frozen=True, slots=True)
class _Remote:
    scheme: str
    host: str
    path: tuple[str, ...]


_GITHUB: Final = re.compile(r"(?i)^(?:git::)?(?:gh:|(?:git@)?github\.com[/:])")
_SCP: Final = re.compile(r"^(?P<user>[A-Za-z][\w-]*)@(?P<host>[\w.-]+):(?!//)(?P<path>.*)$")


def _place(url: str) -> _Remote | None:
    """Scheme, host and path of a place; None when it is none that can be compared."""
    text = _GITHUB.sub("https://github.com/", url.strip()).removeprefix("git::")
    if scp := _SCP.match(text):
        text = f"ssh://{scp['user']}@{scp['host']}/{scp['path']}"
    try:
        parts = urlsplit(text)
        host = f"{parts.hostname or ''}:{parts.port}" if parts.port else (parts.hostname or "")
    except ValueError:
        return None
    if not parts.scheme or (not host and parts.scheme != "file") or "%" in parts.path or "\\" in text:
        return None
    path = tuple(part.removesuffix(".git") for part in parts.path.split("/") if part not in ("", "."))
    return _Remote(parts.scheme.lower(), host, path)


def _quoted(entry: str) -> str:
    """An entry as people may read it: one that is written out here instead of named may hold anything."""
    shown = re.sub(r"//[^/@]*@", "//", entry)
    return repr(shown) if re.fullmatch(r"[\w./:@?=&+~-]{1,200}", shown) else "an entry"
