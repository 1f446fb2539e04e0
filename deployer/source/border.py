"""The repository's root is the border: no kustomization may build on a folder outside of it.

kustomize keeps files inside the folder of their kustomization, but follows the folders that one names wherever they
lead. So the graph of kustomizations is walked before it runs. Nothing here says what lies on the other side.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from deployer.model import JSON, Permanent, Stage
from deployer.source.goyaml import Unreadable, documents

_FOLDERS = ("resources", "bases", "components", "generators", "transformers", "validators")
"""Fields that may name a folder. Matched as kustomize's JSON decoder does, without regard to case, Unicode's too."""

LARGEST = 1024 * 1024
"""Bytes of a kustomization; it is read by this process, which has no limits of its own."""


def refuse_outside(root: Path, overlay: Path, *, names: Sequence[str]) -> None:
    """Refuse an overlay that builds on a folder outside of `root`.

    Args:
        root: the repository's files, its path without symbolic links.
        overlay: a folder inside `root`, without symbolic links.
        names: what a kustomization may be called.

    Raises:
        Permanent: an entry leads out, or a kustomization cannot be read; the message names file and entry.
    """
    seen: set[Path] = set()
    waiting = [overlay]
    while waiting:
        folder = waiting.pop()
        if folder in seen:
            continue
        seen.add(folder)
        for file in (folder / name for name in names if (folder / name).is_file()):
            waiting += _folders(root, file)


def _folders(root: Path, file: Path) -> Iterator[Path]:
    """The folders that a kustomization builds on, all inside `root`."""
    for field, entry in _entries(root, file):
        # First as it is written and then through links, as kustomize does it: `link/..` is not where the link leads.
        path = os.path.normpath(file.parent / entry)
        target = Path(os.path.realpath(path))
        if target != root and root not in target.parents:
            raise _refused(root, file, f"{field}: {_quoted(entry)} leads out of the repository")
        if os.path.isdir(target):  # noqa: PTH112 - says no to what is too long for a path, instead of raising
            yield target


def _entries(root: Path, file: Path) -> Iterator[tuple[str, str]]:
    for field, value in _fields(root, file):
        if field.casefold() in _FOLDERS and isinstance(value, list):
            for entry in value:
                if isinstance(entry, str) and "\0" not in entry:
                    yield field, entry


def _fields(root: Path, file: Path) -> list[tuple[str, JSON]]:
    if file.stat().st_size > LARGEST:
        raise _refused(root, file, f"is larger than {LARGEST // 1024} KiB")
    try:
        found = list(documents(file.read_bytes()))
    except Unreadable as error:
        raise _refused(root, file, f"cannot be read: {error}") from None
    return [pair for document in found if isinstance(document, dict) for pair in document.items()]


def _quoted(entry: str) -> str:
    """An entry as people may read it: one that is written out here instead of named may hold anything."""
    return repr(entry) if re.fullmatch(r"[\w./:@?=&-]{1,200}", entry) else "an entry"


def _refused(root: Path, file: Path, problem: str) -> Permanent:
    return Permanent(f"{file.relative_to(root)}: {problem}", stage=Stage.RENDER)
