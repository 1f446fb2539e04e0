"""Rendered YAML -> Manifests, or every mistake in it at once.

Only what names an object is looked at: the rest is for the API server to judge. No other value stands in a message,
for it may be part of a Secret.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from deployer.model import JSON, Manifest, Manifests, ObjectRef, Permanent, Stage
from deployer.source import goyaml

SHOWN_MISTAKES: Final = 10
"""Of more the message tells how many."""

_LABEL: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_API_VERSION: Final = re.compile(rf"({_LABEL}(\.{_LABEL})*/)?{_LABEL}")
_KIND: Final = re.compile(r"[A-Za-z]([-A-Za-z0-9]*[A-Za-z0-9])?")
_NAMESPACE: Final = re.compile(_LABEL)
_UNSAFE_IN_PATH: Final = re.compile(r"[/%?#\\\s]")
_LONGEST_NAME: Final = 253
_TYPE_NAMES: Final = {dict: "a mapping", list: "a sequence", bool: "a boolean", int: "a number", float: "a number"}


class _Mistake(Exception):  # noqa: N818 - reads as what it is
    """What is wrong with one object."""


@dataclass(frozen=True, slots=True)
class _Found:
    """An object and where it stands, as people count: `document 3` or `document 3, item 2`."""

    place: str
    content: JSON


def parse(rendered: bytes) -> Manifests:
    """The objects that kustomize rendered.

    Args:
        rendered: YAML documents. Lists are taken apart; documents without content are passed over.

    Raises:
        Permanent: it cannot be read, there is no object in it, one stands twice, or one has no proper name.
    """
    try:
        found = [
            each for number, document in enumerate(goyaml.documents(rendered), 1) for each in _found(document, number)
        ]
    except goyaml.Unreadable as error:
        raise Permanent(f"reading the rendered manifests: {error}", stage=Stage.RENDER) from error
    objects, mistakes = _checked(found)
    if mistakes:
        raise Permanent(_told(mistakes), stage=Stage.RENDER)
    if not objects:
        message = "the overlay renders to nothing: list at least one resource in its kustomization"
        raise Permanent(message, stage=Stage.RENDER)
    return Manifests(objects, _digest(objects))


def pack(manifests: Manifests) -> bytes:
    """The objects as they were parsed, for `unpack`: reading them again takes a fraction of the time."""
    contents = [dict(manifest.content) for manifest in manifests.objects]
    return json.dumps({"digest": manifests.digest, "objects": contents}, separators=(",", ":")).encode()


def unpack(packed: bytes) -> Manifests:
    """What was packed by this very code."""
    content = json.loads(packed)
    return Manifests(tuple(map(_manifest, content["objects"])), content["digest"])


def _found(document: JSON, number: int) -> Iterator[_Found]:
    """The objects of one document, those in Lists (also in Lists in Lists) each for itself."""
    left = [_Found(f"document {number}", document)] if document is not None else []
    while left:
        each = left.pop()
        items = _items(each.content)
        if items is None:
            yield each
        else:
            left += [_Found(f"{each.place}, item {place}", item) for place, item in enumerate(items, 1)][::-1]


def _items(content: JSON) -> list[JSON] | None:
    """What is in a List; None when `content` is not one. A List has no name: an object of a kind `AllowList` has."""
    if not isinstance(content, dict):
        return None
    kind, items, metadata = content.get("kind"), content.get("items"), content.get("metadata")
    if not isinstance(kind, str) or not kind.endswith("List") or (isinstance(metadata, dict) and "name" in metadata):
        return None
    if content.get("apiVersion") == "v1" and kind == "List" and items is None:
        return []
    return items if isinstance(items, list) else None


def _checked(found: Sequence[_Found]) -> tuple[tuple[Manifest, ...], list[str]]:
    """The objects, and what is wrong with others."""
    manifests: dict[tuple[str, ...], Manifest] = {}
    places: dict[tuple[str, ...], str] = {}
    mistakes = []
    for each in found:
        try:
            manifest = _manifest(each.content)
        except _Mistake as mistake:
            mistakes.append(f"{each.place}{_hint(each.content)}: {mistake}")
            continue
        identity = _identity(manifest.ref)
        if identity in manifests:
            mistakes.append(_twice(manifests[identity].ref, places[identity], manifest.ref, each.place))
            continue
        manifests[identity], places[identity] = manifest, each.place
    return tuple(manifests.values()), mistakes


def _manifest(content: JSON) -> Manifest:
    if not isinstance(content, dict):
        raise _Mistake(f"is {_type_name(content)}, not an object with apiVersion, kind and metadata")
    api_version = _text(content, "apiVersion", "apiVersion")
    if not _API_VERSION.fullmatch(api_version):
        raise _Mistake(f"apiVersion {_quoted(api_version)} is neither a version nor group/version")
    kind = _text(content, "kind", "kind")
    if not _KIND.fullmatch(kind):
        raise _Mistake(f"kind {_quoted(kind)} is not the name of a kind")
    metadata = content.get("metadata")
    if not isinstance(metadata, dict):
        raise _Mistake(f"metadata is {_type_name(metadata)}, not a mapping with a name")
    return Manifest(ObjectRef(api_version, kind, _namespace(metadata), _name(metadata)), content)


def _namespace(metadata: dict[str, JSON]) -> str | None:
    """The namespace; null and the empty string name none, as in kubectl."""
    if metadata.get("namespace") in (None, ""):
        return None
    namespace = _text(metadata, "namespace", "metadata.namespace")
    if not _NAMESPACE.fullmatch(namespace):
        raise _Mistake(f"metadata.namespace {_quoted(namespace)} is not lower-case letters, digits and hyphens")
    return namespace


def _name(metadata: dict[str, JSON]) -> str:
    """The name, if it can be one segment of a URL path: `system:node` can, `a/b` and `..` cannot.

    What Kubernetes' IsValidPathSegmentName refuses, and what other programs take for the end of a segment.
    """
    if "name" not in metadata and "generateName" in metadata:
        raise _Mistake("has generateName: every deployment would make one more of it; give it a name")
    name = _text(metadata, "name", "metadata.name")
    if name in (".", "..") or _UNSAFE_IN_PATH.search(name) or not name.isprintable():
        raise _Mistake(f"metadata.name {_quoted(name)} would not stay inside its URL path; use another name")
    if len(name) > _LONGEST_NAME:
        raise _Mistake(f"metadata.name {_quoted(name)} is longer than {_LONGEST_NAME} characters")
    return name


def _text(mapping: dict[str, JSON], key: str, path: str) -> str:
    if key not in mapping:
        raise _Mistake(f"has no {path}")
    value = mapping[key]
    if value is None or value == "":
        raise _Mistake(f"{path} is empty")
    if not isinstance(value, str):
        remedy = "" if isinstance(value, (dict, list)) else "; put it in quotes"
        raise _Mistake(f"{path} is {_type_name(value)}, not a string{remedy}")
    return value


def _type_name(value: JSON) -> str:
    return _TYPE_NAMES.get(type(value), "a string" if value else "empty")


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:60]}…")


def _hint(content: JSON) -> str:
    """What an object without a proper name can be recognised by."""
    if not isinstance(content, dict):
        return ""
    metadata = content.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    known = [each for each in (content.get("kind"), name) if isinstance(each, str) and each]
    return f" ({' '.join(_quoted(each)[1:-1] for each in known)})" if known else ""


def _identity(ref: ObjectRef) -> tuple[str, ...]:
    """What makes it one object to a cluster; the version of its API does not."""
    return ref.api_version.rpartition("/")[0], ref.kind, ref.namespace or "", ref.name


def _twice(first: ObjectRef, first_place: str, second: ObjectRef, second_place: str) -> str:
    versions = "" if first.api_version == second.api_version else f" ({first.api_version} and {second.api_version})"
    return f"{second} stands twice{versions}, in {first_place} and {second_place}; leave one"


def _told(mistakes: Sequence[str]) -> str:
    more = len(mistakes) - SHOWN_MISTAKES
    shown = "; ".join(mistakes[:SHOWN_MISTAKES]) + (f"; and {more} more" if more > 0 else "")
    return shown if len(mistakes) == 1 else f"{len(mistakes)} mistakes in the rendered manifests: {shown}"


def _digest(objects: Sequence[Manifest]) -> str:
    contents = [each.content for each in sorted(objects, key=lambda each: (_identity(each.ref), each.ref.api_version))]
    canonical = json.dumps(contents, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
