"""What overlays were found to read, kept on disk: a merge walks anew only where something was changed.

What is known of an overlay holds as long as all that was looked at is the same: the folders of its kustomizations, by
the hash of their trees, and what lies beside them. A cache: nothing in it can be out of date. Safe to delete.
"""

from __future__ import annotations

import json
import logging
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

from deployer.source.finding import Fault, Finding
from deployer.source.graph import Inputs
from deployer.source.snapshot import Snapshot

_LOG: Final = logging.getLogger(__name__)

_EDITION: Final = 4
"""Of how kustomizations are followed; what another one has found is not believed."""

_MOST: Final = 20_000
"""Overlays in one file; a few megabytes."""


class KnownInputs:
    """What overlays of one repository read, out of a file and back into it."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known = _load(file)
        self._found: dict[str, Any] = {}

    def of(self, snapshot: Snapshot) -> _Lookup:
        """What is known at a commit."""
        return _Lookup(snapshot, self._known)

    def learn(self, overlay: str, inputs: Inputs) -> None:
        """Remember what an overlay reads. What leads out is looked at each time: who knows what is out there. So is
        what was missing: once a folder above it became a link, it is still missing itself, but no longer looked for.
        """
        if all(inputs.watched.values()) and not any(finding.fault is Fault.LEAVES for finding in inputs.findings):
            found = [inputs.digest, sorted(inputs.paths), inputs.findings, inputs.watched]
            self._found[overlay] = found

    def save(self) -> None:
        """Write down what was learned, if anything; what was learned long ago goes first. Never fails."""
        if not self._found:
            return
        others = [(overlay, known) for overlay, known in self._known.items() if overlay not in self._found]
        kept = dict([*others, *self._found.items()][-_MOST:])
        try:
            self._write(json.dumps({"edition": _EDITION, "overlays": kept}, separators=(",", ":")))
        except OSError as error:
            _LOG.warning("what overlays read could not be kept", extra={"error": error.strerror})

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


class _Lookup:
    """What is known at one commit."""

    def __init__(self, snapshot: Snapshot, known: dict[str, Any]) -> None:
        self._known = known
        self._now = cache(snapshot.state)

    def get(self, overlay: str) -> Inputs | None:
        """What an overlay reads, if that is known and still so."""
        with suppress(LookupError, TypeError, ValueError, AttributeError):
            digest, paths, findings, watched = self._known[overlay]
            if watched and all(self._now(path) == state for path, state in watched.items()):
                found = tuple(Finding(Fault(fault), *rest) for fault, *rest in findings)
                return Inputs(digest, frozenset(paths), found, watched)
        return None


def _load(file: Path) -> dict[str, Any]:
    """What the file holds; nothing when there is none, or it is not ours."""
    with suppress(OSError, ValueError, LookupError, TypeError):
        content = json.loads(file.read_text())
        if content["edition"] == _EDITION:
            return dict(content["overlays"])
    return {}
