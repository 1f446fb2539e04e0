"""What git may execute, whom it talks to, and who sees a credential: real git, real HTTP, and loggers on the way."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from deployer.model import Failure, Permanent, Temporary
from deployer.process import ProgramFailed
from deployer.source.git import Address
from deployer.source.mirror import Credential, Mirror, remote_tip
from deployer.source.remote import Remote
from tests import repositories
from tests.source.git_server import git_server


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = repositories.create(tmp_path_factory.mktemp("template"))
    repositories.commit(folder, {"a.yaml": "a: 1\n"})
    return folder


@pytest.fixture
def shop(tmp_path: Path, template: Path) -> Path:
    return shutil.copytree(template, tmp_path / "srv" / "shop")


@pytest.fixture
def credential() -> Credential:
    return Credential("x-access-token", secrets.token_hex(20))


def program(folder: Path, name: str, script: str) -> None:
    """Put a program first on the PATH."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def traced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """Every command line of git and of all that it starts, as git's own trace has it."""
    log = tmp_path / "trace"
    program(
        tmp_path / "bin", "git",
        f'for each in "$0" "$@"; do echo "$each" >> {log}; done\nGIT_TRACE={log} exec {shutil.which("git")} "$@"',
    )  # fmt: skip
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return log.read_text


def test_a_token_arrives_at_the_forge_and_nowhere_else(
    tmp_path: Path, shop: Path, credential: Credential, traced: Callable[[], str]
) -> None:
    with git_server(shop.parent, username=credential.username, password=credential.password) as server:
        url = f"{server.url}/shop"
        mirror = Mirror(tmp_path / "data" / "m.git", url, credential=credential)
        assert mirror.fetch("main") == repositories.tip(shop)
        new = repositories.commit(shop, {"a.yaml": "a: 2\n"})
        assert mirror.fetch("main") == new
        assert remote_tip(url, "main", credential) == new
        assert server.expected in server.authorizations
        assert set(server.authorizations) == {None, server.expected}
    assert "run_command" in traced()
    assert "remote-http" in traced()
    hidden = [credential.password, *credential.secrets]
    written = [path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert not [secret for secret in hidden if secret in traced() or any(secret.encode() in text for text in written)]


def test_a_token_that_contains_what_a_shell_would_read_arrives_as_it_is(tmp_path: Path, shop: Path) -> None:
    odd = Credential("us er%s", r"""p'"$(touch pwned)`touch pwned`\n%s%n =;&""")
    with git_server(shop.parent, username=odd.username, password=odd.password) as server:
        assert remote_tip(f"{server.url}/shop", "main", odd) == repositories.tip(shop)


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_are_no_matter_of_time(
    tmp_path: Path, shop: Path, credential: Credential, status: int
) -> None:
    with git_server(shop.parent, username=credential.username, password=secrets.token_hex()) as server:
        server.status = status if status != 401 else None
        for given in (credential, None):
            mirror = Mirror(tmp_path / "m.git", f"{server.url}/shop", credential=given)
            with pytest.raises(Permanent, match="credentials were refused: check the forge's `token`") as caught:
                mirror.fetch("main")
            assert credential.password not in str(caught.value)


def test_a_repository_that_the_forge_does_not_show_says_where_to_look(tmp_path: Path, shop: Path) -> None:
    with git_server(shop.parent) as server:
        server.status = 404
        with pytest.raises(Permanent, match="no such repository, or the token may not see it"):
            Mirror(tmp_path / "m.git", f"{server.url}/shop").fetch("main")


@pytest.mark.parametrize("status", [429, 503])
def test_a_forge_in_trouble_is_tried_again(tmp_path: Path, shop: Path, status: int) -> None:
    with git_server(shop.parent) as server:
        server.status = status
        with pytest.raises(Temporary, match=f"asking {server.url}/shop.*{status}"):
            Mirror(tmp_path / "m.git", f"{server.url}/shop").fetch("main")


def test_a_forge_that_is_not_there_is_tried_again(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/shop"
        with pytest.raises(Temporary, match="could not be reached"):
            Mirror(tmp_path / "m.git", url).fetch("main")


def test_a_forge_that_never_answers_is_left_after_the_time_given(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/shop"
        with pytest.raises(Temporary, match=f"{url}.*: no end after 0.3 s"):
            Mirror(tmp_path / "m.git", url, seconds=0.3).fetch("main")


def test_a_redirect_is_not_followed(tmp_path: Path, shop: Path, credential: Credential) -> None:
    with git_server(shop.parent) as elsewhere, git_server(shop.parent) as server:
        server.redirect = elsewhere.url
        with pytest.raises(Permanent, match="answers with a redirect"):
            Mirror(tmp_path / "m.git", f"{server.url}/shop", credential=credential).fetch("main")
        assert server.authorizations
        assert elsewhere.authorizations == []


def test_configuration_and_netrc_of_the_user_are_not_read(
    tmp_path: Path, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, token = tmp_path / "home", secrets.token_hex()
    (home / ".config" / "git").mkdir(parents=True)
    configuration = f'[credential]\n\thelper = "!touch {tmp_path}/helped; echo password={token}; echo username=u #"\n'
    (home / ".gitconfig").write_text(configuration + "[core]\n\taskPass = /bin/false\n")
    (home / ".config" / "git" / "config").write_text(configuration)
    (home / ".netrc").write_text(f"machine 127.0.0.1 login u password {token}\n")
    program(tmp_path / "bin", "ask", f"touch {tmp_path}/asked; echo x")
    monkeypatch.setenv("HOME", str(home))
    for name in ("GIT_ASKPASS", "SSH_ASKPASS"):
        monkeypatch.setenv(name, str(tmp_path / "bin" / "ask"))
    with git_server(shop.parent, username="u", password=token) as server:
        with pytest.raises(Permanent, match="credentials were refused"):
            Mirror(tmp_path / "m.git", f"{server.url}/shop").fetch("main")
        assert set(server.authorizations) == {None}
    assert not (tmp_path / "helped").exists()
    assert not (tmp_path / "asked").exists()


def test_hooks_and_helpers_in_the_mirror_do_not_run(tmp_path: Path, shop: Path) -> None:
    mirror = Mirror(tmp_path / "m.git", repositories.url(shop))
    mirror.fetch("main")
    for hook in ("reference-transaction", "post-update", "update", "pre-auto-gc"):
        program(tmp_path / "m.git" / "hooks", hook, f"touch {tmp_path}/hooked")
    repositories.git(tmp_path / "m.git", "config", "core.fsmonitor", f"touch {tmp_path}/hooked")
    new = repositories.commit(shop, {"a.yaml": "a: 2\n"})
    assert mirror.fetch("main") == new
    assert not (tmp_path / "hooked").exists()


@pytest.mark.parametrize("url", ["ext::sh -c touch% {}", "fd::0", "git://127.0.0.1/x", "ftp://127.0.0.1/x"])
def test_git_itself_refuses_what_the_address_check_would_have_refused(tmp_path: Path, url: str) -> None:
    remote = Remote(Address(url.format(tmp_path / "pwned"), "https", ""), None, 10)
    with pytest.raises(ProgramFailed, match="not allowed"):
        remote.git("ls-remote", "--end-of-options", remote.address.url)
    assert not (tmp_path / "pwned").exists()


def test_an_address_cannot_be_rewritten_to_a_command(tmp_path: Path, shop: Path) -> None:
    mirror = Mirror(tmp_path / "m.git", repositories.url(shop))
    mirror.fetch("main")
    command = f"url.ext::sh -c touch% {tmp_path}/pwned% .insteadOf"
    repositories.git(tmp_path / "m.git", "config", command, repositories.url(shop))
    assert mirror.fetch("main") == repositories.tip(shop)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("url", ["ext::sh -c touch% x", "--upload-pack=touch x", "/srv/x", "git://h/x"])
def test_a_mirror_of_a_refused_address_is_not_made(tmp_path: Path, url: str) -> None:
    with pytest.raises(Permanent, match="`clone_url`"):
        Mirror(tmp_path / "m.git", url)
    with pytest.raises(Permanent, match="`clone_url`"):
        remote_tip(url, "main")


@pytest.mark.parametrize("branch", ["--upload-pack=touch x", "-x", "a:refs/heads/b", "*"])
def test_a_branch_that_would_be_an_option_or_a_pattern_is_refused(tmp_path: Path, shop: Path, branch: str) -> None:
    mirror = Mirror(tmp_path / "m.git", repositories.url(shop))
    for use in (
        lambda: mirror.fetch(branch),
        lambda: mirror.verify("a" * 40, branch=branch),
        lambda: mirror.tip(branch),
        lambda: remote_tip(repositories.url(shop), branch),
    ):
        with pytest.raises(Permanent, match="not the name of a branch"):
            use()
    assert not (tmp_path / "m.git").exists()


@pytest.mark.parametrize(
    ("said", "kind", "advice"),
    [
        ("git@host: Permission denied (publickey).", Permanent, "the ssh key was refused"),
        ("Host key verification failed.", Permanent, "known_hosts"),
        ("ERROR: Repository not found.", Permanent, "no such repository"),
        ("ssh: Could not resolve hostname host: Name or service not known", Temporary, "could not be reached"),
        ("ssh: connect to host host port 22: Connection timed out", Temporary, "could not be reached"),
    ],
)
def test_ssh_asks_nobody_and_trusts_known_hosts_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, kind: type[Failure], advice: str
) -> None:
    program(tmp_path / "bin", "ssh", f'echo "$@" > {tmp_path}/argv; echo "{said}" >&2; exit 255')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    for url in ("git@host.invalid:acme/shop.git", "ssh://git@host.invalid/acme/shop.git"):
        with pytest.raises(kind, match=advice) as caught:
            remote_tip(url, "main")
        assert said.rstrip(".") in caught.value.message
        assert "Please make sure" not in caught.value.message
        assert "BatchMode=yes -o StrictHostKeyChecking=yes" in (tmp_path / "argv").read_text()
        assert "git@host.invalid git-upload-pack" in (tmp_path / "argv").read_text()


def test_no_git_at_all_is_said(tmp_path: Path, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Temporary, match="is git installed"):
        Mirror(tmp_path / "m.git", repositories.url(shop)).fetch("main")


def test_a_proxy_with_a_password_is_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    password = secrets.token_hex()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("http_proxy", f"http://u:{password}@127.0.0.1:{free.getsockname()[1]}")
        monkeypatch.delenv("no_proxy", raising=False)
        with pytest.raises(Temporary) as caught:
            remote_tip("http://git.invalid/shop", "main")
    assert password not in str(caught.value)
