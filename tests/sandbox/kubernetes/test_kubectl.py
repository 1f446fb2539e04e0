"""kubectl, as people will point it at a sandbox cluster."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.sandbox.kubernetes.client import Client
from tests.sandbox.kubernetes.objects import config_map, deployment, service

_KUBECTL = shutil.which("kubectl") or shutil.which("kubectl", path=str(Path(sys.executable).parent))


@pytest.fixture
def manifests(sandbox: Client, tmp_path: Path) -> Path:
    """A file with a namespace's worth of objects; the namespace is its own."""
    namespace = sandbox.make_namespace()
    objects = [config_map(data={"x": "1"}), deployment(replicas=2), service()]
    for obj in objects:
        obj["metadata"]["namespace"] = namespace
    path = tmp_path / "objects.yaml"
    path.write_text(yaml.safe_dump_all(objects))
    return path


@pytest.fixture
def namespace(manifests: Path) -> str:
    return str(next(yaml.safe_load_all(manifests.read_text()))["metadata"]["namespace"])


def run(kubeconfig: Path, *arguments: str | Path, status: int = 0) -> str:
    assert _KUBECTL is not None
    environment = {"HOME": str(kubeconfig.parent), "KUBECONFIG": str(kubeconfig), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [_KUBECTL, *arguments], env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


def test_apply_get_diff_and_delete(sandbox_kubeconfig: Path, manifests: Path, namespace: str) -> None:
    lines = run(sandbox_kubeconfig, "apply", "--server-side", "-f", manifests).splitlines()
    assert lines == [f"{name} serverside-applied" for name in ("configmap/a", "deployment.apps/web", "service/web")]
    assert run(sandbox_kubeconfig, "diff", "--server-side", "-f", manifests) == ""
    shown = run(sandbox_kubeconfig, "get", "-n", namespace, "deploy,svc,cm")
    assert "deployment.apps/web   0/2" in shown
    assert "80/TCP" in shown
    as_yaml = yaml.safe_load(run(sandbox_kubeconfig, "get", "-n", namespace, "deploy", "web", "-o", "yaml"))
    assert as_yaml["spec"]["replicas"] == 2
    manifests.write_text(manifests.read_text().replace("replicas: 2", "replicas: 3"))
    assert "+  replicas: 3" in run(sandbox_kubeconfig, "diff", "--server-side", "-f", manifests, status=1)
    assert 'deployment.apps "web" deleted' in run(sandbox_kubeconfig, "delete", "-f", manifests)
    assert "NotFound" in run(sandbox_kubeconfig, "get", "-n", namespace, "deploy", "web", status=1)


def test_a_conflict_is_explained(sandbox_kubeconfig: Path, manifests: Path, namespace: str) -> None:
    run(sandbox_kubeconfig, "apply", "--server-side", "-f", manifests)
    run(sandbox_kubeconfig, "scale", "-n", namespace, "deploy/web", "--replicas", "5")
    told = run(sandbox_kubeconfig, "apply", "--server-side", "-f", manifests, status=1)
    assert 'conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas' in told
    run(sandbox_kubeconfig, "apply", "--server-side", "--force-conflicts", "-f", manifests)


def test_apply_of_the_client_side(sandbox_kubeconfig: Path, manifests: Path) -> None:
    assert "configmap/a created" in run(sandbox_kubeconfig, "apply", "-f", manifests)
    assert "configmap/a unchanged" in run(sandbox_kubeconfig, "apply", "-f", manifests)
    run(sandbox_kubeconfig, "apply", "--server-side", "-f", manifests)


def test_waiting(sandbox_kubeconfig: Path, manifests: Path, namespace: str) -> None:
    run(sandbox_kubeconfig, "apply", "--server-side", "-f", manifests)
    path = "--for=jsonpath={.data.x}=1"
    run(sandbox_kubeconfig, "wait", "-n", namespace, path, "cm/a", "--timeout=10s")
    run(sandbox_kubeconfig, "delete", "ns", namespace)
    assert "NotFound" in run(sandbox_kubeconfig, "get", "ns", namespace, status=1)


def test_an_unknown_field_is_pointed_out(sandbox_kubeconfig: Path, manifests: Path) -> None:
    manifests.write_text(manifests.read_text().replace("replicas: 2", "replicsa: 2"))
    assert ".spec.replicsa: field not declared in schema" in run(
        sandbox_kubeconfig, "apply", "--server-side", "-f", manifests, status=1
    )
