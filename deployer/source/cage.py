"""What an overlay may do: build on its own repository, and on nothing else that the settings do not name. Pure.

Judges what the walk through the kustomizations has found, before anything runs. Messages name file, line and entry,
never what stands in a file that is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from deployer.model import Permanent, Stage
from deployer.source.finding import Fault, Finding

_SHOWN: Final = 10
"""Findings in one message."""

Lines = Callable[[Sequence[Finding]], Mapping[Finding, int]]
"""The lines on which findings stand, as far as that can be told. Asked for few: looking for them takes time."""

_REMEDIES: Final = {
    Fault.LEAVES: "leads out of the repository",
    Fault.REMOTE: "is remote and not in allow_remote, so it is not fetched; copy it into the repository",
    Fault.MISSING: "is not in the repository",
    Fault.FUNCTION: "is a plugin or a function, and none is ever run; render what it makes into the repository",
    Fault.HELM: "needs Helm, which runs only where the settings say helm: true",
    Fault.UNKNOWN: "cannot be followed",
    Fault.NO_FOLDER: "is not a folder",
    Fault.ENDLESS: "reads more files, folders or text than can be followed; does it include itself in many ways?",
    Fault.EMPTY: "has no kustomization; add a kustomization.yaml",
    Fault.AMBIGUOUS: "has more than one kustomization; leave one",
}


@dataclass(frozen=True, slots=True)
class Permission:
    """What an environment's settings allow beyond the repository."""

    remote: tuple[str, ...] = ()
    """Beginnings of URLs."""
    helm: bool = False

    def allows(self, finding: Finding, *, way_out: bool) -> bool:
        """Whether the settings, or the nature of it, let this pass. `way_out`: something is fetched or run anyway."""
        match finding.fault:
            case Fault.REMOTE:
                return any(is_below(finding.text, allowed) for allowed in self.remote)
            case Fault.HELM:
                return self.helm
            case Fault.UNKNOWN:  # what is not known might fetch or run something, where there is a way to
                return not way_out
        return False


def refuse(findings: Iterable[Finding], permission: Permission, *, lines: Lines) -> None:
    """Make sure that an overlay stays within the repository and what its environment allows.

    Raises:
        Permanent: it does not; names each file, line and entry.
    """
    found = list(findings)
    way_out = any(finding.fault in (Fault.REMOTE, Fault.HELM) for finding in found)
    refused = [finding for finding in found if not permission.allows(finding, way_out=way_out)]
    if refused:
        raise Permanent("; ".join(_said(refused, lines)), stage=Stage.RENDER)


def notes(findings: Iterable[Finding], *, lines: Lines) -> tuple[str, ...]:
    """What people should know of what was not refused: what could not be followed, as in `refuse`'s messages."""
    return tuple(_said([finding for finding in findings if finding.fault is Fault.UNKNOWN], lines))


def _said(findings: Sequence[Finding], lines: Lines) -> list[str]:
    """The first findings, as in `staging/kustomization.yaml:4: resources: '../..' leads out of the repository`."""
    shown = findings[:_SHOWN]
    found = lines(shown)
    more = [f"and {len(findings) - _SHOWN} more"] if len(findings) > _SHOWN else []
    return [*(_said_of(finding, found.get(finding)) for finding in shown), *more]


def _said_of(finding: Finding, line: int | None) -> str:
    if not finding.file:
        remedy = _REMEDIES[finding.fault]
        if finding.fault is Fault.MISSING:
            remedy += "; correct `overlay` in the settings, or add it"
        return f"the overlay {_quoted(finding.text)} {remedy}"
    file = finding.file if finding.file.isprintable() else repr(finding.file)
    where = f"{file}:{line}" if line else file
    if finding.fault is Fault.UNREADABLE:
        return f"{file}: {finding.text}"
    return f"{where}: {_entry(finding)} {_REMEDIES[finding.fault]}"


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


_SECRETIVE: Final = frozenset({
    "patchesstrategicmerge", "paths", "generators", "transformers", "validators", "secretgenerator",
})  # fmt: skip
"""Fields, in lower case, in which people write out what should be in a file."""

_PRINTABLE: Final = re.compile(r"(?!.*: )[\w./:@?=&+~#%,() -]{1,200}")
_PATH: Final = re.compile(r"\.{0,2}/.*|[^=\s]*\.[A-Za-z]\w{0,9}|[a-z]+://.*")


def _entry(finding: Finding) -> str:
    """Field and entry. The name of a field, too, is what somebody wrote."""
    field = finding.field if re.fullmatch(r"[\w./-]{1,100}", finding.field) else "a field"
    if not finding.text:
        return field
    plain = finding.field.casefold() not in _SECRETIVE or _PATH.fullmatch(finding.text)
    return f"{field}: {_quoted(finding.text) if plain else 'an entry'}"


def _quoted(entry: str) -> str:
    """An entry as people may read it: one that is written out here instead of named may hold anything."""
    shown = re.sub(r"//[^/@]*@", "//", entry)
    return repr(shown) if _PRINTABLE.fullmatch(shown) else "an entry"
