"""The API server's refusal of one object, in words for people. Pure.

What it says about a Secret is never passed on, because it may quote values: only which fields, and why in our words.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass

from deployer.cluster.connection import Response
from deployer.cluster.desired import RECREATE
from deployer.cluster.disguise import is_secret
from deployer.model import JSON, Manifest, ObjectRef

INVALID = 422
"""The status of an answer by which an object would not be a proper one."""
LONGEST = 500
"""Characters of a message."""

_MANAGER = re.compile(r'conflict with "([^"]*)"')
_FIXED_WORDS = (
    r"immutable|may not (?:be )?changed?|cannot (?:be )?changed?|updates to [^\n]* are forbidden"
    r"|may not be updated|can ?not be less than previous value|pod updates may not change"
)
_FIXED = re.compile(_FIXED_WORDS)
"""How the API server's own validation says that a field cannot change: each kind in words of its own."""

_QUOTED_VALUE = re.compile(rf"Invalid value: .*: (?=[^:]*(?:{_FIXED_WORDS}))", re.DOTALL)
_ITEM = re.compile(r'\[=(?:"(?:[^"\\]|\\.)*"|[^]"]*)\]')
"""An item of a set, which a path names by its value: in a custom resource that may be a secret."""
_NO_DRY_RUN = re.compile(r"does not support dry[ -]?run", re.IGNORECASE)
_TYPED = re.compile(r"failed to create typed patch object(?: \([^)]*\))?: (\.[-\w.]+): ")
_HARMLESS = re.compile(
    r'secrets(?:\.[-.a-z0-9]+)? "[^"]*" is forbidden: '
    r'(?:User "[^"]*" cannot |exceeded quota: |unable to create new content in namespace )'
)
_REMEDY_FIXED = (
    f'; this cannot change while the object exists: to have it deleted and created anew, annotate it {RECREATE}: "true"'
)


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field that someone else owns."""

    field: str
    manager: str


@dataclass(frozen=True, slots=True)
class _Cause:
    reason: str
    field: str
    message: str


def conflicts(response: Response) -> tuple[Conflict, ...]:
    """The conflicts with other field managers for which an apply was refused; empty when it was for something else."""
    if response.status != 409:
        return ()
    return tuple(
        Conflict(_ITEM.sub("[=…]", cause.field), _manager(cause.message))
        for cause in _causes(response)
        if cause.reason == "FieldManagerConflict"
    )


def name_owners(found: tuple[Conflict, ...]) -> str:
    """Who owns what, as in `.data.a, .data.b of kubectl`."""
    fields: dict[str, list[str]] = {}
    for conflict in found:
        fields.setdefault(conflict.manager, []).append(conflict.field)
    return "; ".join(f"{', '.join(owned)} of {manager}" for manager, owned in fields.items())


def immutable_fields(response: Response) -> tuple[str, ...]:
    """The fields because of which a change was refused, if all of them are ones that cannot change."""
    causes = _causes(response) if response.status == INVALID else []
    fixed = tuple(cause.field or "an immutable field" for cause in causes if _FIXED.search(cause.message))
    return tuple(dict.fromkeys(fixed)) if len(fixed) == len(causes) else ()


def rejects_dry_run(response: Response) -> bool:
    """Whether an admission webhook that has side effects stood in the way of a dry run.

    https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#side-effects
    """
    message = _mapping(response.body).get("message")
    return response.status == 400 and isinstance(message, str) and bool(_NO_DRY_RUN.search(message))


def explain(manifest: Manifest, response: Response) -> str:
    """Why an apply of `manifest` was refused, in one line of at most `LONGEST` characters."""
    status = _mapping(response.body)
    details = _mapping(status.get("details"))
    if response.status == 404 and details.get("kind") == "namespaces":
        text = f"namespace {details.get('name')} does not exist; add it to the overlay, or create it in the cluster"
    elif found := conflicts(response):
        text = f"conflict: {name_owners(found)}; set on_conflict: force to take the fields over, or take them out"
    elif is_secret(manifest.content):
        text = _about_secret(response, manifest.content.get("data") if manifest.ref.api_version == "v1" else None)
    else:
        text = said(response)
    return capped(text)


def capped(text: str) -> str:
    """One line, cut at its end when it is too long."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def objection(ref: ObjectRef, response: Response) -> str:
    """What the API server says against something that is done to an object; of a Secret no word that it may quote."""
    return _about_secret(response) if ref.kind == "Secret" else said(response)


def said(response: Response) -> str:
    """What the API server says. Not for Secrets: it may quote their values."""
    told = [f"{cause.field}: {_readable(cause.message)}".strip(": ") for cause in _causes(response)]
    message = _mapping(response.body).get("message") or response.body
    if not any(told) and isinstance(message, str):
        told = [_readable(message)]
    return "; ".join(filter(None, dict.fromkeys(told))) or f"refused (HTTP {response.status})"


def _readable(message: str) -> str:
    """Without the Go value that was refused and the difference that follows, when it is a change that is refused."""
    if not _FIXED.search(message):
        return message
    return _QUOTED_VALUE.sub("", message).partition("\n")[0] + _REMEDY_FIXED


def _about_secret(response: Response, data: JSON = None) -> str:
    message = _mapping(response.body).get("message")
    if isinstance(message, str) and _HARMLESS.match(message):
        return message
    fields = [cause.field for cause in _causes(response) if cause.field]
    if isinstance(message, str) and (typed := _TYPED.match(message)):
        fields.append(typed[1])
    fields += _not_base64(data)
    where = f" at {', '.join(dict.fromkeys(fields))}" if fields else ""
    if immutable_fields(response):
        return f"refused (HTTP {response.status}){where}{_REMEDY_FIXED}"
    return f"refused (HTTP {response.status}){where}; the API server's own words could quote the Secret's values"


def _not_base64(data: JSON) -> list[str]:
    return [f".data.{key} (not base64)" for key, value in _mapping(data).items() if not _is_base64(value)]


def _is_base64(value: JSON) -> bool:
    if not isinstance(value, str):
        return value is None
    try:
        base64.b64decode("".join(value.split()), validate=True)
    except ValueError:
        return False
    return True


def _causes(response: Response) -> list[_Cause]:
    causes = _mapping(_mapping(response.body).get("details")).get("causes")
    return [
        _Cause(*(str(cause.get(key) or "") for key in ("reason", "field", "message")))
        for cause in (causes if isinstance(causes, list) else [])
        if isinstance(cause, dict)
    ]


def _manager(message: str) -> str:
    named = _MANAGER.search(message)
    return named[1] if named else "another manager"


def _mapping(value: JSON) -> Mapping[str, JSON]:
    return value if isinstance(value, dict) else {}
