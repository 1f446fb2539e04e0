"""Writing what git would never hand over."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from deployer.model import Permanent
from deployer.source.tree import make_folders, make_links, private_folder, write_file

NAMES = ["../evil", "a/../../evil", "/evil", "..", "a/.."]


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "into"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_names_that_lead_out_are_refused(tmp_path: Path, into: Path, name: str) -> None:
    acts: tuple[Callable[[], None], ...] = (
        lambda: make_folders(into, [name]),
        lambda: write_file(into, name, b"x", executable=False),
        lambda: make_links(into, {name: "x"}),
    )
    for act in acts:
        with pytest.raises(Permanent, match="a name that leads out"):
            act()
    assert not (tmp_path / "evil").is_symlink()
    assert not (tmp_path / "evil").exists()


def test_folders_come_with_those_that_they_are_in(into: Path) -> None:
    make_folders(into, ["a/b/c", "", "a/b", "x", "a-b"])
    assert {str(path.relative_to(into)) for path in into.rglob("*")} == {"a", "a/b", "a/b/c", "x", "a-b"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in into.rglob("*")} == {0o700}


def test_a_name_that_is_taken_is_refused(tmp_path: Path, into: Path) -> None:
    """As on a file system that does not know `A` from `a`."""
    (tmp_path / "outside").write_text("keep")
    (into / "file").write_text("first")
    (into / "link").symlink_to("../outside")
    acts: tuple[Callable[[], None], ...] = (
        lambda: make_folders(into, ["file"]),
        lambda: make_folders(into, ["file/x"]),
        lambda: write_file(into, "file", b"second", executable=False),
        lambda: write_file(into, "file/x", b"second", executable=False),
        lambda: write_file(into, "link", b"second", executable=False),
        lambda: make_links(into, {"file": "x"}),
        lambda: make_links(into, {"file/x": "x"}),
    )
    for act in acts:
        with pytest.raises(Permanent, match="a name that occurs twice"):
            act()
    assert (into / "file").read_text() == "first"
    assert (tmp_path / "outside").read_text() == "keep"


def test_no_link_is_made_through_another(tmp_path: Path, into: Path) -> None:
    (tmp_path / "outside").mkdir()
    with pytest.raises(Permanent, match="'a/evil' is refused: a name that occurs twice"):
        make_links(into, {"a": "../outside", "a/evil": "x"})
    assert not any((tmp_path / "outside").iterdir())


@pytest.mark.parametrize("target", ["/", "..", "a/../../secret", "up/../../..", "hop/../secret"])
def test_links_that_lead_out_are_refused(tmp_path: Path, into: Path, target: str) -> None:
    (tmp_path / "secret").write_text("the contents")
    make_folders(into, ["a/b"])
    with pytest.raises(Permanent, match="is refused: a symbolic link that leads out"):
        make_links(into, {"evil": target, "hop": "a/..", "up": "a/b"})


def test_a_path_too_long_to_be_followed_by_name_is_refused(tmp_path: Path, into: Path) -> None:
    """By its text it ends inside; the kernel, which resolves step by step, would follow it out (CVE-2025-4517)."""
    long = "d" * 247
    folders, links, folder = [], {}, ""
    for name in "abcdefghijklmnop":
        links[folder + name] = long
        folder += long + "/"
        folders.append(folder.rstrip("/"))
    short = "/".join("abcdefghijklmnop")
    links |= {f"{folder}up": "/".join([".."] * 16), "evil": f"{short}/up/../x"}
    (tmp_path / "x").write_text("outside")

    def fill() -> None:
        make_folders(into, folders)
        make_links(into, links)

    with pytest.raises(Permanent, match="is refused"):
        fill()


def test_a_file_is_its_owners_alone(into: Path) -> None:
    umask = os.umask(0)
    try:
        write_file(into, "plain", b"x", executable=False)
        write_file(into, "run", b"x", executable=True)
    finally:
        os.umask(umask)
    assert stat.S_IMODE((into / "plain").stat().st_mode) == 0o600
    assert stat.S_IMODE((into / "run").stat().st_mode) == 0o700


def test_a_private_folder_is_gone_after_any_failure(tmp_path: Path) -> None:
    def fill() -> None:
        with private_folder(tmp_path / "a" / "b"):
            (tmp_path / "a" / "b" / "half").write_text("x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill()
    assert list((tmp_path / "a").iterdir()) == []
