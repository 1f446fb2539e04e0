from __future__ import annotations

import http.client
import secrets
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from subprocess import PIPE
from urllib.parse import urlsplit

import pytest
import requests

from deployer.model import ForgeKind
from deployer.sandbox.forge import Invalid, NotFound, NotMergeable, SandboxForge
from tests.control_plane import free_port
from tests.sandbox.forge.conftest import SHOP, TOOLS


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "", "192.0.2.1", "example.com", "127.0.0.1.example.com", "localhost."]
)
def test_it_listens_on_loopback_only(tmp_path: Path, host: str) -> None:
    with pytest.raises(ValueError, match="loopback only"):
        SandboxForge(tmp_path, host=host)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_every_name_of_loopback_will_do(tmp_path: Path, host: str) -> None:
    if host == "::1" and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    with SandboxForge(tmp_path, host=host) as forge:
        assert requests.get(forge.url, timeout=5).status_code == 200


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.parametrize("host", ["evil.example.com", "127.0.0.1.example.com", "169.254.169.254", "", "[", "a b"])
@pytest.mark.parametrize("path", ["/", "/api/v3/user", "/api/v4/user"])
def test_a_name_that_was_rebound_to_this_machine_is_refused(quiet_forge: SandboxForge, host: str, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(quiet_forge.url).port, timeout=5)
    connection.putrequest("GET", path, skip_host=True)
    for name, value in (("Host", host), ("Authorization", f"Bearer {quiet_forge.token}")):
        connection.putheader(name, value)
    connection.endheaders()
    with connection.getresponse() as answer:
        assert answer.status == 400
    connection.close()


def test_tokens_are_made_anew(tmp_path: Path, quiet_forge: SandboxForge) -> None:
    with SandboxForge(tmp_path / "other") as other:
        assert len(other.token) >= 32
        assert other.token != quiet_forge.token


def test_the_urls_are_those_of_each_kind(quiet_forge: SandboxForge) -> None:
    assert quiet_forge.api_url(ForgeKind.GITHUB) == f"{quiet_forge.url}/api/v3"
    assert quiet_forge.api_url(ForgeKind.GITLAB) == quiet_forge.url
    assert quiet_forge.clone_url(TOOLS).startswith("file:///")
    assert quiet_forge.clone_url(TOOLS).endswith(f"/{TOOLS}.git")


def test_a_stopped_forge_is_gone(tmp_path: Path) -> None:
    with SandboxForge(tmp_path) as forge:
        pass
    with pytest.raises(requests.ConnectionError):
        requests.get(forge.url, timeout=5)
    forge.stop()


def test_a_process_serves_in_the_foreground_until_it_is_interrupted(tmp_path: Path) -> None:
    port = free_port()
    program = f"""
import pathlib
from deployer.sandbox.forge import SandboxForge
forge = SandboxForge(pathlib.Path({str(tmp_path)!r}), port={port})
print(forge.url, flush=True)
forge.serve_forever()
"""
    with subprocess.Popen([sys.executable, "-W", "error", "-c", program], stdout=PIPE, stderr=PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == f"http://127.0.0.1:{port}"
        assert requests.get(f"http://127.0.0.1:{port}/", timeout=5).status_code == 200
        child.send_signal(signal.SIGINT)
        assert child.communicate(timeout=10) == ("", "")
    assert child.returncode == 0


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("shop", ForgeKind.GITHUB),
        ("a/b/c", ForgeKind.GITHUB),
        ("shop", ForgeKind.GITLAB),
        (SHOP, ForgeKind.GITHUB),
        ("../shop", ForgeKind.GITHUB),
        ("acme/..", ForgeKind.GITHUB),
        ("/acme/x", ForgeKind.GITHUB),
        ("acme/x.git", ForgeKind.GITHUB),
        ("api/v3", ForgeKind.GITHUB),
        ("acme/pull/1", ForgeKind.GITLAB),
        ("acme/a b", ForgeKind.GITHUB),
        ("acme/-x", ForgeKind.GITHUB),
        ("acme/x\n", ForgeKind.GITHUB),
    ],
)
def test_a_name_that_is_none_is_refused(quiet_forge: SandboxForge, name: str, kind: ForgeKind) -> None:
    with pytest.raises(Invalid, match="name"):
        quiet_forge.create_repository(name, {"a": "a"}, kind=kind)


