"""A real Kubernetes control plane for the tests, from the executables in KUBEBUILDER_ASSETS (envtest's variable)."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from ssl import CERT_NONE, create_default_context
from typing import Any

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa


def assets() -> Path | None:
    """The folder with etcd, kube-apiserver and kube-controller-manager, or None when the tests have none."""
    folder = os.environ.get("KUBEBUILDER_ASSETS")
    return Path(folder) if folder else None


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class ControlPlane:
    """etcd, an API server and a controller manager on loopback; `kubeconfig` is an administrator's."""

    def __init__(self, folder: Path, executables: Path) -> None:
        self._folder = folder
        self._executables = executables
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._etcd = f"http://127.0.0.1:{free_port()}"
        self._port = free_port()
        self._token = secrets.token_hex(16)
        self.url = f"https://127.0.0.1:{self._port}"
        self.kubeconfig = folder / "kubeconfig"

    def start(self) -> None:
        self._prepare()
        self._spawn(
            "etcd", f"--data-dir={self._folder}/etcd", f"--listen-client-urls={self._etcd}",
            f"--advertise-client-urls={self._etcd}", "--listen-peer-urls=http://127.0.0.1:0", "--unsafe-no-fsync",
        )  # fmt: skip
        self.start_api_server()
        self._spawn(
            "kube-controller-manager", f"--kubeconfig={self.kubeconfig}", "--leader-elect=false",
            "--controllers=deployment,replicaset,statefulset,daemonset,job,garbagecollector,namespace,serviceaccount",
            *self._controller_manager_ports(),
        )  # fmt: skip

    def start_api_server(self) -> None:
        key = self._folder / "sa.key"
        self._spawn(
            "kube-apiserver", f"--etcd-servers={self._etcd}", f"--secure-port={self._port}",
            "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", f"--cert-dir={self._folder}/certs",
            f"--token-auth-file={self._folder}/tokens", "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.0.0.0/16", "--service-account-issuer=https://tests",
            f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}",
            "--disable-admission-plugins=ServiceAccount",
        )  # fmt: skip
        self._wait_until_ready()

    def kill_api_server(self) -> None:
        self._end("kube-apiserver", kill=True)

    def stop(self) -> None:
        for name in list(reversed(self._processes)):
            self._end(name, kill=True)

    def kubeconfig_content(self) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": self.url, "insecure-skip-tls-verify": True}}],
            "users": [{"name": "test", "user": {"token": self._token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        }

    def _prepare(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        (self._folder / "sa.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
            )
        )
        (self._folder / "tokens").write_text(f'{self._token},admin,admin,"system:masters"\n')
        self.kubeconfig.write_text(yaml.safe_dump(self.kubeconfig_content()))

    def _controller_manager_ports(self) -> list[str]:
        version = subprocess.run(
            [self._executables / "kube-controller-manager", "--version"], capture_output=True, text=True, check=True
        ).stdout
        minor = int(version.split(".")[1])
        return [f"--secure-port={free_port()}", f"--cert-dir={self._folder}/cm-certs"] + (
            ["--port=0"] if minor < 24 else []
        )

    def _spawn(self, name: str, *arguments: str) -> None:
        log = (self._folder / f"{name}.log").open("ab")
        with log:
            self._processes[name] = subprocess.Popen(
                [str(self._executables / name), *arguments], stdout=log, stderr=log, cwd=self._folder
            )

    def _end(self, name: str, *, kill: bool) -> None:
        process = self._processes.pop(name, None)
        if process is None:
            return
        process.kill() if kill else process.terminate()
        process.wait(timeout=30)

    def _wait_until_ready(self, seconds: float = 60) -> None:
        context = create_default_context()
        context.check_hostname = False
        context.verify_mode = CERT_NONE
        request = urllib.request.Request(f"{self.url}/readyz", headers={"Authorization": f"Bearer {self._token}"})
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._processes["kube-apiserver"].poll() is not None:
                break
            with contextlib.suppress(OSError), urllib.request.urlopen(request, context=context, timeout=2) as answer:
                if answer.status == 200:
                    return
            time.sleep(0.1)
        raise RuntimeError((self._folder / "kube-apiserver.log").read_text()[-2000:])


@contextlib.contextmanager
def control_plane() -> Iterator[ControlPlane]:
    """Start a control plane, wait until it is ready, and end it afterwards."""
    executables = assets()
    if executables is None:
        raise RuntimeError("KUBEBUILDER_ASSETS is not set")
    with tempfile.TemporaryDirectory(prefix="control-plane-") as folder:
        plane = ControlPlane(Path(folder), executables)
        try:
            plane.start()
            yield plane
        finally:
            plane.stop()
