"""Looking at a commit and its files in the mirror, without writing them anywhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from deployer import process
from deployer.model import Permanent, Temporary
from deployer.process import Completed
from deployer.source import objects
from deployer.source.mirror import Mirror
from deployer.source.snapshot import Kind
from tests import repositories


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = repositories.create(tmp_path / "shop")
    repositories.commit(folder, {"a": "1", "b/c": "2"})
    return folder


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    return tmp_path / "m.git"


@pytest.fixture
def mirror(shop: Path, bare: Path) -> Mirror:
    return Mirror(bare, repositories.url(shop))


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The git commands that are run from now on."""
    made: list[str] = []
    run = process.run

    def counted(argv: list[str], **rest: object) -> Completed:
        made.extend({"cat-file", "rev-list", "fetch"} & set(argv))
        return run(argv, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(process, "run", counted)
    return made


def forget(bare: Path, hash_: str) -> None:
    """Lose an object."""
    (bare / "objects" / hash_[:2] / hash_[2:]).unlink()


def test_a_commit_is_read_once(mirror: Mirror, shop: Path, runs: list[str]) -> None:
    commit = mirror.fetch("main")
    runs.clear()
    first = mirror.snapshot(commit)
    assert runs == ["rev-list", "cat-file"]
    assert mirror.snapshot(commit) is first
    newer = repositories.commit(shop, {"link": Path("a"), "other": Path("a")})
    mirror.fetch("main")
    runs.clear()
    assert mirror.snapshot(newer).follow("link").path == "a"
    assert runs == ["rev-list", "cat-file", "cat-file"]


def test_only_the_last_few_commits_are_kept(mirror: Mirror, shop: Path) -> None:
    commits = [repositories.commit(shop, {"a": str(number)}) for number in range(6)]
    mirror.fetch("main")
    kept = [mirror.snapshot(commit) for commit in commits]
    assert mirror.snapshot(commits[-1]) is kept[-1]
    assert mirror.snapshot(commits[0]) is not kept[0]
    assert mirror.snapshot(commits[0]).tree == kept[0].tree


def test_a_folder_has_the_same_hash_wherever_and_whenever_it_holds_the_same(mirror: Mirror, shop: Path) -> None:
    older = repositories.tip(shop)
    newer = repositories.commit(shop, {"a": "9", "copy/b/c": "2"})
    mirror.fetch("main")
    before, after = mirror.snapshot(older), mirror.snapshot(newer)
    assert before.get("b") == after.get("b") == after.get("copy/b")
    assert before.get("a") != after.get("a")
    assert before.tree != after.tree


def test_an_empty_commit_has_a_root(mirror: Mirror, shop: Path) -> None:
    empty = repositories.commit(shop, {"a": None, "b/c": None})
    mirror.fetch("main")
    snapshot = mirror.snapshot(empty)
    assert [path for path, _ in snapshot.walk("")] == [""]
    assert snapshot.children("") == ()


def test_a_submodule_is_neither_file_nor_folder(mirror: Mirror, shop: Path) -> None:
    repositories.git(shop, "update-index", "--add", "--cacheinfo", f"160000,{'e' * 40},sub")
    repositories.git(shop, "commit", "--quiet", "--message=x")
    snapshot = mirror.snapshot(mirror.fetch("main"))
    found = snapshot.get("sub")
    assert found is not None
    assert (found.kind, found.hash) == (Kind.SUBMODULE, "e" * 40)
    assert snapshot.children("sub") == ()
    assert snapshot.follow("sub/x").entry is None


def test_a_commit_that_is_not_there_may_come_yet(mirror: Mirror) -> None:
    mirror.fetch("main")
    with pytest.raises(Temporary, match=f"reading commit {'e' * 40}.* may still be publishing"):
        mirror.snapshot("e" * 40)


def test_a_commit_that_came_meanwhile_is_found(mirror: Mirror, shop: Path) -> None:
    mirror.fetch("main")
    newer = repositories.commit(shop, {"a": "2"})
    with pytest.raises(Temporary):
        mirror.snapshot(newer)
    mirror.fetch("main")
    assert mirror.snapshot(newer).get("a") is not None


@pytest.mark.parametrize(("name", "kind"), [("HEAD^{tree}", "tree"), ("HEAD:a", "blob")])
def test_something_else_than_a_commit_is_refused(mirror: Mirror, shop: Path, name: str, kind: str) -> None:
    mirror.fetch("main")
    with pytest.raises(Permanent, match=f"this is a {kind}, not a commit"):
        mirror.snapshot(repositories.tip(shop, name))


@pytest.mark.parametrize("lost", ["HEAD^{tree}", "HEAD:b", "HEAD:link"])
def test_a_lost_folder_or_link_is_fetched_again(mirror: Mirror, shop: Path, bare: Path, lost: str) -> None:
    repositories.commit(shop, {"link": Path("b")})
    commit = mirror.fetch("main")
    forget(bare, repositories.tip(shop, lost))
    assert mirror.snapshot(commit).follow("link/c").path == "b/c"


def spoil(path: Path) -> None:
    path.chmod(0o600)
    path.write_bytes(b"spoilt")


MOST = 1 << 20


def empty(path: Path) -> None:
    path.chmod(0o600)
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [Path.unlink, spoil, empty])
def test_a_lost_or_spoilt_file_is_fetched_again(
    mirror: Mirror, shop: Path, bare: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    commit = mirror.fetch("main")
    hash_ = repositories.tip(shop, "HEAD:b/c")
    damage(bare / "objects" / hash_[:2] / hash_[2:])
    assert mirror.texts([hash_], largest=MOST) == {hash_: b"2"}
    mirror = Mirror(tmp_path / "again.git", repositories.url(shop))
    mirror.fetch("main")
    damage(tmp_path / "again.git" / "objects" / hash_[:2] / hash_[2:])
    mirror.write(mirror.snapshot(commit), ["b/c"], tmp_path / "out")
    assert (tmp_path / "out" / "b" / "c").read_bytes() == b"2"


def test_files_are_read_together_each_once(mirror: Mirror, shop: Path, runs: list[str]) -> None:
    content = {"x": b"first\n", "y": b"", "z": bytes(range(256)) * 50, "w": b" missing\n"}
    repositories.commit(shop, content)
    mirror.fetch("main")
    hashes = {name: repositories.tip(shop, f"HEAD:{name}") for name in content}
    runs.clear()
    found = mirror.texts([*hashes.values(), hashes["x"]], largest=MOST)
    assert runs == ["cat-file"]
    assert found == {hashes[name]: text for name, text in content.items()}


def test_no_files_need_no_git_and_no_mirror(mirror: Mirror, runs: list[str]) -> None:
    assert mirror.texts([], largest=MOST) == {}
    assert runs == []


@pytest.mark.parametrize("size", [1001, 20 * process.MIB])
def test_files_that_are_too_large_are_left_out_and_the_mirror_stays(
    mirror: Mirror, shop: Path, bare: Path, size: int
) -> None:
    repositories.commit(shop, {"large": bytes(size)})
    mirror.fetch("main")
    before = bare.stat().st_ino
    hash_ = repositories.tip(shop, "HEAD:large")
    assert mirror.texts([hash_], largest=1000) == {}
    assert bare.stat().st_ino == before
    assert len(mirror.texts([hash_], largest=size)[hash_]) == size


def test_a_tree_of_too_many_files_is_refused_and_the_mirror_stays(
    mirror: Mirror, shop: Path, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "_LARGEST_TREES", 1000)
    commit = repositories.commit(shop, {f"f{number}": "" for number in range(200)})
    mirror.fetch("main")
    before = bare.stat().st_ino
    with pytest.raises(Permanent, match="1000 at most"):
        mirror.snapshot(commit)
    assert bare.stat().st_ino == before


def test_a_file_that_is_stored_as_something_else_is_refused(
    mirror: Mirror, shop: Path, bare: Path, tmp_path: Path
) -> None:
    """Git serves no such tree; it is put into the mirror by hand."""
    mirror.fetch("main")
    commit = repositories.commit_tree(bare, f"100644 x {repositories.tip(shop, 'HEAD:b')}\tz".encode())
    with pytest.raises(Permanent, match="'z' is refused: it is stored as a tree"):
        mirror.write(mirror.snapshot(commit), ["z"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_link_that_is_stored_as_something_else_is_refused(mirror: Mirror, shop: Path, bare: Path) -> None:
    mirror.fetch("main")
    commit = repositories.commit_tree(bare, f"120000 x {repositories.tip(shop, 'HEAD:b')}\tz".encode())
    with pytest.raises(Permanent, match="this is a tree, not a file"):
        mirror.snapshot(commit)


def test_what_a_snapshot_keeps_is_read_from_a_mirror_made_anew(mirror: Mirror, bare: Path, tmp_path: Path) -> None:
    snapshot = mirror.snapshot(mirror.fetch("main"))
    bare.rename(tmp_path / "gone")
    mirror.write(snapshot, ["b"], tmp_path / "out")
    assert (tmp_path / "out" / "b" / "c").read_text() == "2"
