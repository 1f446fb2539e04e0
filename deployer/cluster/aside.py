"""What of an object is left to others: by the rules of the settings, by its annotation, or to its autoscaler. Pure.

What is left alone is the cluster's: git's value is used when the object is created, and not looked at again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from deployer.cluster import desired, identity, record
from deployer.cluster.kept import Spot, kept
from deployer.cluster.tenancy import is_kind
from deployer.model import JSON, PART_OF, POINTER, DriftRule, Manifest, ObjectRef

ANNOTATION = "deployer/drift-ignore"
ANY = "*"


@dataclass(frozen=True, slots=True)
class _Part:
    """What is at and below a path, or what of it certain managers are on record for."""

    path: tuple[str, ...]
    managers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Aside:
    """What of one object is left alone."""

    whole: bool = False
    parts: tuple[_Part, ...] = ()
    problem: str = ""
    """What is wrong with its annotation, which then leaves nothing alone."""

    def with_path(self, pointer: str) -> Aside:
        """The same, and what is at a JSON pointer."""
        return replace(self, parts=(*self.parts, _Part(_tokens(pointer))))

    def applied(self, wanted: Manifest, live: identity.Content) -> Manifest:
        """What to apply over a live object so that what is left alone stays as it is there."""
        if not isinstance(live, Mapping):
            return wanted
        content: JSON = dict(wanted.content)
        known = record.entries(live)
        for part in self.parts:
            theirs = [entry.fields for entry in known if entry.manager in part.managers and not entry.is_ours]
            spot = Spot(
                wanted=content,
                live=dict(live),
                ours=record.merged(entry.fields for entry in known if entry.is_ours),
                known=record.merged(entry.fields for entry in known),
                theirs=record.merged(theirs) or None if part.managers else {},
            )
            content = kept(spot, part.path, any_step=ANY)
        return replace(wanted, content=_named(content, wanted.content))

    def covers(self, path: tuple[str, ...], manager: str) -> bool:
        """Whether something is left alone that `manager` added to the manifest's object at a path."""
        return any(
            (not part.managers or manager in part.managers)
            and len(part.path) <= len(path)
            and all(token in (ANY, step) for token, step in zip(part.path, path, strict=False))
            for part in self.parts
        )


def aside(ref: ObjectRef, content: Mapping[str, JSON], rules: Iterable[DriftRule]) -> Aside:
    """What of an object is left alone.

    Args:
        ref: the object.
        content: as git wants it, with its annotation.
        rules: of the settings.
    """
    asked = desired.annotation(content, ANNOTATION)
    plain = asked.lower() in ("", "true", "false")
    pointers = [] if plain else [pointer.strip() for pointer in asked.split(",")]
    if wrong := [pointer for pointer in pointers if not re.fullmatch(POINTER, pointer)]:
        return Aside(problem=f'{ANNOTATION} is to be "true" or JSON pointers such as /spec/replicas, not {wrong[0]!r}')
    parts = [_Part(_tokens(pointer)) for pointer in pointers]
    parts += [_Part(_tokens(rule.path or ""), rule.managers) for rule in rules if _concerns(rule, ref)]
    return Aside(asked.lower() == "true", tuple(parts))


def _concerns(rule: DriftRule, ref: ObjectRef) -> bool:
    return (rule.kind is None or is_kind(ref, rule.kind)) and rule.name in (None, ref.name)


def _tokens(pointer: str) -> tuple[str, ...]:
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:])


def _named(content: JSON, wanted: Mapping[str, JSON]) -> dict[str, JSON]:
    """With what says which object it is and whose; nobody else may change that."""
    whole = content if isinstance(content, dict) else {}
    metadata = dict(identity.metadata(whole))
    labels = metadata.get("labels")
    metadata["labels"] = {**(labels if isinstance(labels, dict) else {}), PART_OF: identity.applyset(wanted)}
    metadata |= {key: value for key, value in identity.metadata(wanted).items() if key in ("name", "namespace")}
    return {**whole, "apiVersion": wanted.get("apiVersion"), "kind": wanted.get("kind"), "metadata": metadata}
