"""What comes out of a commit: everything as committed, nothing outside of the folder."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from deployer.model import Permanent, Stage, Temporary
from deployer.source import objects
from deployer.source.mirror import Mirror
from tests import repositories


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return repositories.create(tmp_path / "shop")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "private" / "out"


def write(shop: Path, into: Path, *paths: str) -> None:
    """Fetch, and write the paths, or all files."""
    mirror = Mirror(shop.parent / "mirrors" / "m.git", repositories.url(shop))
    mirror.write(mirror.snapshot(mirror.fetch("main")), paths or [""], into)


def files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_all_files_come_out_with_their_modes_in_a_private_folder(shop: Path, out: Path) -> None:
    (shop / "run.sh").write_text("#!/bin/sh\n")
    (shop / "run.sh").chmod(0o755)
    long = "deep/" * 40 + "é.yaml"
    repositories.commit(shop, {"a.yaml": "a: 1\n", long: "b", "bytes": bytes(range(256))})
    write(shop, out)
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    assert (out / long).read_text() == "b"
    assert (out / "bytes").read_bytes() == bytes(range(256))
    assert stat.S_IMODE((out / "a.yaml").stat().st_mode) == 0o600
    assert stat.S_IMODE((out / "run.sh").stat().st_mode) == 0o700
    assert {path.name for path in out.parent.iterdir()} == {"out"}


def test_only_the_wanted_paths_come_out(shop: Path, out: Path) -> None:
    names = ["base/x.yaml", "base/y.yaml", "other/z.yaml", "top.yaml", "base*/w.yaml", ":(top)q.yaml", "-x/v.yaml"]
    repositories.commit(shop, dict.fromkeys(names, "1"))
    write(shop, out, "base/", "./top.yaml", "-x")
    assert set(files(out)) == {"base/x.yaml", "base/y.yaml", "top.yaml", "-x/v.yaml"}


@pytest.mark.parametrize("paths", [("",), (".",), ("base", "./")])
def test_the_root_means_everything(shop: Path, out: Path, paths: tuple[str, ...]) -> None:
    repositories.commit(shop, {"base/x": "1", "top": "2"})
    write(shop, out, *paths)
    assert files(out) == {"base/x": "1", "top": "2"}


def test_a_path_that_is_not_in_the_commit_is_named_and_nothing_stays(shop: Path, out: Path) -> None:
    commit = repositories.commit(shop, {"base/x": "1"})
    mirror = Mirror(shop.parent / "m.git", repositories.url(shop))
    mirror.fetch("main")
    for path in ("missing", "base/missing", "../x", "/etc", "bas*", "base\nmissing", "x\0", "\ud800", ":(top)base"):
        with pytest.raises(Permanent, match=r"has no .*check the path") as caught:
            mirror.write(mirror.snapshot(commit), ["base", path], out)
        assert repr(path) in caught.value.message
        assert list(out.parent.glob("*")) == []


def test_a_missing_path_does_not_throw_the_mirror_away(shop: Path, out: Path) -> None:
    repositories.commit(shop, {"base/x": "1"})
    mirror = Mirror(shop.parent / "m.git", repositories.url(shop))
    commit = mirror.fetch("main")
    before = (shop.parent / "m.git").stat().st_ino
    with pytest.raises(Permanent):
        mirror.write(mirror.snapshot(commit), ["missing"], out)
    assert (shop.parent / "m.git").stat().st_ino == before


def test_a_commit_that_is_not_there_is_waited_for(shop: Path, out: Path) -> None:
    repositories.commit(shop, {"a": "1"})
    mirror = Mirror(shop.parent / "m.git", repositories.url(shop))
    mirror.fetch("main")
    with pytest.raises(Temporary, match="may still be publishing"):
        mirror.write(mirror.snapshot("e" * 40), [""], out)
    assert not out.exists()


def test_attributes_of_the_repository_neither_hide_nor_change_anything(shop: Path, out: Path) -> None:
    content = {"plain.txt": "$Format:%H$ $Id$\n", "hidden/x": "1\n", "hidden.yaml": "a: ü\n"}
    repositories.commit(shop, content)
    (shop / ".gitattributes").write_text(
        "[attr]gone export-ignore\nhidden gone\nhidden.yaml export-ignore\n.gitattributes gone\n"
        "*.txt export-subst text eol=crlf ident filter=lfs working-tree-encoding=UTF-16LE-BOM\n"
    )
    repositories.git(shop, "add", ".gitattributes")
    repositories.git(shop, "commit", "--quiet", "--message=x")
    write(shop, out)
    assert files(out) | content == files(out)
    assert ".gitattributes" in files(out)


def test_filters_do_not_run_even_when_they_are_configured_in_the_mirror(shop: Path, out: Path) -> None:
    repositories.commit(shop, {"a.bin": "version https://git-lfs.github.com/spec/v1\n", ".gitattributes": "* filter=x"})
    mirror = Mirror(shop.parent / "m.git", repositories.url(shop))
    commit = mirror.fetch("main")
    repositories.git(shop.parent / "m.git", "config", "filter.x.smudge", f"touch {shop.parent}/smudged; cat")
    mirror.write(mirror.snapshot(commit), [""], out)
    assert (out / "a.bin").read_text().startswith("version https://git-lfs")
    assert not (shop.parent / "smudged").exists()


def test_a_submodule_is_an_empty_folder(shop: Path, out: Path) -> None:
    inner = repositories.create(shop.parent / "inner")
    target = repositories.commit(inner, {"hidden": "1"})
    (shop / ".gitmodules").write_text(f'[submodule "sub"]\n\tpath = sub\n\turl = {repositories.url(inner)}\n')
    repositories.git(shop, "add", ".gitmodules")
    repositories.git(shop, "update-index", "--add", "--cacheinfo", f"160000,{target},sub")
    repositories.git(shop, "commit", "--quiet", "--message=x")
    write(shop, out)
    assert list((out / "sub").iterdir()) == []


def test_links_inside_the_repository_stay_links(shop: Path, out: Path) -> None:
    links = {
        "link": Path("base/x"),
        "base/link": Path("../other"),
        "folder": Path("base"),
        "base/here": Path(),
        "base/dangling": Path("../not/there"),
        "up": Path("base/../base/x"),
    }
    repositories.commit(shop, {"base/x": "1", "other": "2", **links})
    write(shop, out)
    assert {name: (out / name).readlink() for name in links} == links


@pytest.mark.parametrize(
    "links",
    [
        {"evil": "/etc/passwd"},
        {"evil": ".."},
        {"base/evil": "../../secret"},
        {"evil": "missing/../../secret"},
        {"base/deep/evil": "../../../../../../../../../../etc/passwd"},
        {"base/deep/up": "../..", "evil": "base/deep/up/../secret"},
        {"hop": "base", "evil": "hop/../../secret"},
        {"evil": "evil"},
        {"evil": "other", "other": "evil"},
    ],
)
def test_a_link_that_leads_out_or_in_circles_is_refused(shop: Path, out: Path, links: dict[str, str]) -> None:
    (out.parent).mkdir()
    (out.parent / "secret").write_text("the contents")
    repositories.commit(shop, {"base/deep/x": "1", **{name: Path(target) for name, target in links.items()}})
    with pytest.raises(Permanent, match="is refused: a symbolic link") as caught:
        write(shop, out)
    assert caught.value.stage is Stage.FETCH
    assert any(name in caught.value.message for name in ("evil", "other"))
    assert "the contents" not in caught.value.message
    assert "root:" not in caught.value.message
    assert {path.name for path in out.parent.iterdir()} == {"secret"}


def test_a_wanted_path_is_not_stopped_by_a_bad_link_elsewhere(shop: Path, out: Path) -> None:
    repositories.commit(shop, {"docs/evil": Path("/etc"), "base/x": "1"})
    write(shop, out, "base")
    assert files(out) == {"base/x": "1"}


def hostile(shop: Path, *entries: tuple[str, str, str]) -> None:
    """Commit a tree of (mode, name, content) that git itself would not write."""
    repositories.commit(shop, {"keep": "1"})
    lines = []
    for mode, name, content in entries:
        if mode == "040000":
            inner = repositories.blob(shop, content.encode())
            hash_ = repositories.git(shop, "mktree", stdin=f"100644 blob {inner}\tfile\n".encode())
        else:
            hash_ = repositories.blob(shop, content.encode())
        lines.append(f"{mode} x {hash_}\t{name}")
    repositories.commit_tree(shop, "\n".join(lines).encode())


@pytest.mark.parametrize(
    "entries",
    [
        [("040000", "..", "x")],
        [("040000", ".", "x")],
        [("040000", ".git", "x")],
        [("100644", ".GIT", "x")],
        [("120000", ".git", "elsewhere")],
        [("100644", "a/../../outside", "x")],
        [("100644", "/etc/outside", "x")],
        [("040000", "a", "x"), ("100644", "a/b", "x")],
        [("120000", "a", "../outside"), ("040000", "a", "x")],
        [("100644", "a", "1"), ("040000", "a", "x")],
        [("120000", "a", "b"), ("120000", "a", "c")],
        [("060000", "a", "a device")],
        [("120000", "a", "b" * 200 + "\0c")],
        [("120000", "a", "b" * 5000)],
        [("120000", "a", "")],
        [("100644", "n" * 300, "x")],
        [("040000", "n" * 300, "x")],
    ],
)
def test_a_tree_that_cannot_be_written_is_refused_and_nothing_is(
    shop: Path, out: Path, entries: list[tuple[str, str, str]]
) -> None:
    hostile(shop, *entries)
    with pytest.raises(Permanent, match="is refused: a ") as caught:
        write(shop, out)
    assert "b" * 100 not in caught.value.message
    assert list(out.parent.glob("*")) == []


def test_a_name_that_could_be_kept_apart_elsewhere_only_is_written_where_it_can(shop: Path, out: Path) -> None:
    hostile(shop, ("100644", "A", "1"), ("100644", "a", "2"), ("040000", ".gitlab", "x"), ("100644", "ü\tb", "3"))
    write(shop, out)
    assert files(out) == {"A": "1", "a": "2", ".gitlab/file": "x", "ü\tb": "3"}


def test_a_name_in_another_encoding_keeps_its_bytes(shop: Path, out: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    repositories.commit(shop, {f"{name}/{name}": "1", "link": Path(name)})
    write(shop, out, name, "link")
    assert os.listdir(os.fsencode(out / name)) == [b"caf\xe9"]  # noqa: PTH208 - in bytes
    assert os.readlink(os.fsencode(out / "link")) == b"caf\xe9"  # noqa: PTH115 - in bytes


def test_more_paths_than_a_command_line_holds_come_out(shop: Path, out: Path) -> None:
    names = [f"{'n' * 200}{number}" for number in range(1500)]
    repositories.commit(shop, dict.fromkeys([*names, "other"], "1"))
    write(shop, out, *names)
    assert {path.name for path in out.iterdir()} == set(names)


def test_a_link_is_written_without_what_it_points_to(shop: Path, out: Path) -> None:
    repositories.commit(shop, {"a/link": Path("../b"), "b/x": "1", "b/up": Path("../a/link/../b")})
    write(shop, out, "a/link", "b/up")
    assert (out / "a" / "link").readlink() == Path("../b")
    assert {path.name for path in out.rglob("*")} == {"a", "b", "link", "up"}


def test_a_path_through_a_link_is_not_in_the_commit(shop: Path, out: Path) -> None:
    repositories.commit(shop, {"link": Path("b"), "b/x": "1"})
    with pytest.raises(Permanent, match="has no 'link/x'"):
        write(shop, out, "link/x")


def bomb(shop: Path, depth: int) -> None:
    """A few folders, each holding the next one ten times: ten to the power of `depth` files."""
    tree = repositories.git(shop, "mktree", stdin=f"100644 blob {repositories.blob(shop, b'')}\tf\n".encode())
    for _ in range(depth):
        lines = "".join(f"040000 tree {tree}\t{number}\n" for number in range(10))
        tree = repositories.git(shop, "mktree", stdin=lines.encode())
    repositories.commit_tree(shop, f"040000 tree {tree}\tbomb".encode())


def test_folders_that_hold_each_other_over_and_over_are_looked_at_and_not_written(shop: Path, out: Path) -> None:
    repositories.commit(shop, {"a": "1"})
    bomb(shop, 30)
    mirror = Mirror(shop.parent / "m.git", repositories.url(shop))
    snapshot = mirror.snapshot(mirror.fetch("main"))
    assert snapshot.get("bomb" + "/7" * 30 + "/f") is not None
    with pytest.raises(Permanent, match="more than 500000 files"):
        mirror.write(snapshot, [""], out)
    assert not out.exists()


def test_contents_are_read_in_groups_of_bounded_size(shop: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "_BATCH", 1000)
    content = {f"f{number}": str(number) * 100 * number for number in range(15)} | {"again": "5" * 500}
    repositories.commit(shop, content)
    write(shop, out)
    assert files(out) == content


def test_a_file_too_large_for_memory_is_refused_by_name(shop: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "LARGEST_FILE", 1024 * 1024)
    repositories.commit(shop, {"small": "1", "zeros": bytes(1024 * 1024 + 1)})
    with pytest.raises(Permanent, match="'zeros' is refused: a file of more than 1 MiB"):
        write(shop, out)
    write(shop, out, "small")
    assert files(out) == {"small": "1"}


def test_the_same_contents_in_many_files_count_each_time(
    shop: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "LARGEST_TREE", 1024 * 1024)
    repositories.commit(shop, {f"f{number}": bytes(300_000) for number in range(4)})
    with pytest.raises(Permanent, match="exceed 1 MiB"):
        write(shop, out)
    write(shop, out, "f0", "f1", "f2")
    assert len(files(out)) == 3


def test_too_large_a_commit_is_refused_by_size(shop: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "LARGEST_TREE", 1024 * 1024)
    repositories.commit(shop, {"zeros": bytes(3 * 1024 * 1024)})
    with pytest.raises(Permanent, match="exceed 1 MiB"):
        write(shop, out)
    assert not out.exists()


def test_a_folder_with_something_in_it_is_not_touched(shop: Path, out: Path) -> None:
    repositories.commit(shop, {"a": "1"})
    out.mkdir(parents=True)
    (out / "mine").write_text("keep")
    with pytest.raises(ValueError, match="not empty"):
        write(shop, out)
    assert files(out) == {"mine": "keep"}


def test_an_empty_folder_that_others_can_read_becomes_private(shop: Path, out: Path) -> None:
    repositories.commit(shop, {"a": "1"})
    out.mkdir(parents=True, mode=0o755)
    write(shop, out)
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    assert files(out) == {"a": "1"}


def test_a_folder_behind_a_link_and_a_relative_one_work(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repositories.commit(shop, {"base/x": "1", "link": Path("base/x")})
    (tmp_path / "real").mkdir()
    (tmp_path / "alias").symlink_to("real")
    write(shop, tmp_path / "alias" / "out")
    monkeypatch.chdir(tmp_path)
    write(shop, Path("relative"))
    assert (tmp_path / "real" / "out" / "link").read_text() == (tmp_path / "relative" / "link").read_text() == "1"


def test_a_disk_that_refuses_is_tried_again(shop: Path, tmp_path: Path) -> None:
    repositories.commit(shop, {"a": "1"})
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(Temporary, match="could not be written"):
        write(shop, tmp_path / "file" / "out")


def test_no_working_tree_and_no_environment_of_ours_is_used(
    shop: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", os.devnull)
    monkeypatch.setenv("GIT_WORK_TREE", str(shop))
    monkeypatch.setenv("GIT_INDEX_FILE", str(shop / "index"))
    monkeypatch.setenv("GIT_LITERAL_PATHSPECS", "0")
    repositories.commit(shop, {"a": "1"})
    write(shop, out)
    assert files(out) == {"a": "1"}
