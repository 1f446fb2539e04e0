"""What the query of a write says: who writes, and how.

https://kubernetes.io/docs/reference/kubernetes-api/common-parameters/common-parameters/
"""

from __future__ import annotations

from dataclasses import dataclass

from deployer.sandbox.kubernetes.errors import Cause, Names, forbidden_field, invalid, required, too_long, unsupported

_LONGEST = 128


@dataclass(frozen=True, slots=True)
class Options:
    """How an object is written."""

    manager: str
    dry_run: bool = False
    force: bool = False
    strict: bool = False
    """Refuse fields that the kind does not have, instead of dropping them."""


def read_options(headers: dict[str, str], query: dict[str, str], kind: str, *, applies: bool = False) -> Options:
    """Read the options of a write.

    Args:
        headers: of the request; the user agent names the manager of a write that names none.
        query: of the request.
        kind: `CreateOptions`, `UpdateOptions` or `PatchOptions`, for messages.
        applies: whether it is an apply patch, which must name its manager and may force.

    Raises:
        ApiError: 422, they contradict each other or have values that there are not.
    """
    named = query.get("fieldManager", "")
    force = query.get("force")
    causes = _causes(query, named=named, applies=applies)
    if causes:
        raise invalid(Names("meta.k8s.io", kind, kind), "", causes)
    manager = named or headers.get("user-agent", "unknown").partition("/")[0][:_LONGEST]
    return Options(
        manager, dry_run=bool(query.get("dryRun")), force=force in ("true", "1"),
        strict=query.get("fieldValidation") == "Strict",
    )  # fmt: skip


def _causes(query: dict[str, str], *, named: str, applies: bool) -> list[Cause]:
    causes = []
    if applies and not named:
        causes.append(required("fieldManager", "is required for apply patch"))
    if "force" in query and not applies:
        causes.append(forbidden_field("force", "may not be specified for non-apply patch"))
    if len(named) > _LONGEST:
        causes.append(too_long("fieldManager", f"may not be more than {_LONGEST} bytes"))
    if query.get("dryRun", "All") != "All" and query["dryRun"]:
        causes.append(unsupported("dryRun", [query["dryRun"]], ("All",)))
    if query.get("fieldValidation", "") not in ("", "Ignore", "Warn", "Strict"):
        choices = ("", "Ignore", "Strict", "Warn")
        causes.append(unsupported("fieldValidation", query["fieldValidation"], choices))
    return causes
