"""What a commit's tree holds and where its paths lead, beside git's own list and what the kernel makes of it."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from deployer.source.allowance import TooMuch, at_most
from deployer.source.following import LONGEST_LINK, MOST_LINKS
from deployer.source.mirror import Mirror
from deployer.source.snapshot import Entry, Kind, Leaves, Odd, Snapshot, link_hashes
from tests import repositories


def snapshot(folder: Path, files: Mapping[str, str | Path], **options: str) -> Snapshot:
    """Of a new repository in `folder` with these files; a `Path` is a link."""
    repository = repositories.create(folder, **options)
    commit = repositories.commit(repository, files)
    mirror = Mirror(folder.with_name("m.git"), repositories.url(repository))
    mirror.fetch("main")
    return mirror.snapshot(commit)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    files: dict[str, str | Path] = {
        "base/x": "1",
        "base/deep/er/y": "2",
        "base/here": Path(),
        "file": "3",
        "link": Path("base/deep"),
        "hop": Path("link/er"),
        "to-file": Path("file"),
        "dangling": Path("base/missing/x"),
        "through-a-file": Path("file/x"),
        "absolute": Path("/base/x"),
        "out": Path("../shop/base"),
        "deep-out": Path("hop/../../../.."),
        "missing-out": Path("missing/../../x"),
        "circle": Path("circle"),
        "other-circle": Path("base/../one-more/x"),
        "one-more": Path("other-circle"),
        "chain0": Path("base"),
        **{f"chain{number}": Path(f"chain{number - 1}") for number in range(1, MOST_LINKS + 1)},
    }
    return snapshot(tmp_path_factory.mktemp("repositories") / "shop", files)


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_every_entry_is_as_git_lists_it(tmp_path: Path, object_format: str) -> None:
    folder = tmp_path / "shop"
    repositories.create(folder, object_format=object_format)
    (folder / "run").write_text("#!")
    (folder / "run").chmod(0o755)
    files: dict[str, str | Path] = {
        "a": "1",
        "b/c/d": "2",
        "b/c.x": "3",
        "b-c": "4",
        'ü\n"': "5",
        "b/link": Path("c/d"),
        "empty": "",
    }
    found = snapshot(folder, files, object_format=object_format)
    listed = repositories.git(folder, "ls-tree", "-r", "-t", "-z", "HEAD").rstrip("\0").split("\0")
    expected = {line.partition("\t")[2]: tuple(line.partition("\t")[0].split(" ")) for line in listed}
    modes = {Kind.FILE: "100644", Kind.LINK: "120000", Kind.FOLDER: "040000", Kind.SUBMODULE: "160000"}
    seen = {
        path: ("100755" if entry.executable else modes[entry.kind], entry.hash)
        for path, entry in found.walk("")
        if path
    }
    assert seen == {path: (mode, hash_) for path, (mode, _, hash_) in expected.items()}
    assert found.tree == repositories.tip(folder, "HEAD^{tree}")
    assert found.get("b/link") == Entry(Kind.LINK, repositories.tip(folder, "HEAD:b/link"), target="c/d")
    assert {path: found.get(path) for path in seen} == {path: entry for path, entry in found.walk("") if path}


@pytest.mark.parametrize("root", ["", "."])
def test_the_root_is_a_folder(shop: Snapshot, root: str) -> None:
    assert shop.get(root) == Entry(Kind.FOLDER, shop.tree)
    assert "file" in shop.children(root)
    assert {path for path, _ in shop.walk(root)} >= {"", "file", "base/deep/er/y"}


@pytest.mark.parametrize(
    "path", ["missing", "base/missing", "file/x", "link/er", "base/", "/base", "../shop", "a\0", "\ud800"]
)
def test_what_is_not_there_is_nothing(shop: Snapshot, path: str) -> None:
    assert shop.get(path) is None
    assert shop.children(path) == ()
    assert list(shop.walk(path)) == []


def test_a_folder_lists_its_own_names_and_nothing_else_any(shop: Snapshot) -> None:
    assert set(shop.children("base")) == {"deep", "here", "x"}
    assert shop.children("file") == shop.children("link") == ()


def test_a_walk_begins_with_what_stands_there(shop: Snapshot) -> None:
    assert [path for path, _ in shop.walk("base/deep")] == ["base/deep", "base/deep/er", "base/deep/er/y"]
    assert [path for path, _ in shop.walk("link")] == ["link"]


@pytest.mark.parametrize(
    ("path", "end", "links"),
    [
        ("", "", ()),
        ("base", "base", ()),
        ("./base//deep/./er/", "base/deep/er", ()),
        ("base/../file", "file", ()),
        ("link", "base/deep", ("link",)),
        ("link/..", "base", ("link",)),
        ("link/../x", "base/x", ("link",)),
        ("hop/y", "base/deep/er/y", ("hop", "link")),
        ("hop/../../../file", "file", ("hop", "link")),
        ("base/here/here/here/x", "base/x", ("base/here",)),
        ("to-file", "file", ("to-file",)),
        (f"chain{MOST_LINKS - 1}/x", "base/x", tuple(f"chain{number}" for number in reversed(range(MOST_LINKS)))),
    ],
)
def test_a_path_leads_where_the_kernel_would_go(shop: Snapshot, path: str, end: str, links: tuple[str, ...]) -> None:
    found = shop.follow(path)
    assert (found.path, found.links) == (end, links)
    assert found.entry == shop.get(end)
    assert found.entry is not None


@pytest.mark.parametrize(
    ("path", "end", "links"),
    [
        ("missing", "missing", ()),
        ("missing/a/b", "missing", ()),
        ("missing/../base/x", "missing", ()),
        ("base/missing/../../missing", "base/missing", ()),
        ("file/", "file", ()),
        ("file/.", "file", ()),
        ("file/..", "file", ()),
        ("base/x/y", "base/x", ()),
        ("dangling", "base/missing", ("dangling",)),
        ("through-a-file", "file", ("through-a-file",)),
        ("dangling/../../..", "base/missing", ("dangling",)),
        ("link/er/z", "base/deep/er/z", ("link",)),
        ("base\0", "base\0", ()),
    ],
)
def test_a_missing_path_ends_at_the_part_that_stands_in_its_way(
    shop: Snapshot, path: str, end: str, links: tuple[str, ...]
) -> None:
    found = shop.follow(path)
    assert (found.path, found.entry, found.links) == (end, None, links)


@pytest.mark.parametrize(
    ("path", "link"),
    [
        ("..", None),
        ("/base", None),
        ("base/../../shop/base", None),
        ("missing/../..", None),
        ("file/../..", None),
        ("absolute", "absolute"),
        ("out", "out"),
        ("out/../base", "out"),
        ("deep-out", "link"),
        ("missing-out", "missing-out"),
        ("dangling/../../../..", "dangling"),
        ("hop/../../../..", "link"),
        ("circle", "circle"),
        ("circle/x", "circle"),
        ("other-circle", "other-circle"),
        (f"chain{MOST_LINKS}", f"chain{MOST_LINKS}"),
    ],
)
def test_a_path_that_leaves_the_repository_is_refused_with_the_link_that_does_it(
    shop: Snapshot, path: str, link: str | None
) -> None:
    with pytest.raises(Leaves) as caught:
        shop.follow(path)
    assert caught.value.path == path
    assert caught.value.link == link
    assert repr(path) in str(caught.value)


def test_a_refusal_does_not_say_what_a_link_holds(shop: Snapshot) -> None:
    for path in ("absolute", "out", "deep-out", "missing-out", "one-more"):
        with pytest.raises(Leaves) as caught:
            shop.follow(path)
        target = (shop.get(path) or Entry(Kind.FILE, "")).target
        assert target
        assert target not in str(caught.value)


@pytest.mark.parametrize("seed", range(12))
def test_paths_lead_where_the_kernel_goes_in_trees_made_by_chance(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    root = tmp_path / "name-that-no-link-knows"
    found = snapshot(root, _tree(chance))
    outcomes = set()
    for _ in range(400):
        path = _path(chance, 5)
        outcomes.add(outcome := _kernel(root, path))
        try:
            followed = found.follow(path)
        except Leaves:
            assert outcome is None, path
        else:
            assert outcome == (followed.path if followed.entry else None), path
            assert all((root / link).is_symlink() for link in followed.links)
            assert not (root / followed.path).is_symlink()
    assert len(outcomes) > 3


def _tree(chance: random.Random) -> dict[str, str | Path]:
    """Files and links in folders, of few names, so that links lead to each other, about, and out."""
    files: dict[str, str | Path] = {"a/b/c/file": "1", "b/c/file": "2", "file": "3"}
    for number in range(25):
        folder = chance.choice(["", "a/", "a/b/", "a/b/c/", "b/", "b/c/"])
        files[f"{folder}l{number % 8}"] = Path(_path(chance, 3))
    return files


def _path(chance: random.Random, most: int) -> str:
    names = ["a", "b", "c", "..", ".", "file", "missing", *(f"l{number}" for number in range(8))]
    weights = [4, 4, 4, 5, 1, 3, 1, *[2] * 8]
    return "/".join(chance.choices(names, weights, k=chance.randint(1, most)))


def _kernel(root: Path, path: str) -> str | None:
    """Where a path leads, relative to the root; None if nowhere, or out."""
    try:
        handle = os.open(f"{root}/{path}", os.O_PATH)
    except OSError:
        return None
    try:
        end = Path(f"/proc/self/fd/{handle}").readlink()
    finally:
        os.close(handle)
    if not end.is_relative_to(root):
        return None
    return "" if end == root else str(end.relative_to(root))


HASH = "ab" * 20


def entry(mode: str, name: bytes, hash_: str = HASH) -> bytes:
    """As in a tree object."""
    return mode.encode() + b" " + name + b"\0" + bytes.fromhex(hash_)


@pytest.mark.parametrize(
    "raw",
    [
        entry("100644", b".."),
        entry("40000", b"."),
        entry("40000", b".git"),
        entry("100644", b".giT"),
        entry("100644", b""),
        entry("100644", b"a/b"),
        entry("100644", b"/"),
        entry("60000", b"device"),
        entry("10000", b"pipe"),
        entry("644", b"a"),
        entry("100648", b"a"),
        entry("100644", b"a") + entry("40000", b"a"),
        entry("100644", b"good") + entry("100644", b".."),
        entry("100644", b"good")[:-1],
        entry("100644", b"good") + b"\0",
        entry("100644", b"good") + b"more",
        b"garbage",
        b"\n",
    ],
)
def test_a_tree_that_git_would_not_write_is_refused(raw: bytes) -> None:
    with pytest.raises(Odd, match="is refused: a name"):
        link_hashes({HASH: entry("100644", b"a"), "cd" * 20: raw})


def test_old_and_padded_modes_mean_what_git_takes_them_for() -> None:
    raw = entry("100664", b"group") + entry("040000", b"padded", "cd" * 20) + entry("100711", b"run")
    trees = {HASH: raw, "cd" * 20: b""}
    assert link_hashes(trees) == set()
    found = Snapshot(HASH, trees, {})
    assert {path: (entry.kind, entry.executable) for path, entry in found.walk("") if path} == {
        "group": (Kind.FILE, False),
        "padded": (Kind.FOLDER, False),
        "run": (Kind.FILE, True),
    }


def test_names_that_only_begin_like_a_bad_one_are_good() -> None:
    names = [b"...", b".gitignore", b".github", b"a.git", b"..a", b" ", b"\n", b"120000 x", b"\xff"]
    assert link_hashes({HASH: b"".join(entry("100644", name) for name in names)}) == set()


def test_the_texts_of_links_are_asked_for_by_hash() -> None:
    other = "12" * 20
    trees = {HASH: entry("120000", b"a", other) + entry("100644", b"b", "cd" * 20), "ef" * 20: entry("120000", b"c")}
    assert link_hashes(trees) == {other, HASH}


@pytest.mark.parametrize(("target", "missing"), [("", True), ("x" * (LONGEST_LINK + 1), False), ("./" * 9000, False)])
def test_a_link_that_no_file_system_holds_leads_nowhere(target: str, missing: bool) -> None:
    trees = {HASH: entry("120000", b"odd", "cd" * 20)}
    found = Snapshot(HASH, trees, {"cd" * 20: target})
    if missing:
        assert found.follow("odd").entry is None
        return
    with pytest.raises(Leaves, match="longer than 4095 bytes"):
        found.follow("odd")


def test_detours_are_made_once_however_many_paths_go_through_them(tmp_path: Path) -> None:
    detour = "../l/" * 800
    links: dict[str, str | Path] = {f"l/{number}": Path(f"{detour}{number + 1}") for number in range(MOST_LINKS - 1)}
    found = snapshot(tmp_path / "shop", {**links, f"l/{MOST_LINKS - 1}": "x"})
    begun = time.monotonic()
    for number in range(2000):
        assert found.follow(f"l/0/{number}").path == f"l/{MOST_LINKS - 1}"
    assert time.monotonic() - begun < 5, "each takes ten milliseconds if it is made for each"


def test_a_chain_of_any_length_is_only_too_long(tmp_path: Path) -> None:
    links: dict[str, str | Path] = {f"{number}": Path(f"{number + 1}") for number in range(1500)}
    found = snapshot(tmp_path / "shop", {**links, "1500": "x"})
    with pytest.raises(Leaves):
        found.follow("0")
    assert found.follow(f"{1500 - MOST_LINKS}").path == "1500"


def test_a_link_is_not_judged_by_whoever_had_no_time_for_it(tmp_path: Path) -> None:
    found = snapshot(tmp_path / "shop", {"a": Path("b"), "b": Path("c"), "c": "x"})
    for values in range(4):
        with suppress(TooMuch), at_most(values):
            found.follow("a")
    assert found.follow("a").path == "c"
