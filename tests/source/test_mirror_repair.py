"""A mirror is a cache: killed, broken or gone, it is right again without anybody's help."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import shutil
import signal
import threading
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import filelock
import pytest

from deployer.model import Temporary
from deployer.source.mirror import Mirror
from tests import repositories
from tests.source.git_server import git_server


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = repositories.create(tmp_path_factory.mktemp("template"))
    repositories.commit(folder, {"a.yaml": "a: 1\n"})
    repositories.commit(folder, {"a.yaml": "a: 2\n", "b.yaml": "b: 1\n"})
    return folder


@pytest.fixture
def shop(tmp_path: Path, template: Path) -> Path:
    return shutil.copytree(template, tmp_path / "srv" / "shop")


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    return tmp_path / "data" / "m.git"


@pytest.fixture
def mirror(shop: Path, bare: Path) -> Mirror:
    return Mirror(bare, repositories.url(shop))


def leftovers(bare: Path) -> list[str]:
    return [path.name for path in bare.rglob("*") if path.name.startswith("tmp_") or path.suffix == ".lock"]


def sound(bare: Path) -> bool:
    return repositories.git(bare, "fsck", "--full", "--strict", "--no-dangling") == ""


def large(shop: Path) -> str:
    """More objects than git unpacks one by one, so that a fetch writes a pack."""
    return repositories.commit(shop, {f"f{number}": os.urandom(2000) for number in range(150)})


def test_a_fetch_killed_midway_leaves_nothing_behind(shop: Path, bare: Path) -> None:
    with git_server(shop.parent) as server:
        url = f"{server.url}/shop"
        Mirror(bare, url).fetch("main")
        tip = large(shop)
        server.stall_after = 100_000
        with pytest.raises(Temporary, match="no end after 1 s"):
            Mirror(bare, url, seconds=1).fetch("main")
        assert any(name.startswith("tmp_pack_") for name in leftovers(bare))
        server.stall_after = None
        assert Mirror(bare, url).fetch("main") == tip
    assert leftovers(bare) == []
    assert sound(bare)


def test_a_worker_killed_midway_blocks_nobody(shop: Path, bare: Path) -> None:
    tip = large(shop)
    with git_server(shop.parent) as server:
        server.stall_after = 100_000
        mirror = Mirror(bare, f"{server.url}/shop")
        worker = multiprocessing.get_context("fork").Process(target=mirror.fetch, args=("main",))
        worker.start()
        assert server.stalled.wait(20)
        while not any(name.startswith("tmp_pack_") for name in leftovers(bare)):
            time.sleep(0.01)  # git has been sent half a pack and is about to write it
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        worker.join()
        worker.close()
        server.stall_after = None
        assert mirror.fetch("main") == tip
        assert leftovers(bare) == []
    assert sound(bare)


def test_locks_and_half_written_files_of_a_killed_git_are_cleaned(shop: Path, bare: Path, mirror: Mirror) -> None:
    mirror.fetch("main")
    (bare / "objects" / "aa").mkdir(exist_ok=True)
    planted = ["config.lock", "HEAD.lock", "packed-refs.lock", "shallow.lock", "refs/heads/main.lock",
               "objects/pack/tmp_pack_x1", "objects/pack/tmp_idx_x1", "objects/aa/tmp_obj_x1",
               "objects/info/commit-graph.lock"]  # fmt: skip
    for name in planted:
        (bare / name).write_text("half")
    before = bare.stat().st_ino
    new = repositories.commit(shop, {"a.yaml": "a: 3\n"})
    assert mirror.fetch("main") == new
    assert leftovers(bare) == []
    assert bare.stat().st_ino == before
    assert sound(bare)


def test_a_branch_that_is_called_lock_is_no_leftover(shop: Path, bare: Path, mirror: Mirror) -> None:
    repositories.branch(shop, "unlock/lock")
    mirror.fetch("unlock/lock")
    mirror.fetch("main")
    assert mirror.tip("unlock/lock") == repositories.tip(shop)


def objects(bare: Path) -> list[Path]:
    return [path for path in bare.glob("objects/??/*") if path.is_file()]


def overwrite(path: Path, content: bytes) -> None:
    path.chmod(0o600)
    path.write_bytes(content)


def spoil_all_objects(bare: Path) -> None:
    for path in objects(bare):
        overwrite(path, b"spoilt")


def empty_all_objects(bare: Path) -> None:
    for path in objects(bare):
        overwrite(path, b"")


def cut_all_objects(bare: Path) -> None:
    for path in objects(bare):
        overwrite(path, path.read_bytes()[:20])


def delete_all_objects(bare: Path) -> None:
    for path in objects(bare):
        path.unlink()


def spoil_the_pack(bare: Path) -> None:
    repositories.git(bare, "repack", "-a", "-d", "-q")
    for path in bare.glob("objects/pack/*.pack"):
        overwrite(path, path.read_bytes()[:30] + b"spoilt")


def delete_the_pack(bare: Path) -> None:
    repositories.git(bare, "repack", "-a", "-d", "-q")
    for path in bare.glob("objects/pack/*.pack"):
        path.unlink()


def spoil_head(bare: Path) -> None:
    (bare / "HEAD").write_bytes(b"\0\1spoilt")


def empty_head(bare: Path) -> None:
    (bare / "HEAD").write_bytes(b"")


def delete_head(bare: Path) -> None:
    (bare / "HEAD").unlink()


def spoil_the_ref(bare: Path) -> None:
    (bare / "refs" / "heads" / "main").write_bytes(b"spoilt\n")


def spoil_the_packed_refs(bare: Path) -> None:
    repositories.git(bare, "pack-refs", "--all")
    (bare / "packed-refs").write_bytes(b"\0spoilt\n")


def spoil_the_config(bare: Path) -> None:
    (bare / "config").write_bytes(b"[core\nspoilt")


def delete_the_config(bare: Path) -> None:
    (bare / "config").unlink(missing_ok=True)


def empty_the_folder(bare: Path) -> None:
    shutil.rmtree(bare)
    bare.mkdir()


def half_an_init(bare: Path) -> None:
    shutil.rmtree(bare)
    (bare / "refs").mkdir(parents=True)
    (bare / "HEAD").write_text("ref: refs/heads/main\n")


def delete_it(bare: Path) -> None:
    shutil.rmtree(bare)


def delete_all_data(bare: Path) -> None:
    shutil.rmtree(bare.parent)


def replace_it_by_a_file(bare: Path) -> None:
    shutil.rmtree(bare)
    bare.write_text("a file")


DAMAGES = [
    spoil_all_objects, empty_all_objects, cut_all_objects, delete_all_objects, spoil_the_pack, delete_the_pack,
    spoil_head, empty_head, delete_head, spoil_the_ref, spoil_the_packed_refs, spoil_the_config, delete_the_config,
    empty_the_folder, half_an_init, delete_it, delete_all_data, replace_it_by_a_file,
]  # fmt: skip


def deployed(mirror: Mirror, commit: str, into: Path) -> dict[str, str]:
    mirror.verify(commit, branch="main")
    mirror.write(mirror.snapshot(commit), [""], into)
    return {path.name: path.read_text() for path in into.iterdir()}


@pytest.mark.parametrize(
    ("damage", "merged"), [(damage, True) for damage in DAMAGES] + [(damage, False) for damage in DAMAGES[2:6]]
)
def test_a_mirror_damaged_before_a_fetch_is_made_anew(
    shop: Path, bare: Path, mirror: Mirror, damage: Callable[[Path], None], merged: bool
) -> None:
    first = mirror.fetch("main")
    damage(bare)
    tip = repositories.commit(shop, {"a.yaml": "a: 3\n"}) if merged else first
    again = Mirror(bare, repositories.url(shop))
    assert again.fetch("main") == tip
    assert deployed(again, tip, shop.parent / "out") == {"a.yaml": "a: 3\n" if merged else "a: 2\n", "b.yaml": "b: 1\n"}
    again.verify(first, branch="main")
    assert again.contains(tip, first)
    assert again.commit_title(first) == "Change"


@pytest.mark.parametrize(
    "damage",
    [
        empty_all_objects,
        delete_all_objects,
        spoil_the_pack,
        spoil_the_ref,
        spoil_the_config,
        half_an_init,
        delete_all_data,
    ],
)
def test_a_mirror_damaged_after_the_fetch_is_made_anew_by_what_reads_it(
    tmp_path: Path, shop: Path, bare: Path, mirror: Mirror, damage: Callable[[Path], None]
) -> None:
    tip = mirror.fetch("main")
    damage(bare)
    mirror.write(mirror.snapshot(tip), [""], tmp_path / "out")
    assert (tmp_path / "out" / "a.yaml").read_text() == "a: 2\n"


def test_a_branch_that_another_process_lost_is_fetched_again_and_the_others_stay(
    tmp_path: Path, shop: Path, bare: Path, mirror: Mirror
) -> None:
    repositories.branch(shop, "other")
    mirror.fetch("other")
    tip = mirror.fetch("main")
    repositories.git(bare, "update-ref", "-d", "refs/heads/main")
    mirror.verify(tip, branch="main")
    assert mirror.tip("other") == tip


@pytest.mark.parametrize("damage", [spoil_all_objects, delete_the_pack, spoil_head, delete_it])
def test_questions_repair_a_damaged_mirror_too(
    shop: Path, bare: Path, mirror: Mirror, damage: Callable[[Path], None]
) -> None:
    tip = mirror.fetch("main")
    damage(bare)
    assert mirror.commit_title(tip) == "Change"
    damage(bare)
    assert mirror.contains(tip, repositories.tip(shop, "HEAD~1"))
    damage(bare)
    assert mirror.tip("main") == tip


def test_a_single_missing_file_is_fetched_again(tmp_path: Path, shop: Path, bare: Path, mirror: Mirror) -> None:
    tip = mirror.fetch("main")
    blob = repositories.tip(shop, "HEAD:b.yaml")
    (bare / "objects" / blob[:2] / blob[2:]).unlink()
    assert deployed(mirror, tip, tmp_path / "out") == {"a.yaml": "a: 2\n", "b.yaml": "b: 1\n"}
    assert sound(bare)


def test_what_cannot_be_repaired_ends_and_is_tried_again(
    tmp_path: Path, shop: Path, bare: Path, mirror: Mirror
) -> None:
    tip = mirror.fetch("main")
    spoil_all_objects(bare)
    stranger = Mirror(bare, repositories.url(shop))  # knows of no branch that it could fetch
    with pytest.raises(Temporary, match="fetched again next time"):
        stranger.write(stranger.snapshot(tip), [""], tmp_path / "out")
    assert stranger.fetch("main") == tip
    stranger.write(stranger.snapshot(tip), [""], tmp_path / "out")


def test_a_remote_in_trouble_does_not_cost_the_mirror(tmp_path: Path, shop: Path, bare: Path) -> None:
    with git_server(shop.parent) as server:
        mirror = Mirror(bare, f"{server.url}/shop")
        tip = mirror.fetch("main")
        before = bare.stat().st_ino
        server.status = 503
        with pytest.raises(Temporary):
            mirror.fetch("main")
        assert bare.stat().st_ino == before
        mirror.write(mirror.snapshot(tip), [""], tmp_path / "out")


def test_waiting_for_another_fetch_ends(bare: Path, shop: Path) -> None:
    bare.parent.mkdir(parents=True)
    with (
        filelock.FileLock(f"{bare}.lock"),
        pytest.raises(Temporary, match=r"another fetch holds it for more than 0\.2 s"),
    ):
        Mirror(bare, repositories.url(shop), seconds=0.2).fetch("main")
    assert Mirror(bare, repositories.url(shop)).fetch("main") == repositories.tip(shop)


def test_many_may_fetch_and_extract_at_once(tmp_path: Path, shop: Path, bare: Path) -> None:
    tip = repositories.tip(shop)
    together = threading.Barrier(6)

    def work(number: int) -> dict[str, str]:
        mirror = Mirror(bare, repositories.url(shop))
        together.wait()
        assert mirror.fetch("main") == tip
        return deployed(mirror, tip, tmp_path / f"out{number}")

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(work, range(6))) == [{"a.yaml": "a: 2\n", "b.yaml": "b: 1\n"}] * 6
    assert sound(bare)


def test_a_data_folder_that_cannot_be_written_is_named(tmp_path: Path, shop: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(Temporary, match="DEPLOYER_DATA"):
        Mirror(tmp_path / "file" / "m.git", repositories.url(shop)).fetch("main")


def test_only_we_can_look_into_a_mirror(shop: Path, bare: Path, mirror: Mirror) -> None:
    mirror.fetch("main")
    assert bare.stat().st_mode & 0o077 == 0


def test_many_loose_objects_are_packed(tmp_path: Path, shop: Path, bare: Path, mirror: Mirror) -> None:
    mirror.fetch("main")
    (bare / "objects" / "17").mkdir(exist_ok=True)
    content = (f"{number}".encode() for number in range(1_000_000))
    made = 0
    while made <= 27:
        made += _loose_in_17(bare, next(content))
    tip = repositories.commit(shop, {"a.yaml": "a: 3\n"})
    assert mirror.fetch("main") == tip
    assert list(bare.glob("objects/17/*")) == []
    assert len(list(bare.glob("objects/pack/*.pack"))) == 1
    assert deployed(mirror, tip, tmp_path / "out")["a.yaml"] == "a: 3\n"
    assert sound(bare)


def _loose_in_17(bare: Path, content: bytes) -> bool:
    """Store a blob if its hash happens to start with 17."""
    stored = b"blob %d\0" % len(content) + content
    name = hashlib.sha1(stored, usedforsecurity=False).hexdigest()
    if not name.startswith("17"):
        return False
    (bare / "objects" / "17" / name[2:]).write_bytes(zlib.compress(stored))
    return True
