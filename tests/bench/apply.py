"""The engine beside kubectl: first apply, one object in a hundred changed, nothing changed, and looking for drift."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import yaml

from deployer.demo.stack import ROOT
from tests.bench.engine import CLUSTERS
from tests.bench.machine import program_version, verdict
from tests.bench.merge import cluster

SIZES = (10, 100, 1000)
TARGETS = {
    "first apply": {10: 0.9, 1000: 0.6},
    "one in a hundred changed": {1000: 0.15},
    "nothing changed": {1000: 0.08},
    "drift check": {1000: 0.05},
}
MEGABYTES = 200
TOGETHER = 1000
MOST_REQUESTS = 100
MOST_SECONDS = 1.5


def measure(folder: Path) -> Iterator[str]:
    """The same objects into two namespaces of one cluster, in turns; rendered before on both sides."""
    with cluster(folder) as (kind, kubeconfig):
        yield f"a third each Deployment (no pods), Service, ConfigMap, on {kind}"
        yield f"peer: kubectl {program_version('kubectl', 'version', '--client')}, --server-side; with its start"
        for size in SIZES:
            yield from _compare(folder, kubeconfig, size)
        yield _ten(folder, kubeconfig)


def _ten(folder: Path, kubeconfig: Path) -> str:
    """Ten namespaces stand for ten clusters: each is checked over a connection of its own."""
    for each in range(CLUSTERS):
        _Kubectl(kubeconfig, f"kubectl-ten-{each}")
    found = _ours("--ten", str(kubeconfig), "ours-ten", str(_files(folder, TOGETHER // CLUSTERS)[0]))
    told = "met" if found["requests"] <= MOST_REQUESTS and found["cpu"] <= MOST_SECONDS else "MISSED"
    return (
        f"{TOGETHER:5} objects in {CLUSTERS} clusters, drift check of each in turn: {found['requests']} requests, "
        f"{found['cpu'] * 1000:.0f} ms beyond the network of {found['seconds'] * 1000:.0f} ms "
        f"(target at most {MOST_REQUESTS} requests and {MOST_SECONDS} s beyond the network: {told})"
    )


def _compare(folder: Path, kubeconfig: Path, size: int) -> Iterator[str]:
    files = _files(folder, size)
    theirs = _Kubectl(kubeconfig, f"kubectl-{size}")
    hand = [theirs.apply(files[0]), theirs.apply(files[1]), theirs.apply(files[1]), theirs.diff(files[1])]
    ours = _ours(str(kubeconfig), f"ours-{size}", *map(str, (files[0], files[1], files[1])))
    for (name, targets), mine, seconds in zip(TARGETS.items(), ours["measured"], hand, strict=True):
        ratio = mine["seconds"] / seconds
        target = targets.get(size)
        yield (
            f"{size:5} objects, {name}: {mine['seconds'] * 1000:.0f} ms with {mine['requests']} requests, "
            f"{mine['writes']} of them writes; kubectl {seconds * 1000:.0f} ms; "
            f"ratio {verdict(ratio, target) if target else f'{ratio:.2f}'}"
        )
    yield f"{size:5} objects, peak memory: {ours['peak_mb']:.0f} MB (target under {MEGABYTES})"


class _Kubectl:
    """kubectl in a namespace of its own."""

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        self._argv = ["kubectl", "--kubeconfig", str(kubeconfig), "--namespace", namespace]
        for name in (namespace, namespace.replace("kubectl", "ours")):
            self._run("create", "namespace", name)

    def apply(self, file: Path) -> float:
        return self._run("apply", "--server-side", "-f", str(file))

    def diff(self, file: Path) -> float:
        """It exits with 1 when it finds a difference, as it does when a controller writes while it looks."""
        return self._run("diff", "--server-side", "-f", str(file), most=1)

    def _run(self, *arguments: str, most: int = 0) -> float:
        began = time.perf_counter()
        done = subprocess.run([*self._argv, *arguments], capture_output=True, check=False)
        if done.returncode > most:
            raise RuntimeError(done.stderr.decode())
        return time.perf_counter() - began


def _ours(*arguments: str) -> dict[str, Any]:
    argv = [sys.executable, "-m", "tests.bench.engine", *arguments]
    done = subprocess.run(argv, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _files(folder: Path, size: int) -> list[Path]:
    """The objects as they are at first, and with one in a hundred changed (one at least)."""
    changed = {number * size // max(1, size // 100) for number in range(max(1, size // 100))}
    paths = []
    for version in (0, 1):
        path = folder / f"{size}-{version}.yaml"
        path.write_text(manifests(size, version=version, changed=changed))
        paths.append(path)
    return paths


def manifests(size: int, *, version: int = 0, changed: Collection[int] = ()) -> str:
    """YAML of so many objects; those that changed are at a version, the others at 0."""
    objects = [_object(number, version if number in changed else 0) for number in range(size)]
    return str(yaml.dump_all(objects, Dumper=yaml.CSafeDumper))


def _object(number: int, version: int) -> dict[str, Any]:
    name = f"app-{number:04}"
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "shop"}
    metadata = {"name": name, "labels": labels, "annotations": {"example.com/version": f"v{version}"}}
    match number % 3:
        case 0:
            data = {f"key-{key}": f"value {key} of {name}" for key in range(10)}
            return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
        case 1:
            ports = [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]
            spec: dict[str, Any] = {"selector": {"app": name}, "ports": ports}
            return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
    container = {
        "name": "app",
        "image": f"registry.example.com/shop/{name}:1.{version}",
        "ports": [{"name": "http", "containerPort": 8080}],
        "env": [{"name": f"SETTING_{each}", "value": str(each)} for each in range(8)],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 5},
        "volumeMounts": [{"name": "settings", "mountPath": "/etc/shop", "readOnly": True}],
    }
    pod = {"containers": [container], "volumes": [{"name": "settings", "configMap": {"name": name}}]}
    template = {"metadata": {"labels": {"app": name}}, "spec": pod}
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
