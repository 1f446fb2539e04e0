"""Unpacking archives that git would not write."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from deployer.model import Permanent
from deployer.source.tree import private_folder, unpack


def archive(folder: Path, *entries: tuple[str, bytes, str]) -> Path:
    """A tar of (name, type, content or target)."""
    path = folder / "archive.tar"
    with tarfile.open(path, "w") as tar:
        for name, kind, content in entries:
            entry = tarfile.TarInfo(name)
            entry.type = kind
            if kind == tarfile.REGTYPE:
                entry.size = len(content)
            else:
                entry.linkname = content
            tar.addfile(entry, io.BytesIO(content.encode()))
    return path


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "into"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("kind", [tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.LNKTYPE])
def test_devices_pipes_and_hard_links_are_refused(tmp_path: Path, into: Path, kind: bytes) -> None:
    path = archive(tmp_path, ("keep", tarfile.REGTYPE, "1"), ("evil", kind, "keep"))
    with pytest.raises(Permanent, match="'evil' is refused: neither a file, a folder nor a symbolic link"):
        unpack(path, into)


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE])
@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/evil", "..", "a/.."])
def test_names_that_lead_out_are_refused(tmp_path: Path, into: Path, name: str, kind: bytes) -> None:
    with pytest.raises(Permanent, match="a name that leads out"):
        unpack(archive(tmp_path, (name, kind, "x")), into)
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("link_first", [True, False])
def test_nothing_is_written_through_a_link(tmp_path: Path, into: Path, link_first: bool) -> None:
    (tmp_path / "outside").mkdir()
    entries = [("a", tarfile.SYMTYPE, "../outside"), ("a/evil", tarfile.REGTYPE, "x")]
    with pytest.raises(Permanent, match="occurs twice"):
        unpack(archive(tmp_path, *entries[:: 1 if link_first else -1]), into)
    assert not any((tmp_path / "outside").iterdir())


def test_no_link_is_made_through_another(tmp_path: Path, into: Path) -> None:
    (tmp_path / "outside").mkdir()
    with pytest.raises(Permanent, match="'a/evil' is refused: a name that occurs twice"):
        unpack(archive(tmp_path, ("a", tarfile.SYMTYPE, "../outside"), ("a/evil", tarfile.SYMTYPE, "x")), into)
    assert not any((tmp_path / "outside").iterdir())


def test_a_path_too_long_to_be_followed_by_name_is_refused(tmp_path: Path, into: Path) -> None:
    """By its text it ends inside; the kernel, which resolves step by step, would follow it out (CVE-2025-4517)."""
    long = "d" * 247
    entries, folder = [], ""
    for name in "abcdefghijklmnop":
        entries += [(folder + long, tarfile.DIRTYPE, ""), (folder + name, tarfile.SYMTYPE, long)]
        folder += long + "/"
    short = "/".join("abcdefghijklmnop")
    entries += [(f"{folder}up", tarfile.SYMTYPE, "/".join([".."] * 16)), ("evil", tarfile.SYMTYPE, f"{short}/up/../x")]
    (tmp_path / "x").write_text("outside")
    with pytest.raises(Permanent, match="is refused"):
        unpack(archive(tmp_path, *entries), into)


def test_a_name_in_another_encoding_keeps_its_bytes(tmp_path: Path, into: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    path = tmp_path / "archive.tar"
    with tarfile.open(path, "w", encoding="utf-8", errors="surrogateescape") as tar:
        tar.addfile(tarfile.TarInfo(name))
    unpack(path, into)
    assert [os.fsencode(path.name) for path in into.iterdir()] == [b"caf\xe9"]


def test_a_private_folder_is_gone_after_any_failure(tmp_path: Path) -> None:
    def fill() -> None:
        with private_folder(tmp_path / "a" / "b"):
            (tmp_path / "a" / "b" / "half").write_text("x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill()
    assert list((tmp_path / "a").iterdir()) == []
