"""Looks for drift in a small world, what others do to its cluster meanwhile, and what the forge reads of it."""

from __future__ import annotations

import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from deployer.cluster.connection import Connection
from deployer.holding import Checked
from deployer.model import JSON, Deployment, EnvironmentKey, State
from deployer.settings import load
from jobs import drift
from tests.examples import STAGING
from tests.jobs.world import World


def settled(
    world: World, *, clusters: dict[str, Path] | None = None, cluster: Path | None = None, **policy: Any
) -> World:
    """The same world with another policy, perhaps with its cluster somewhere else, and perhaps with more clusters, each
    with one more environment."""
    path = world.given.data.parent / "deployer.yaml"
    content: dict[str, Any] = yaml.safe_load(path.read_text())
    environments = content["repositories"][0]["environments"]
    if cluster is not None:
        content["clusters"]["test"] = {"kubeconfig": {"file": str(cluster)}}
    for name, kubeconfig in (clusters or {}).items():
        content["clusters"][name] = {"kubeconfig": {"file": str(kubeconfig)}}
        environments[name] = {**environments["staging"], "cluster": name}
    for each in environments.values():
        each.update(policy)
    path.write_text(yaml.safe_dump(content))
    environ = {"HOOK": secrets.token_hex(), "TOKEN": secrets.token_hex()}
    return replace(world, given=replace(world.given, settings=load(path, environ=environ)))


def deployed(world: World, **policy: Any) -> World:
    """The same world with a policy, in which staging runs the first commit and was looked at."""
    changed = settled(world, **policy)
    changed.plan(changed.first)
    bring(changed, STAGING)
    changed.report(STAGING, changed.first)
    look(changed)
    return changed


def bring(world: World, key: EnvironmentKey) -> None:
    """Deploy what is planned for an environment."""
    world.deploy(key)
    assert world.given.store.deployments.newest(key, most=1)[0].state is State.SUCCEEDED


def look(world: World, key: EnvironmentKey = STAGING) -> Checked:
    drift.check_now(world.given, [world.given.settings.environment(key)])
    return world.given.store.drift.get(key)


def elsewhere(folder: Path, kubeconfig: Path, port: int) -> Path:
    """The kubeconfig of a cluster that would be at another port of this machine."""
    content = yaml.safe_load(kubeconfig.read_text())
    for each in content["clusters"]:
        each["cluster"]["server"] = f"https://127.0.0.1:{port}"
    path = folder / f"kubeconfig-{port}"
    path.write_text(yaml.safe_dump(content))
    return path


def path(world: World, name: str = "configmaps/greeting") -> str:
    return f"/api/v1/namespaces/{world.given.settings.environment(STAGING).namespace}/{name}"


def edit(world: World, cluster: Connection, text: str, *, by: str = "kubectl-edit") -> None:
    """Somebody changes the text of staging's ConfigMap."""
    change(world, cluster, {"data": {"text": text}}, by=by)


def change(world: World, cluster: Connection, patch: dict[str, JSON], *, by: str = "kubectl-edit") -> None:
    """Somebody changes something else of it, a second later."""
    world.clock.move(1)
    asked, kind = {"fieldManager": by}, "application/merge-patch+json"
    answer = cluster.request("PATCH", path(world), query=asked, body=patch, content_type=kind)
    assert answer.status == 200, answer.body


def live(world: World, cluster: Connection) -> object:
    """The text of staging's ConfigMap."""
    body = cluster.request("GET", path(world)).body
    assert isinstance(body, dict)
    assert isinstance(body["data"], dict)
    return body["data"]["text"]


def drift_posts(world: World) -> list[tuple[str, str]]:
    """State and description of each status on staging's drift."""
    return [(state, description) for context, state, description in world.posted() if context == "drift/staging"]


def newest(world: World) -> Deployment:
    return world.given.store.deployments.newest(STAGING, most=1)[0]
