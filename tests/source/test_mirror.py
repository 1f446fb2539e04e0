"""Fetching, verifying and looking up, from real repositories."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from deployer.model import Permanent, Stage, Temporary
from deployer.source.mirror import Mirror, mirror_path, remote_tip
from tests import repositories

ABSENT = "f" * 40


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = repositories.create(tmp_path / "shop")
    repositories.commit(folder, {"a.yaml": "a: 1\n"}, "First")
    return folder


@pytest.fixture
def mirror(tmp_path: Path, shop: Path) -> Mirror:
    return Mirror(mirror_path(tmp_path / "data", repositories.url(shop)), repositories.url(shop))


def test_fetch_returns_the_tip_of_the_branch(shop: Path, mirror: Mirror) -> None:
    assert mirror.fetch("main") == repositories.tip(shop)


def test_fetch_again_without_anything_new_returns_the_same_tip(shop: Path, mirror: Mirror) -> None:
    assert mirror.fetch("main") == mirror.fetch("main") == repositories.tip(shop)


def test_fetch_brings_a_new_merge(shop: Path, mirror: Mirror) -> None:
    mirror.fetch("main")
    repositories.branch(shop, "feature")
    feature = repositories.commit(shop, {"b.yaml": "b: 1\n"})
    repositories.switch(shop, "main")
    merged = repositories.merge(shop, "feature")
    assert mirror.fetch("main") == merged
    mirror.verify(merged, branch="main")
    mirror.verify(feature, branch="main")


def test_fetch_follows_a_forced_push(shop: Path, mirror: Mirror) -> None:
    first = repositories.tip(shop)
    dropped = repositories.commit(shop, {"a.yaml": "a: 2\n"})
    mirror.fetch("main")
    repositories.rewind(shop, first)
    kept = repositories.commit(shop, {"a.yaml": "a: 3\n"})
    assert mirror.fetch("main") == mirror.tip("main") == kept
    with pytest.raises(Permanent, match="does not contain it"):
        mirror.verify(dropped, branch="main")


def test_fetch_brings_nothing_but_the_branch(tmp_path: Path, shop: Path, mirror: Mirror) -> None:
    repositories.branch(shop, "other")
    other = repositories.commit(shop, {"secret": "x"})
    repositories.git(shop, "tag", "v1", other)
    mirror.fetch("main")
    (folder,) = (tmp_path / "data" / "mirrors").glob("*.git")
    assert repositories.git(folder, "for-each-ref", "--format=%(refname)") == "refs/heads/main"
    with pytest.raises(Temporary):
        mirror.verify(other, branch="main")


def test_a_branch_that_took_the_place_of_a_folder_of_branches_is_fetched(shop: Path, mirror: Mirror) -> None:
    repositories.branch(shop, "release/1")
    mirror.fetch("release/1")
    repositories.switch(shop, "main")
    repositories.git(shop, "branch", "--delete", "release/1")
    repositories.branch(shop, "release")
    assert mirror.fetch("release") == repositories.tip(shop)


def test_a_branch_that_is_not_there_is_named(mirror: Mirror) -> None:
    with pytest.raises(Permanent, match=r"no branch 'missing'.*`branch` in the settings") as caught:
        mirror.fetch("missing")
    assert caught.value.stage is Stage.FETCH


def test_an_empty_repository_has_no_branch(tmp_path: Path) -> None:
    empty = repositories.create(tmp_path / "empty")
    with pytest.raises(Permanent, match="no branch 'main'"):
        Mirror(tmp_path / "m.git", repositories.url(empty)).fetch("main")


def test_a_repository_that_is_not_there_says_which_settings_to_look_at(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match=r"no such repository.*`name`.*`clone_url`"):
        Mirror(tmp_path / "m.git", repositories.url(tmp_path / "nothing")).fetch("main")


@pytest.mark.parametrize(
    "commit", ["main", "HEAD", "--upload-pack=touch x", "abc1234", "F" * 40, "f" * 41, "", "f" * 40 + "\n", "٣" * 40]
)
def test_only_a_full_hash_is_a_commit(tmp_path: Path, commit: str) -> None:
    mirror = Mirror(tmp_path / "m.git", "file:///nothing")
    for use in (
        lambda: mirror.verify(commit, branch="main"),
        lambda: mirror.write(mirror.snapshot(commit), [""], tmp_path / "out"),
        lambda: mirror.ensure(commit, branch="main"),
        lambda: mirror.contains(commit, ABSENT),
        lambda: mirror.contains(ABSENT, commit),
        lambda: mirror.commit_title(commit),
    ):
        with pytest.raises(Permanent, match="is not a commit"):
            use()
    assert list(tmp_path.iterdir()) == []


def test_a_commit_that_is_not_there_may_come_yet(mirror: Mirror) -> None:
    mirror.fetch("main")
    with pytest.raises(Temporary, match="may still be publishing"):
        mirror.verify(ABSENT, branch="main")


def test_a_commit_of_another_branch_in_the_same_mirror_is_refused(shop: Path, mirror: Mirror) -> None:
    repositories.branch(shop, "fork")
    foreign = repositories.commit(shop, {"a.yaml": "evil\n"})
    mirror.fetch("main")
    mirror.fetch("fork")
    mirror.verify(foreign, branch="fork")
    with pytest.raises(Permanent, match="branch 'main' does not contain it"):
        mirror.verify(foreign, branch="main")


@pytest.mark.parametrize("kind", ["tree", "blob"])
def test_the_hash_of_something_else_than_a_commit_is_refused(shop: Path, mirror: Mirror, kind: str) -> None:
    mirror.fetch("main")
    name = repositories.tip(shop, {"tree": "HEAD^{tree}", "blob": "HEAD:a.yaml"}[kind])
    with pytest.raises(Permanent, match=f"this is a {kind}, not a commit"):
        mirror.verify(name, branch="main")


def test_a_sha256_repository_works(tmp_path: Path) -> None:
    folder = repositories.create(tmp_path / "new", object_format="sha256")
    older = repositories.commit(folder, {"a": "1"})
    newer = repositories.commit(folder, {"a": "2"})
    mirror = Mirror(tmp_path / "m.git", repositories.url(folder))
    assert mirror.fetch("main") == newer
    assert len(newer) == 64
    mirror.verify(older, branch="main")
    mirror.write(mirror.snapshot(older), [""], tmp_path / "out")
    assert (tmp_path / "out" / "a").read_text() == "1"
    with pytest.raises(Permanent, match="abbreviates"):
        mirror.verify(newer[:40], branch="main")


def test_a_repository_that_is_replaced_by_one_of_another_object_format_is_followed(tmp_path: Path, shop: Path) -> None:
    mirror = Mirror(tmp_path / "m.git", repositories.url(shop))
    mirror.fetch("main")
    shutil.rmtree(shop)
    repositories.create(shop, object_format="sha256")
    made = repositories.commit(shop, {"a": "1"})
    assert mirror.fetch("main") == made


def test_a_commit_contains_itself_and_what_came_before_it(shop: Path, mirror: Mirror) -> None:
    first = repositories.tip(shop)
    second = repositories.commit(shop, {"a.yaml": "a: 2\n"})
    mirror.fetch("main")
    assert mirror.contains(second, first)
    assert mirror.contains(second, second)
    assert not mirror.contains(first, second)
    assert not mirror.contains(second, ABSENT)
    assert not mirror.contains(ABSENT, first)


def test_a_commit_is_fetched_when_it_is_needed(shop: Path, mirror: Mirror) -> None:
    first = repositories.tip(shop)
    mirror.ensure(first, branch="main")
    second = repositories.commit(shop, {"a.yaml": "a: 2\n"})
    mirror.ensure(first, branch="main")
    assert mirror.tip("main") == first
    mirror.ensure(second, branch="main")
    assert mirror.tip("main") == second
    with pytest.raises(Temporary, match="may still be publishing"):
        mirror.ensure(ABSENT, branch="main")


def test_a_commit_that_came_with_another_branch_is_accepted_once_it_is_merged(shop: Path, mirror: Mirror) -> None:
    repositories.branch(shop, "feature")
    feature = repositories.commit(shop, {"b.yaml": "b: 1\n"})
    mirror.fetch("main")
    mirror.fetch("feature")
    with pytest.raises(Permanent, match="does not contain it"):
        mirror.ensure(feature, branch="main")
    repositories.switch(shop, "main")
    repositories.merge(shop, "feature")
    mirror.ensure(feature, branch="main")


def test_a_commit_can_be_ensured_while_the_forge_is_away(shop: Path, mirror: Mirror) -> None:
    tip = mirror.fetch("main")
    shop.rename(shop.with_name("away"))
    mirror.ensure(tip, branch="main")


def test_the_title_is_the_first_line_of_the_message(shop: Path, mirror: Mirror) -> None:
    made = repositories.commit(shop, {}, "Raise the replicas – now\n\nBecause.")
    mirror.fetch("main")
    assert mirror.commit_title(made) == "Raise the replicas – now"
    with pytest.raises(Temporary):
        mirror.commit_title(ABSENT)


def test_the_tip_is_that_of_the_last_fetch(shop: Path, mirror: Mirror) -> None:
    fetched = mirror.fetch("main")
    repositories.commit(shop, {"a.yaml": "a: 2\n"})
    assert mirror.tip("main") == fetched
    with pytest.raises(Temporary, match="not fetched yet"):
        mirror.tip("other")


def test_the_remote_tip_is_asked_for_without_a_mirror(tmp_path: Path, shop: Path) -> None:
    repositories.branch(shop, "refs/heads/main")  # a branch whose name ends in the one that is asked for
    repositories.commit(shop, {"a.yaml": "evil\n"})
    assert remote_tip(repositories.url(shop), "main") == repositories.tip(shop, "refs/heads/main")
    with pytest.raises(Permanent, match="no branch 'gone'"):
        remote_tip(repositories.url(shop), "gone")


def test_mirror_paths_are_stable_readable_and_never_shared(tmp_path: Path) -> None:
    urls = ["https://a.example/x/y.git", "https://a.example/x-y.git", "https://a.example/x/Y.git", "git@a.example:x/y"]
    paths = [mirror_path(tmp_path, url) for url in urls]
    assert len(set(paths)) == len(urls)
    assert paths == [mirror_path(tmp_path, url) for url in urls]
    assert "a-example-x-y" in paths[0].name
    assert all(path.parent == tmp_path / "mirrors" for path in paths)
    assert len(mirror_path(tmp_path, "https://a.example/" + "x" * 5000).name) < 120
