"""Where an API server keeps a kind of object, and the path of one object in it. Pure.

Names come out of a repository. One that would mean something else in a path is refused here, before any request.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import quote

from deployer.model import ObjectRef, Permanent, Stage

_API_VERSION = re.compile(r"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?/)?[a-z0-9]+")
_UNSAFE = re.compile(r"[/\\%?#\s\x00-\x1f\x7f-\x9f]")
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Resource:
    """The collection of one kind."""

    api_version: str
    plural: str
    namespaced: bool
    has_status: bool = field(default=True, compare=False)
    """Its status is written apart from the rest, so a status that git has is dropped."""

    def path(self, namespace: str | None, name: str | None = None) -> str:
        """Path of an object, or of the collection when there is no name; encoded.

        Raises:
            Permanent: a part of it would escape its place in the path.
        """
        return _path(self.api_version, namespace if self.namespaced else None, self.plural, name)


@lru_cache(maxsize=16_384)  # each object's is asked for about ten times in one comparison
def _path(api_version: str, namespace: str | None, plural: str, name: str | None) -> str:
    within = [] if namespace is None else ["namespaces", _segment(namespace)]
    named = [] if name is None else [_segment(name)]
    return "/".join([group_path(api_version), *within, _segment(plural), *named])


def group_path(api_version: str) -> str:
    """Path of a group and version, as in `/apis/apps/v1`.

    Raises:
        Permanent: it is no group and version.
    """
    if not _API_VERSION.fullmatch(api_version) or ".." in api_version:
        raise Permanent(f"{_shown(api_version)} is no apiVersion; correct it in the overlay", stage=Stage.APPLY)
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def refuse_unsafe(refs: Iterable[ObjectRef]) -> None:
    """Make sure that no object escapes its place, before anything is asked or written.

    Raises:
        Permanent: names every part that is refused.
    """
    mistakes = []
    for ref in refs:
        try:
            Resource(ref.api_version, "x", namespaced=True).path(ref.namespace, ref.name)
        except Permanent as error:
            mistakes.append(error.message)
    if mistakes:
        raise Permanent("; ".join(dict.fromkeys(mistakes)), stage=Stage.APPLY)


def _segment(text: str) -> str:
    """One part of a path.

    https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#path-segment-names
    """
    if not text or text in (".", "..") or _UNSAFE.search(text):
        raise Permanent(f"{_shown(text)} cannot be a name in Kubernetes; correct it in the overlay", stage=Stage.APPLY)
    return quote(text, safe=":@")


def _shown(text: str) -> str:
    return ascii(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
