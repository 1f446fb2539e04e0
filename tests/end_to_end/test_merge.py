"""A merge, from the signed webhook to the objects in the cluster and the status on the commit, with real processes."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis import Redis

from deployer.cluster.connection import connect
from deployer.model import ForgeKind
from deployer.sandbox.forge import SandboxForge, Status
from deployer.settings import ClusterSettings, FileSecret
from tests.end_to_end.processes import Deployer, eventually, running

BASE = {
    "base/kustomization.yaml": "resources: [config.yaml, deployment.yaml]\n",
    "base/config.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: greeting}\ndata: {text: hello}\n",
    "base/deployment.yaml": """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 0  # there is no kubelet that would make pods ready
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: registry.example/web:1.0}]}
""",
}
NAMES = {ForgeKind.GITHUB: "acme/shop", ForgeKind.GITLAB: "acme/web/shop"}
PENDING_SUCCESS = {ForgeKind.GITHUB: ["success", "pending"], ForgeKind.GITLAB: ["success"]}
FAILED = {ForgeKind.GITHUB: "failure", ForgeKind.GITLAB: "failed"}


@dataclass(frozen=True)
class World:
    forge: SandboxForge
    deployer: Deployer
    kubeconfig: Path
    namespaces: dict[ForgeKind, str]

    def propose_and_merge(self, kind: ForgeKind, changes: Mapping[str, str]) -> str:
        title, branch = "Change something", f"change-{secrets.token_hex(4)}"
        pull = self.forge.open_pull_request(NAMES[kind], title, branch=branch, changes=changes, author="ada")
        return self.forge.merge(NAMES[kind], pull.number).commit

    def final(self, kind: ForgeKind, commit: str) -> Status:
        def ended() -> Status | None:
            statuses = self.forge.statuses(NAMES[kind], commit)
            return next((status for status in statuses if status.state not in ("pending", "running")), None)

        return eventually(ended, otherwise=self.deployer.log)

    def get(self, path: str) -> tuple[int, object]:
        settings = ClusterSettings(kubeconfig=FileSecret(file=self.kubeconfig))
        with connect(settings) as connection:
            response = connection.request("GET", path)
            return response.status, response.body


@pytest.fixture(scope="module")
def world(kubeconfig: Path, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("end-to-end")
    namespaces = {kind: f"e2e-{kind}-{secrets.token_hex(4)}" for kind in ForgeKind}
    proof = {kind: secrets.token_hex(16) for kind in ForgeKind}
    (folder / "forge").mkdir()
    with Redis.from_url(redis_url) as redis:
        redis.flushall()
    with SandboxForge(folder / "forge") as forge:
        for kind, name in NAMES.items():
            forge.create_repository(name, _files(namespaces[kind]), kind=kind)
        settings = _settings(forge, kubeconfig, namespaces)
        given = {
            "GITHUB_HOOK": proof[ForgeKind.GITHUB],
            "GITLAB_HOOK": proof[ForgeKind.GITLAB],
            "FORGE_TOKEN": forge.token,
        }
        with running(folder / "deployer", settings, redis_url=redis_url, **given) as deployer:
            for kind, name in NAMES.items():
                forge.add_webhook(name, f"{deployer.url}/webhooks/{kind}", secret=proof[kind])
            yield World(forge, deployer, kubeconfig, namespaces)


@pytest.mark.parametrize("kind", list(ForgeKind))
def test_a_merge_is_pending_then_success_and_runs_on_the_cluster(world: World, kind: ForgeKind) -> None:
    commit = world.propose_and_merge(kind, {"base/config.yaml": BASE["base/config.yaml"].replace("hello", "ahoy")})
    status = world.final(kind, commit)
    assert status.state == "success"
    assert status.context == "deploy/staging"
    assert status.description is not None
    assert status.description.startswith("3 objects")
    assert status.target_url is not None
    assert status.target_url.startswith(f"{world.deployer.url}/deployments/")
    assert [each.state for each in world.forge.statuses(NAMES[kind], commit)] == PENDING_SUCCESS[kind]
    _, config = world.get(f"/api/v1/namespaces/{world.namespaces[kind]}/configmaps/greeting")
    assert isinstance(config, dict)
    assert config["data"] == {"text": "ahoy"}
    assert world.get(f"/apis/apps/v1/namespaces/{world.namespaces[kind]}/deployments/web")[0] == 200


@pytest.mark.parametrize("kind", list(ForgeKind))
def test_a_broken_overlay_fails_with_the_reason_of_kustomize(world: World, kind: ForgeKind) -> None:
    broken = {"base/kustomization.yaml": "resources: [config.yaml, deployment.yaml, missing.yaml]\n"}
    commit = world.propose_and_merge(kind, broken)
    status = world.final(kind, commit)
    assert status.state == FAILED[kind]
    assert status.description is not None
    assert status.description.startswith("render: ")
    assert "missing.yaml" in status.description
    mended = world.propose_and_merge(kind, {"base/kustomization.yaml": BASE["base/kustomization.yaml"]})
    assert world.final(kind, mended).state == "success"


def _files(namespace: str) -> dict[str, str]:
    overlay = f"namespace: {namespace}\nresources: [../../base, namespace.yaml]\n"
    namespaced = f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}}}\n"
    return {**BASE, "overlays/staging/kustomization.yaml": overlay, "overlays/staging/namespace.yaml": namespaced}


def _settings(forge: SandboxForge, kubeconfig: Path, namespaces: dict[ForgeKind, str]) -> dict[str, object]:
    return {
        "forges": {
            kind.value: {
                "kind": kind.value,
                "api_url": forge.api_url(kind),
                "clone_url": forge.clone_url(NAMES[kind]).replace(NAMES[kind], "{repository}"),
                "webhook_secrets": [{"env": f"{kind.name}_HOOK"}],
                "token": {"env": "FORGE_TOKEN"},
            }
            for kind in ForgeKind
        },
        "clusters": {"test": {"kubeconfig": {"file": str(kubeconfig)}}},
        "repositories": [
            {
                "name": NAMES[kind],
                "forge": kind.value,
                "environments": {
                    "staging": {"overlay": "overlays/staging", "cluster": "test", "namespace": namespaces[kind]}
                },
            }
            for kind in ForgeKind
        ],
    }
