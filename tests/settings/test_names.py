"""What names may look like."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployer.model import EnvironmentKey
from deployer.settings import names
from tests.settings.conftest import Complain, Content, environment

BRANCHES = [
    "main", "release/1.10", "a", "feature/x-y_z", "é", "a.b", "a@b", "@a", "{", "a@", "-", "-x", "--upload-pack=x", "",
    "@", "HEAD", "/a", "a/", "a//b", "a..b", ".a", "a/.b", "a.", "a.lock", "a.lock/b", "a.lockb", "a b", "a~b", "a^",
    "a:b", "a?", "a*", "a[", "a\\b", "a@{b", "a\x01", "a\x7f", "a\n",
]  # fmt: skip


def git_allows(branch: str) -> bool:
    """Ask git itself; `--branch` would resolve `@{-1}`, so the full name is asked for, and the dash by hand."""
    told = subprocess.run(["git", "check-ref-format", f"refs/heads/{branch}"], check=False)
    return told.returncode == 0 and not branch.startswith("-") and branch not in ("", "HEAD", "@")


def allowed(branch: str) -> bool:
    try:
        return names._branch(branch) == branch
    except ValueError:
        return False


@pytest.mark.parametrize("branch", BRANCHES)
def test_a_branch_is_what_git_allows(branch: str) -> None:
    assert allowed(branch) is git_allows(branch)


@given(st.text(alphabet="a./-@{~ \\:lock", min_size=1, max_size=8))
def test_no_branch_is_allowed_that_git_refuses(branch: str) -> None:
    components = branch.split("/")
    refused = (
        branch.startswith("-")
        or ".." in branch
        or "@{" in branch
        or branch == "@"
        or branch.endswith(".")
        or any(not part or part.startswith(".") or part.endswith(".lock") for part in components)
        or any(sign in branch for sign in "~ \\:")
    )
    assert allowed(branch) is not refused


def test_a_branch_is_named_without_refs_heads(complain: Complain, content: Content) -> None:
    content["repositories"][0]["branch"] = "refs/heads/main"
    assert complain(content) == ("repositories[0].branch: expected the name of a branch alone, without refs/heads/",)


@pytest.mark.parametrize("name", ["a/b", "Acme/Shop.web_2", "acme/.github", "a/b/c/d", "_x/y", "a/" + "b" * 178])
def test_a_repository_has_the_name_that_its_forge_gives(name: str, complain: Complain, content: Content) -> None:
    content["repositories"][0].update(name=name, forge="gitlab")
    assert complain(content) == ()
    assert len(EnvironmentKey("x", name, "e" * 63).inventory) <= 253


@pytest.mark.parametrize(
    "name",
    [
        "shop", "", "/acme/shop", "acme/shop/", "acme//shop", "acme/..", "../shop", "acme/.", "-acme/shop",
        "acme/-shop",
        "acme/shop.git", "acme/shop.GIT", "acme/.git", "acme/sh op", "acme/shop\n", "acme/shöp", "acme/shop?x",
        "acme/%2e",
        "https://github.com/acme/shop", "git@github.com:acme/shop", "acme\\shop", "acme/\x00", "_/_", "a/" + "b" * 179,
    ],
)  # fmt: skip
def test_a_repository_name_that_could_lead_elsewhere_is_refused(
    name: str, complain: Complain, content: Content
) -> None:
    content["repositories"][0].update(name=name, forge="gitlab")
    (mistake,) = complain(content)
    assert mistake.startswith("repositories[0].name: ")


@pytest.mark.parametrize("name", ["a", "0", "a-b", "1a", "x" * 63])
def test_names_are_dns_labels(name: str, complain: Complain, content: Content) -> None:
    content["clusters"][name] = {"in_cluster": True}
    content["repositories"][0]["environments"] = {name: environment(content) | {"cluster": name, "namespace": name}}
    assert complain(content) == ()


@pytest.mark.parametrize("name", ["", "A", "-a", "a-", "a.b", "a_b", "a/b", "..", "a b", "é", "x" * 64, "a\n", "[key]"])
@pytest.mark.parametrize("section", ["forges", "clusters", "environments"])
def test_names_that_are_no_dns_labels_are_refused(
    section: str, name: str, complain: Complain, content: Content
) -> None:
    named = content["repositories"][0]["environments"] if section == "environments" else content[section]
    named[name] = next(iter(named.values())) | ({"namespace": "other"} if section == "environments" else {})
    (mistake,) = complain(content)
    assert mistake.endswith(': expected up to 63 of a-z, 0-9 and "-", with a letter or digit at both ends')


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (".", "."),
        ("./", "."),
        ("a", "a"),
        ("a/b/", "a/b"),
        ("./a//./b", "a/b"),
        ("a b/ü", "a b/ü"),
        ("..a/b..", "..a/b.."),
    ],
)
def test_an_overlay_is_a_folder_of_the_repository(written: str, kept: str) -> None:
    assert names._overlay(written) == kept


@pytest.mark.parametrize(
    "written", ["", " ", "/", "/a", "..", "a/../b", "../a", "a/..", "~/a", "-a", "a\\b", "a\x00", "a\n"]
)
def test_an_overlay_outside_of_the_repository_is_refused(written: str, complain: Complain, content: Content) -> None:
    environment(content)["overlay"] = written
    (mistake,) = complain(content)
    assert mistake.startswith("repositories[0].environments.staging.overlay: ")
