"""Names of files in what kustomize says -> paths of the repository. Pure.

kustomize names a file as the kustomization does that lists it, so that nobody knows which `web.yaml` it means.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from typing import Final

_FILE: Final = re.compile(
    r"(?<![\w./@+-])(?:\.\./)*(?P<name>(?:[\w@+-][\w.@+-]*/)*[\w@+-][\w.@+-]*\.[a-z]{1,10})(?![\w/@+-])"
)


def rooted(message: str, paths: Iterable[str], *, overlay: str) -> str:
    """`message` with the files in it as they stand in the repository, where only one of them can be meant.

    Args:
        message: why an overlay cannot be rendered; a few thousand characters at most.
        paths: what the overlay reads, relative to the repository's root.
        overlay: its folder; a file in there is meant before any other of that name.
    """
    named: dict[str, list[str]] = {}
    for path in paths:
        named.setdefault(posixpath.basename(path), []).append(path)

    def whole(found: re.Match[str]) -> str:
        name = found["name"]
        alike = [path for path in named.get(posixpath.basename(name), ()) if f"/{path}".endswith(f"/{name}")]
        here = posixpath.normpath(posixpath.join(overlay, found[0]))
        if name in alike or not alike:
            return found[0]
        return here if here in alike else alike[0] if len(alike) == 1 else found[0]

    return _FILE.sub(whole, message)