def test_a_repository_begins_with_a_commit(quiet_forge: SandboxForge) -> None:
    with pytest.raises(Invalid, match="begins with a commit"):
        quiet_forge.create_repository("acme/empty", {})


def test_a_repository_is_made_from_a_folder(forge: SandboxForge, tmp_path: Path) -> None:
    (tmp_path / "source/deep").mkdir(parents=True)
    (tmp_path / "source/deep/file").write_text("x")
    commit = forge.create_repository("acme/folder", tmp_path / "source", branch="trunk")
    assert forge.tip("acme/folder", "trunk") == commit


def test_a_branch_that_is_there_is_not_proposed_again(forge: SandboxForge) -> None:
    forge.open_pull_request(SHOP, "x", branch="x", changes={"x": "x"}, author="ada")
    with pytest.raises(Invalid, match="there already"):
        forge.open_pull_request(SHOP, "x", branch="x", changes={"x": "y"}, author="ada")
    with pytest.raises(Invalid, match="there already"):
        forge.open_pull_request(SHOP, "x", branch="main", changes={"x": "y"}, author="ada")


def test_what_is_not_there_is_not_found(quiet_forge: SandboxForge) -> None:
    with pytest.raises(NotFound, match="acme/none"):
        quiet_forge.clone_url("acme/none")
    with pytest.raises(NotFound, match="no pull request 1"):
        quiet_forge.merge(SHOP, 1)


def test_of_many_who_merge_at_once_one_does(forge: SandboxForge) -> None:
    forge.open_pull_request(SHOP, "x", branch="x", changes={"x": "x"}, author="ada")
    outcomes: list[str] = []

    def merge() -> None:
        try:
            outcomes.append(forge.merge(SHOP, 1).commit)
        except NotMergeable:
            outcomes.append("refused")

    threads = [threading.Thread(target=merge) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes, key=len) == ["refused"] * 5 + [forge.tip(SHOP)]


def test_pages_and_statuses_while_people_merge(forge: SandboxForge) -> None:
    for number in range(6):
        forge.open_pull_request(SHOP, "x", branch=f"x{number}", changes={f"x{number}": "x"}, author="ada")
    answers: list[int] = []

    def look() -> None:
        for path in ("/", f"/{SHOP}", f"/{SHOP}/pull/1") * 3:
            answers.append(requests.get(forge.url + path, timeout=20).status_code)

    def post() -> None:
        url = f"{forge.api_url(ForgeKind.GITHUB)}/repos/{SHOP}/statuses/{forge.tip(SHOP)}"
        headers = {"Authorization": f"Bearer {forge.token}"}
        for _ in range(9):
            answers.append(requests.post(url, headers=headers, json={"state": "success"}, timeout=20).status_code)

    threads = [threading.Thread(target=one) for one in (look, look, post, post)]
    for thread in threads:
        thread.start()
    for number in range(6):
        forge.merge(SHOP, number + 1)
    for thread in threads:
        thread.join()
    assert set(answers) == {200, 201}
    assert len(answers) == 36


def test_the_token_is_in_nothing_that_is_shown(forge: SandboxForge) -> None:
    forge.add_webhook(SHOP, "http://127.0.0.1:1/", secret=(secret := secrets.token_hex(8)))
    assert forge.settle()
    shown = "".join(requests.get(forge.url + path, timeout=5).text for path in ("/", f"/{SHOP}"))
    assert forge.token not in shown
    assert secret not in shown
