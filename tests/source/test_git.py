"""Which addresses and names git may see, and what it is given: pure."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import pytest

from deployer.model import Permanent
from deployer.source.git import Credential, arguments, check_branch, environment, parse_address

HTTPS = parse_address("https://git.example:8443/acme/shop.git")


@pytest.mark.parametrize(
    ("url", "scheme", "host"),
    [
        ("https://github.com/acme/shop.git", "https", "github.com"),
        ("http://127.0.0.1:3000/acme/shop", "http", "127.0.0.1:3000"),
        ("https://[::1]:8443/x", "https", "[::1]:8443"),
        ("ssh://git@host:2222/acme/shop.git", "ssh", "host:2222"),
        ("ssh://host/~/shop.git", "ssh", "host"),
        ("git@github.com:acme/shop.git", "ssh", "github.com"),
        ("host:/srv/shop.git", "ssh", "host"),
        ("file:///srv/git/my shop.git", "file", ""),
    ],
)
def test_the_protocol_of_an_address_is_the_only_one_allowed(url: str, scheme: str, host: str) -> None:
    address = parse_address(url)
    assert (address.url, address.scheme, address.host) == (url, scheme, host)
    assert environment(address, None, inherited={}, folder=None)["GIT_ALLOW_PROTOCOL"] == scheme


@pytest.mark.parametrize(
    "url",
    [
        "", "ext::sh -c touch% x", "fd::7", "EXT::sh", "https::x", "git://host/x", "ftp://host/x", "rsync://h/x",
        "git+ssh://host/x", "-oProxyCommand=x:y", "--upload-pack=touch x", "ssh://-oProxyCommand=x/y",
        "ssh://git@-oProxyCommand=x/y", "git@-host:x", "host:-x", "/srv/git/shop.git", "../shop", "shop", "file://host/x",
        "https:///x", "https://", "https://host", "https://host/x\n", "https://host/a b", "https://host/x\0y",
        "file:///x\ny", "git@host:x\ny", "ssh://user:pass@host/x", "https://user@host/x", " https://host/x",
    ],
)  # fmt: skip
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(Permanent, match="`clone_url` in the settings"):
        parse_address(url)


def test_a_token_in_an_address_is_refused_and_not_repeated() -> None:
    token = secrets.token_hex()
    for url in (f"https://{token}@host/x", f"https://oauth2:{token}@host/x", f"ssh://git:{token}@host/x"):
        with pytest.raises(Permanent, match="put the token under the forge's `token`") as caught:
            parse_address(url)
        assert token not in str(caught.value)


@pytest.mark.parametrize("name", ["main", "release/1.2", "feature-x", "a@b", "größe", "dependabot/npm/x_y-1.0"])
def test_branch_names_are_accepted(name: str) -> None:
    check_branch(name)


@pytest.mark.parametrize(
    "name",
    [
        "", "-x", "--upload-pack=x", "a b", "a:b", "*", "a*", "a?b", "a[b", "a..b", "a^", "a~1", "a\\b", "a\nb", "a\0",
        "@", "@{-1}", "a@{1}", "/a", "a/", "a//b", ".a", "a/.b", "a.", "a.lock", "a.lock/b", "\x7f",
    ],
)  # fmt: skip
def test_what_is_no_branch_name_is_refused(name: str) -> None:
    with pytest.raises(Permanent, match="not the name of a branch"):
        check_branch(name)


def test_nothing_is_inherited_but_what_is_listed() -> None:
    inherited = {
        "PATH": "/bin", "https_proxy": "http://proxy", "NO_PROXY": "x", "SSL_CERT_FILE": "/ca",
        "SSH_AUTH_SOCK": "/agent", "HOME": "/home/me", "GIT_DIR": "/evil", "GIT_SSH_COMMAND": "evil",
        "GIT_CONFIG_COUNT": "1", "GIT_TRACE": "1", "GIT_PROXY_COMMAND": "evil", "GIT_EXEC_PATH": "/evil",
        "LD_PRELOAD": "evil", "LC_ALL": "de_DE", "SECRET": "x",
    }  # fmt: skip
    given = environment(HTTPS, None, inherited=inherited, folder=Path("/m.git"))
    ours = environment(HTTPS, None, inherited={}, folder=Path("/m.git"))
    passed_on = {"PATH", "https_proxy", "NO_PROXY", "SSL_CERT_FILE", "SSH_AUTH_SOCK"}
    assert given == ours | {name: inherited[name] for name in passed_on}


def test_system_user_and_global_configuration_prompts_and_home_are_off() -> None:
    given = environment(HTTPS, None, inherited={}, folder=None)
    assert given["GIT_CONFIG_NOSYSTEM"] == "1"
    assert {given[name] for name in ("HOME", "XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL", "GIT_DIR")} == {os.devnull}
    assert (given["GIT_TERMINAL_PROMPT"], given["GIT_ASKPASS"]) == ("0", "")
    assert "BatchMode=yes" in given["GIT_SSH_COMMAND"]
    assert "StrictHostKeyChecking=yes" in given["GIT_SSH_COMMAND"]


def test_a_credential_is_never_an_argument_and_hidden_in_repr() -> None:
    credential = Credential("x-access-token", secrets.token_hex())
    assert credential.password not in " ".join(arguments(HTTPS, credential))
    assert credential.password not in repr(credential)
    assert "x-access-token" in repr(credential)
    given = environment(HTTPS, credential, inherited={}, folder=None)
    assert [name for name, value in given.items() if credential.password in value] == ["DEPLOYER_GIT_PASSWORD"]


def test_a_credential_is_scoped_to_the_host_of_the_address() -> None:
    given = arguments(HTTPS, Credential("u", "p"))
    assert [value.partition("=")[0] for value in given if "credential." in value] == [
        "credential.helper",
        "credential.https://git.example:8443.helper",
    ]


@pytest.mark.parametrize("url", ["git@host:x", "ssh://host/x", "file:///x"])
def test_a_credential_is_for_http_only(url: str) -> None:
    address, credential = parse_address(url), Credential("u", secrets.token_hex())
    assert arguments(address, credential) == arguments(address, None)
    assert environment(address, credential, inherited={}, folder=None) == environment(
        address, None, inherited={}, folder=None
    )


@pytest.mark.parametrize("spoiled", ["a\nhost=evil", "a\r", "a\0"])
def test_a_credential_that_would_break_the_protocol_is_refused_and_not_repeated(spoiled: str) -> None:
    for username, password in (("u", spoiled), (spoiled, "p")):
        with pytest.raises(Permanent, match="line break or a zero byte") as caught:
            Credential(username, password)
        assert spoiled not in str(caught.value)
