"""Overlays in a real repository, rendered as a deployment renders them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import pytest

from deployer.model import Environment, Permanent, Stage
from deployer.source.graph import Inputs
from deployer.source.mirror import Mirror
from deployer.source.overlay import Rendered, reads, render
from deployer.source.render_cache import RenderCache
from tests import repositories
from tests.examples import STAGING

OVERLAY = "deploy/overlays/staging"
Files = Mapping[str, str | bytes | Path | None]
ENVIRONMENT = Environment(STAGING, "main", OVERLAY, "staging", "shop", force_conflicts=True, rollout_timeout=300)


def config_map(name: str, text: str = "x") -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{text: '{text}'}}\n"


@dataclass
class Trees:
    """A repository, its mirror and a cache of renders, in one folder."""

    folder: Path

    @cached_property
    def repository(self) -> Path:
        return repositories.create(self.folder / "repository")

    @cached_property
    def mirror(self) -> Mirror:
        """The repository itself, as if each commit were fetched at once: how that goes is told in test_mirror.py."""
        folder = self.folder / "mirrors" / "m.git"
        folder.parent.mkdir()
        folder.symlink_to(self.repository / ".git")
        return Mirror(folder, repositories.url(self.repository))

    def commit(self, files: Files) -> str:
        return repositories.commit(self.repository, files)

    def reads(self, files: Files, overlay: str = OVERLAY) -> Inputs:
        return reads(self.mirror, self.commit(files), [overlay])[overlay]

    def render(self, files: Files, overlay: str = OVERLAY, **policy: object) -> Rendered:
        environment = replace(ENVIRONMENT, overlay=overlay, **policy)  # type: ignore[arg-type]
        return render(environment, self.commit(files), mirror=self.mirror, cache=RenderCache(self.folder / "renders"))

    def refused(self, files: Files, overlay: str = OVERLAY, **policy: object) -> str:
        """The message with which an overlay is refused, which has no path of this machine in it."""
        with pytest.raises(Permanent) as caught:
            self.render(files, overlay, **policy)
        assert caught.value.stage is Stage.RENDER
        assert str(self.folder) not in caught.value.message
        return caught.value.message
