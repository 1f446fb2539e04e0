"""Objects as people may see them: without what the API server keeps in them, and without any value of a Secret. Pure.

What is hidden leaves no trace, neither a length nor a digest: only whether two states of it differ is told.
"""

from __future__ import annotations

from collections.abc import Mapping

from deployer.model import JSON

HIDDEN = "(hidden)"
HIDDEN_CHANGED = "(hidden, changed)"

_KEPT_BY_SERVER = frozenset(
    {"managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink"}
)  # fmt: skip
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""Quotes the whole object as kubectl applied it, a Secret's values too."""
_OPEN = frozenset({"apiVersion", "kind", "metadata", "type", "immutable"})
"""The fields of a Secret that are no secret. All others are hidden: a misspelt `data` has values as well."""


def shown(content: Mapping[str, JSON]) -> dict[str, JSON]:
    """An object as it may be shown; values of a Secret are `HIDDEN`, whatever form they have."""
    return shown_pair(content, content)[1]


def shown_pair(before: Mapping[str, JSON], after: Mapping[str, JSON]) -> tuple[dict[str, JSON], dict[str, JSON]]:
    """Two states of one object as they may be shown; what is hidden and changed is `HIDDEN_CHANGED` in the second."""
    first, second = _without_noise(before), _without_noise(after)
    for key in sorted((first.keys() | second.keys()) - _OPEN) if is_secret(before) or is_secret(after) else ():
        old, new = first.get(key), second.get(key)
        if key in first:
            first[key] = _hidden(old, old)
        if key in second:
            second[key] = _hidden(new, old if key in first else new)
    return first, second


def is_secret(content: Mapping[str, JSON]) -> bool:
    """Whether an object's values are hidden. A custom resource that calls itself Secret is taken at its word."""
    return content.get("kind") == "Secret"


def hides(content: Mapping[str, JSON], key: str) -> bool:
    """Whether what an object has under this top-level key is hidden."""
    return is_secret(content) and key not in _OPEN


def _hidden(value: JSON, before: JSON) -> JSON:
    """The keys of a map, as far as it is one, and for each value only whether it differs from before."""
    if not isinstance(value, dict):
        return HIDDEN if value == before else HIDDEN_CHANGED
    known = before if isinstance(before, dict) else {}
    return {key: HIDDEN if item == known.get(key, item) else HIDDEN_CHANGED for key, item in value.items()}


def _without_noise(content: Mapping[str, JSON]) -> dict[str, JSON]:
    """A copy without what the API server and controllers keep in an object, and without kubectl's quotation of it."""
    parts = {key: value for key, value in content.items() if key != "status"}
    metadata = parts.get("metadata")
    if isinstance(metadata, dict):
        kept = {key: value for key, value in metadata.items() if key not in _KEPT_BY_SERVER}
        annotations = kept.pop("annotations", None)
        if isinstance(annotations, dict):
            annotations = {key: value for key, value in annotations.items() if key != _LAST_APPLIED}
        parts["metadata"] = {**kept, "annotations": annotations} if annotations else kept
    return parts
