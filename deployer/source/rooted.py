"""Names of files in what kustomize says -> paths of the repository. Pure.

kustomize names a file as the kustomization does that lists it, so that nobody knows which `web.yaml` it means.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from typing import Final

_FILE: Final = re.compile(
    r"(?<![\w./@+-])(?:\.\./)*(?P<name>(?:[\w@+-][\w.@+-]*/)*[\w@+-][\w.@+-]*\.[a-z]{1,10})(?!\.?[\w/@+-])"
)


_MOST_ALIKE: Final = 50
"""Of more files of one name it is not looked which of them could be meant."""


def rooted(message: str, paths: Iterable[str], *, overlay: str) -> str:
    """`message` with the files in it as they stand in the repository, where only one of them can be meant.

    Args:
        message: why an overlay cannot be rendered; a few thousand characters at most.
        paths: what the overlay reads, relative to the repository's root.
        overlay: its folder; a file in there is meant before any other of that name.
    """
    named: dict[str, list[str]] = {}
    for path in filter(str.isprintable, paths):  # git takes any bytes for a name
        named.setdefault(posixpath.basename(path), []).append(path)

    def whole(found: re.Match[str]) -> str:
        name = found["name"]
        known = named.get(posixpath.basename(name), ())
        if not 0 < len(known) <= _MOST_ALIKE or name in known:
            return found[0]
        here = posixpath.normpath(posixpath.join(overlay, found[0]))
        alike = [path for path in known if f"/{path}".endswith(f"/{name}")]
        return here if here in known else alike[0] if len(alike) == 1 else found[0]

    return _FILE.sub(whole, message)
