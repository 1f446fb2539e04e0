"""What was found in kustomizations, kept on disk: a merge reads only those that no merge before it has.

A cache: by what is in a file, not by its name or commit, so nothing in it can be out of date. Safe to delete.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Iterator, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from deployer.source.kustomization import Reference, Role

_LOG = logging.getLogger(__name__)

_EDITION: Final = 1
"""Of how kustomizations are read; another one reads them all anew."""

_MOST: Final = 50_000
"""Readings in one file; a few megabytes."""

Reading = tuple[Reference, ...] | str
"""What a file names, or why it cannot be read."""


class Readings(MutableMapping[str, Reading]):
    """Readings by role and hash, out of a file and back into it."""

    def __init__(self, file: Path) -> None:
        """Nothing is read yet."""
        self._file = file
        self._known: dict[str, Any] | None = None
        self._used: dict[str, Any] = {}
        self._new = False

    def save(self) -> None:
        """Write down what was found, if it is new; what was not used for longest goes first. Never fails."""
        if not self._new:
            return
        unused = {key: reading for key, reading in self._on_file.items() if key not in self._used}
        kept = dict([*unused.items(), *self._used.items()][-_MOST:])
        try:
            self._write(json.dumps({"edition": _EDITION, "readings": kept}, separators=(",", ":")))
            self._new = False
        except OSError as error:
            _LOG.warning("what kustomizations name could not be kept", extra={"error": error.strerror})

    def __getitem__(self, key: str) -> Reading:
        if key not in self._used:
            self._used[key] = self._on_file[key]
        return _decoded(self._used[key])

    def __setitem__(self, key: str, reading: Reading) -> None:
        self._used[key] = _encoded(reading)
        self._new = True

    def __contains__(self, key: object) -> bool:
        return key in self._used or key in self._on_file

    def __delitem__(self, key: str) -> None:
        self._used.pop(key, None)
        self._on_file.pop(key, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._used | self._on_file)

    def __len__(self) -> int:
        return len(self._used | self._on_file)

    @property
    def _on_file(self) -> dict[str, Any]:
        if self._known is None:
            self._known = _load(self._file)
        return self._known

    def _write(self, text: str) -> None:
        with tempfile.NamedTemporaryFile(
            "w", dir=self._file.parent, prefix=f".{self._file.name}.", delete=False
        ) as new:
            try:
                new.write(text)
                new.flush()
                Path(new.name).replace(self._file)
            except BaseException:
                Path(new.name).unlink(missing_ok=True)
                raise


def _load(file: Path) -> dict[str, Any]:
    """What the file holds; nothing when there is none, or it is not ours."""
    with suppress(OSError, ValueError, LookupError, TypeError):
        content = json.loads(file.read_text())
        if isinstance(content, dict) and content.get("edition") == _EDITION:
            return dict(content["readings"])
    return {}


def _encoded(reading: Reading) -> Any:  # noqa: ANN401 - JSON
    if isinstance(reading, str):
        return reading
    return [[each.role, each.path, each.field, each.unless] for each in reading]


def _decoded(content: Any) -> Reading:  # noqa: ANN401 - JSON
    if isinstance(content, str):
        return content
    return tuple(Reference(Role(role), path, field, unless) for role, path, field, unless in content)
