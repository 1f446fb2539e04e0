"""One overlay at one commit, rendered in a private folder that is gone afterwards."""

from __future__ import annotations

import tempfile
from pathlib import Path

from deployer.source import kustomize
from deployer.source.mirror import Mirror


def render_overlay(mirror: Mirror, commit: str, overlay: str) -> bytes:
    """What kustomize makes of an overlay.

    Args:
        mirror: of the repository.
        commit: one that the mirror has verified.
        overlay: folder with a kustomization, relative to the repository's root.

    Returns:
        YAML documents.

    Raises:
        Permanent: the overlay cannot be rendered, and why.
        Temporary: the commit is not in the mirror, or the disk refuses.
    """
    with tempfile.TemporaryDirectory(prefix="deployer-") as folder:
        root = Path(folder, "repository")
        mirror.extract(commit, root)
        return kustomize.render(root, overlay)
