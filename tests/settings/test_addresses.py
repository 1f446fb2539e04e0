"""What addresses may look like."""

from __future__ import annotations

import pytest

from deployer.settings.addresses import _api, _clone, _http, _remote


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("https://deployer.example.com", "https://deployer.example.com"),
        ("https://deployer.example.com/", "https://deployer.example.com"),
        ("http://127.0.0.1:8000/deployer//", "http://127.0.0.1:8000/deployer"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("http://localhost", "http://localhost"),
    ],
)
def test_an_address_ends_without_a_slash(written: str, kept: str) -> None:
    assert _http(written) == kept


@pytest.mark.parametrize(
    "written",
    [
        "", "deployer.example.com", "//deployer.example.com", "ftp://a", "https://", "https:///a", "https:a", "HTTPS://a",
        "https://a b", "https://a\n", "https://a\tb", "https://a?b", "https://a#b", "https://u@a", "https://u:p@a", "https://@a",
        "https://a:x", "https://a:99999", "https://[a", "https://[::g]", "https://-a", "https://a\\@b", "https://<a>",
        "javascript:alert(1)", "https://é.example.com", "https://%61/", "https://a\x00", "-https://a",
    ],
)  # fmt: skip
def test_what_is_no_plain_address_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"expected|credentials") as caught:
        _http(written)
    assert caught.value.__cause__ is None


def test_the_address_of_a_gitlab_is_that_of_the_site() -> None:
    with pytest.raises(ValueError, match="without /api/v4"):
        _api("https://gitlab.example.com/api/v4/")


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/{repository}.git",
        "http://127.0.0.1:3000/{repository}",
        "https://[::1]/git/{repository}.git",
        "ssh://git@github.com/{repository}.git",
        "ssh://git@git.example.com:2222/{repository}.git",
        "ssh://git.example.com/~git/{repository}",
        "file:///srv/git/{repository}.git",
        "file:///srv/my git/{repository}.git",
        "git@github.com:{repository}.git",
        "git.example.com:/srv/{repository}.git",
        "git@[::1]:{repository}.git",
    ],
)
def test_git_may_fetch_from(url: str) -> None:
    assert _clone(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/acme/shop.git", "https://github.com/{repository}/{repository}", "https://github.com/{owner}/{repository}",
        "https://github.com/{repository", "https://{repository}/a", "https://github.com?r={repository}", "https://a/{repository}#b",
        "ext::sh -c touch% /tmp/x {repository}", "ext::{repository}", "ext::sh{repository}", "fd::17/{repository}",
        "git::https://a/{repository}", "https::https://a/{repository}", "git://a/{repository}", "ftp://a/{repository}",
        "git+ssh://a/{repository}", "HTTPS://a/{repository}", "--upload-pack=x {repository}", "-a:{repository}",
        "-{repository}",
        "-u@a:{repository}", "ssh://-oProxyCommand=x/{repository}",
        "ssh://%2doProxyCommand=x/{repository}", "a@-b:{repository}",
        "https://user:pass@a/{repository}", "https://token@a/{repository}", "ssh://git:pass@a/{repository}",
        "user:pass@a:{repository}", "file://host/{repository}", "file://u:p@host/{repository}",
        "/srv/git/{repository}.git",
        "./{repository}", "{repository}", "https:/a/{repository}", "file:/a/{repository}", "git@a:b c/{repository}",
        "git@a:{repository}\n", "https://a/{repository}\x00", "https:///{repository}", "ssh:///{repository}", "",
        "https://a:x/{repository}", "https://[a/{repository}",
    ],
)  # fmt: skip
def test_git_may_not_fetch_from(url: str) -> None:
    with pytest.raises(ValueError, match=r"expected|credentials") as caught:
        _clone(url)
    assert "pass" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("https://github.com/acme/bases", "https://github.com/acme/bases"),
        ("https://GitHub.com/Acme/Bases//", "https://github.com/Acme/Bases"),
        ("https://charts.example.com", "https://charts.example.com"),
        ("https://charts.example.com/", "https://charts.example.com"),
        ("http://127.0.0.1:8080/charts", "http://127.0.0.1:8080/charts"),
        ("http://[::1]:8080/charts", "http://[::1]:8080/charts"),
        ("oci://registry.example.com/charts", "oci://registry.example.com/charts"),
        ("ssh://git@Git.example.com:2222/acme", "ssh://git@git.example.com:2222/acme"),
        ("git@github.com:acme/bases.git", "ssh://git@github.com/acme/bases.git"),
        ("Git@GitHub.com:/acme", "ssh://Git@github.com/acme"),
        ("git@[::1]:acme", "ssh://git@[::1]/acme"),
    ],
)
def test_a_remote_place_has_one_spelling(written: str, kept: str) -> None:
    assert _remote(written) == kept
    assert _remote(kept) == kept


@pytest.mark.parametrize(
    "written",
    [
        "", "github.com/acme/bases", "//github.com/acme", "https://", "https:///acme", "https:a",
        "HTTPS://a", "file:///srv/git", "git://a/b", "git::https://a/b", "git::git@a:b", "ext::sh",
        "ftp://a", "gh:acme/bases/../x", "./bases", "../bases", "-ua@b:c", "https://*.example.com",
        "https://a/*", "git@a:*", "https://u@a/b", "https://u:pass@a/b", "ssh://git:pass@a/b", "u:pass@a:b",
        "https://a/b?ref=main", "https://a/b#c", "https://a/b//c", "https://a/../b", "https://a/./b",
        "https://a/%2e%2e/b", "https://a b", "https://a\n", "https://a/b\\c", "https://a:x/b",
        "https://-a/b", "https://[a/b", "ssh://-oProxyCommand=x/a", "oci://u:pass@a/b",
        "javascript:alert(1)?",
    ],
)  # fmt: skip
def test_what_is_no_remote_place_is_refused_and_not_shown(written: str) -> None:
    with pytest.raises(ValueError, match=r"expected|credentials") as caught:
        _remote(written)
    assert "pass" not in str(caught.value)
    assert caught.value.__cause__ is None
