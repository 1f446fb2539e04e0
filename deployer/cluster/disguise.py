"""Objects as people may see them: without what the API server keeps in them, and without any value of a Secret. Pure.

What is hidden leaves no trace, neither a length nor a digest: only whether two states of it differ is told.
"""

from __future__ import annotations

from collections.abc import Container, Mapping

from deployer.cluster.equality import same
from deployer.model import JSON

HIDDEN = "(hidden)"
HIDDEN_CHANGED = "(hidden, changed)"

KEPT_BY_SERVER = frozenset(
    {"managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink"}
)  # fmt: skip
"""What of an object's metadata nobody else writes."""
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""The annotation in which kubectl quotes the whole object as it applied it, a Secret's values too."""
_OPEN = frozenset({"apiVersion", "kind", "type", "immutable"})
"""The fields of a Secret that are no secret. All others are hidden: a misspelt `data` has values as well."""
_OPEN_METADATA = frozenset(
    {"name", "namespace", "generateName", "labels", "finalizers", "ownerReferences"}
    | {"deletionTimestamp", "deletionGracePeriodSeconds"}
)  # fmt: skip
_OUR_ANNOTATIONS = ("deployer/", "applyset.kubernetes.io/")
"""Other tools quote a whole Secret in an annotation, each in one of its own."""


def shown(content: Mapping[str, JSON]) -> dict[str, JSON]:
    """An object as it may be shown; values of a Secret are `HIDDEN`, whatever form they have."""
    return shown_pair(content, content)[1]


def shown_pair(before: Mapping[str, JSON], after: Mapping[str, JSON]) -> tuple[dict[str, JSON], dict[str, JSON]]:
    """Two states of one object as they may be shown; what is hidden and changed is `HIDDEN_CHANGED` in the second."""
    first, second = _without_noise(before), _without_noise(after)
    if is_secret(before) or is_secret(after):
        return _disguised(first, first), _disguised(second, first)
    return first, second


def is_secret(content: Mapping[str, JSON]) -> bool:
    """Whether an object's values are hidden. A custom resource that calls itself Secret is taken at its word."""
    return content.get("kind") == "Secret"


def is_hidden(value: JSON) -> bool:
    """Whether something in what is shown of a Secret stands for a value of it."""
    return any(map(is_hidden, value.values())) if isinstance(value, dict) else value in (HIDDEN, HIDDEN_CHANGED)


def _disguised(secret: Mapping[str, JSON], before: Mapping[str, JSON]) -> dict[str, JSON]:
    parts = _partly(secret, before, _OPEN)
    metadata, known = secret.get("metadata"), before.get("metadata")
    if isinstance(metadata, dict):
        known = known if isinstance(known, dict) else {}
        parts["metadata"] = described = _partly(metadata, known, _OPEN_METADATA)
        annotations = metadata.get("annotations")
        if isinstance(annotations, dict) and isinstance(hidden := described["annotations"], dict):
            ours = {key: value for key, value in annotations.items() if key.startswith(_OUR_ANNOTATIONS)}
            described["annotations"] = {**hidden, **ours}
    return parts


def _partly(content: Mapping[str, JSON], before: Mapping[str, JSON], visible: Container[str]) -> dict[str, JSON]:
    return {
        key: value if key in visible else _hidden(value, before.get(key, value)) for key, value in content.items()
    }  # fmt: skip


def _hidden(value: JSON, before: JSON) -> JSON:
    """The keys of a map, as far as it is one, and for each value only whether it differs from before."""
    if not isinstance(value, dict):
        return HIDDEN if same(value, before) else HIDDEN_CHANGED
    known = before if isinstance(before, dict) else {}
    return {key: HIDDEN if same(item, known.get(key, item)) else HIDDEN_CHANGED for key, item in value.items()}


def _without_noise(content: Mapping[str, JSON]) -> dict[str, JSON]:
    """A copy without what the API server and controllers keep in an object, and without kubectl's quotation of it."""
    parts = {key: value for key, value in content.items() if key != "status"}
    metadata = parts.get("metadata")
    if isinstance(metadata, dict):
        kept = {key: value for key, value in metadata.items() if key not in KEPT_BY_SERVER}
        annotations = kept.get("annotations")
        if isinstance(annotations, dict):
            kept["annotations"] = {key: value for key, value in annotations.items() if key != LAST_APPLIED}
        if not kept.get("annotations"):
            kept.pop("annotations", None)
        parts["metadata"] = kept
    return parts
