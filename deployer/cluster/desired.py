"""What git wants of each object, in the form in which it is applied and compared. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace

from deployer.model import JSON, PART_OF, Manifest

RECREATE = "deployer/recreate"
PRUNE = "deployer/prune"
APPLY = "deployer/apply"
IF_ABSENT = "if-absent"


def member(manifest: Manifest, *, applyset: str) -> Manifest:
    """A manifest as a member of a set: with the set's label.

    A Secret's stringData becomes data, which is what the API server makes of it. It is written only, so as stringData
    it could neither be compared nor taken away again.
    """
    content = dict(manifest.content)
    metadata = dict(_mapping(content.get("metadata")))
    metadata["labels"] = {**_mapping(metadata.get("labels")), PART_OF: applyset}
    content["metadata"] = metadata
    if manifest.ref.kind == "Secret" and manifest.ref.api_version == "v1":
        _encode(content)
    return replace(manifest, content=content)


def asks(content: Mapping[str, JSON], annotation: str) -> str:
    """What an object says in one of our annotations; empty when it does not have it."""
    annotations = _mapping(_mapping(content.get("metadata")).get("annotations"))
    return str(annotations.get(annotation, "")).strip().lower()


def _encode(content: dict[str, JSON]) -> None:
    """Left as it is when it is not well-formed: what is wrong with it, the API server says."""
    plain = content.get("stringData")
    data = content.get("data") or {}
    if not isinstance(plain, dict) or not isinstance(data, dict) or not all(isinstance(v, str) for v in plain.values()):
        return
    del content["stringData"]
    encoded = {
        key: base64.b64encode(str(value).encode("utf-8", "surrogatepass")).decode() for key, value in plain.items()
    }
    content["data"] = {**data, **encoded}


def _mapping(value: JSON) -> Mapping[str, JSON]:
    return value if isinstance(value, dict) else {}
