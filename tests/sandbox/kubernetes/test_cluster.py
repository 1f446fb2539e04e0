"""The sandbox cluster as a server: who may reach it, how it starts and ends."""

from __future__ import annotations

import http.client
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml

from deployer.sandbox.kubernetes import SandboxCluster
from deployer.sandbox.kubernetes.server import MAX_BODY
from tests.sandbox.kubernetes.client import Client
from tests.sandbox.kubernetes.objects import config_map


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.1", "example.com", ""])
def test_it_listens_on_loopback_only(host: str) -> None:
    with pytest.raises(ValueError, match="loopback only"):
        SandboxCluster("tests", host=host)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.2"])
def test_any_loopback_address_will_do(host: str, tmp_path: Path) -> None:
    with SandboxCluster("tests", host=host) as cluster:
        client = _client(cluster, tmp_path)
        assert client.get("/readyz").status == 200
        client.close()


def _client(cluster: SandboxCluster, folder: Path) -> Client:
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(cluster.kubeconfig()))
    return Client(path)


@pytest.mark.parametrize("token", ["", "Bearer", "Bearer wrong", "Basic YTpi", "Bearer \xe9"])
def test_a_request_without_the_token_is_refused(sandbox: Client, token: str) -> None:
    answer = sandbox.request("GET", "/api/v1/secrets", Authorization=token)
    assert (answer.status, answer.reason) == (401, "Unauthorized")
    assert sandbox.request("POST", "/api/v1/namespaces", {}, Authorization=token).status == 401


def test_each_cluster_has_its_own_token() -> None:
    tokens = set()
    for _ in range(2):
        with SandboxCluster("tests") as cluster:
            tokens.add(cluster.kubeconfig()["users"][0]["user"]["token"])
    assert len(tokens) == 2


def test_clients_without_its_certificate_do_not_trust_it(sandbox: Client) -> None:
    connection = http.client.HTTPSConnection(
        str(sandbox.url.hostname), sandbox.url.port, context=ssl.create_default_context(), timeout=5
    )
    with pytest.raises(ssl.SSLCertVerificationError):
        connection.request("GET", "/version")
    connection.close()


def test_one_connection_serves_many_requests(sandbox: Client) -> None:
    path = f"/api/v1/namespaces/{sandbox.make_namespace()}/configmaps"
    started = time.monotonic()
    for number in range(200):
        assert sandbox.apply(f"{path}/c{number}", config_map(f"c{number}", data={"x": "1"})).status == 201
    assert time.monotonic() - started < 4


def test_a_body_that_is_too_large_is_refused(sandbox: Client) -> None:
    path = f"/api/v1/namespaces/{sandbox.make_namespace()}/configmaps/a"
    client = sandbox.connect()
    client.putrequest("POST", path)
    client.putheader("Authorization", f"Bearer {sandbox.token}")
    client.putheader("Content-Length", str(MAX_BODY + 1))
    client.endheaders()
    assert client.getresponse().status == 413
    client.close()


def test_a_body_may_come_in_chunks(sandbox: Client) -> None:
    path = f"/api/v1/namespaces/{sandbox.make_namespace()}/configmaps"
    client = sandbox.connect()
    headers = {"Authorization": f"Bearer {sandbox.token}", "Content-Type": "application/json"}
    parts = [b'{"metadata": ', b'{"name": "a"}}']
    client.request("POST", path, body=iter(parts), headers=headers, encode_chunked=True)
    assert client.getresponse().status == 201
    client.close()


def test_a_silent_client_delays_nobody(sandbox: Client) -> None:
    with socket.create_connection((sandbox.url.hostname, sandbox.url.port), timeout=5):
        started = time.monotonic()
        client = sandbox.connect()
        client.request("GET", "/readyz")
        assert client.getresponse().status == 200
        client.close()
        assert time.monotonic() - started < 2


def test_many_writers_lose_nothing(sandbox_kubeconfig: Path, sandbox: Client) -> None:
    path = f"/api/v1/namespaces/{sandbox.make_namespace()}/configmaps"
    sandbox.post(path, config_map())

    def write(thread: int) -> None:
        client = Client(sandbox_kubeconfig)
        for number in range(20):
            client.patch(f"{path}/a", {"data": {f"t{thread}-{number}": "x"}})
        client.close()

    threads = [threading.Thread(target=write, args=(thread,)) for thread in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sandbox.get(f"{path}/a").body["data"]) == 100


def test_it_stops_with_connections_open_and_watches_running(tmp_path: Path) -> None:
    cluster = SandboxCluster("tests")
    cluster.start()
    client = _client(cluster, tmp_path)
    client.get("/version")
    watching = client.watch("/api/v1/namespaces?watch=1")
    next(watching)
    started = time.monotonic()
    cluster.stop()
    assert time.monotonic() - started < 3
    watching.close()
    client.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((client.url.hostname, client.url.port), timeout=1).close()


def test_a_cluster_that_was_never_started_can_be_stopped() -> None:
    SandboxCluster("tests").stop()


def test_it_serves_in_the_foreground(tmp_path: Path) -> None:
    program = (
        "import sys, yaml; from pathlib import Path; from deployer.sandbox.kubernetes import SandboxCluster\n"
        "cluster = SandboxCluster('front'); Path(sys.argv[1]).write_text(yaml.safe_dump(cluster.kubeconfig()))\n"
        "print('ready', flush=True); cluster.serve_forever()"
    )
    path = tmp_path / "kubeconfig"
    with subprocess.Popen([sys.executable, "-c", program, path], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        client = Client(path)
        assert client.get("/version").status == 200
        client.close()
        process.terminate()
        process.wait(timeout=10)
