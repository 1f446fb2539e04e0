"""The render cache on real folders: what it keeps, what it refuses to believe, and many processes at once."""

from __future__ import annotations

import hashlib
import logging
import os
import random
import resource
import secrets
import shutil
import stat
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import pytest

from deployer.process import MIB
from deployer.source.render_cache import RenderCache

KEY, OTHER = (hashlib.sha256(text).hexdigest() for text in (b"one", b"other"))
YAML = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n"
SPAWN = get_context("spawn")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "renders"


@pytest.fixture
def cache(folder: Path) -> RenderCache:
    return RenderCache(folder)


def key(number: int) -> str:
    return f"{number:064x}"


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def taken(folder: Path) -> int:
    """Bytes that the entries take on a disk with blocks of 4 KiB."""
    return sum(-(-(folder / name).stat().st_size // 4096) * 4096 for name in entries(folder))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def sealed(name: str, compressed: bytes) -> bytes:
    """A file whose header is right, whatever follows."""
    return f"deployer-render-1 {name} {hashlib.sha256(compressed).hexdigest()}\n".encode() + compressed


@contextmanager
def umask(value: int) -> Iterator[None]:
    before = os.umask(value)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def full_disk(after: int) -> Iterator[None]:
    """As if the disk were full after so many bytes of a file: the system ends the write with an error just so."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (after, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# What is kept


@pytest.mark.parametrize("manifests", [YAML, b"", b"\x00\xff\n" * 9, YAML * 20_000, random.Random(1).randbytes(MIB)])
def test_what_was_put_is_got_also_by_another(folder: Path, cache: RenderCache, manifests: bytes) -> None:
    cache.put(KEY, manifests)
    assert cache.get(KEY) == manifests
    assert RenderCache(folder).get(KEY) == manifests
    assert cache.get(OTHER) is None


def test_the_last_one_put_counts(folder: Path, cache: RenderCache) -> None:
    cache.put(KEY, b"damaged in some way that the digest cannot know")
    cache.put(KEY, YAML)
    assert cache.get(KEY) == YAML
    assert entries(folder) == [KEY]


def test_nothing_is_made_before_something_is_put(
    folder: Path, cache: RenderCache, caplog: pytest.LogCaptureFixture
) -> None:
    assert cache.get(KEY) is None
    assert not folder.parent.exists()
    assert not caplog.records


@pytest.mark.parametrize(
    "odd", ["", KEY[:-1], KEY + "0", KEY.upper(), KEY + "\n", "../" + KEY[3:], "." + KEY[1:], ".written"]
)
def test_what_is_no_digest_is_no_key(folder: Path, cache: RenderCache, odd: str) -> None:
    with pytest.raises(ValueError, match="is no key"):
        cache.put(odd, YAML)
    with pytest.raises(ValueError, match="is no key"):
        cache.get(odd)
    assert not folder.exists()


def test_manifests_are_kept_small(folder: Path, cache: RenderCache) -> None:
    cache.put(KEY, YAML * 20_000)
    assert (folder / KEY).stat().st_size < len(YAML) * 20_000 / 20


def test_a_thousand_objects_are_read_in_no_time(cache: RenderCache) -> None:
    values = random.Random(2)
    lines = [f"  KEY_{number % 40}: {values.randbytes(5).hex()}\n" for number in range(40_000)]
    objects = [YAML + "".join(["data:\n", *lines[at : at + 40]]).encode() for at in range(0, 40_000, 40)]
    cache.put(KEY, b"---\n".join(objects))
    times = []
    for _ in range(10):
        begun = time.perf_counter()
        assert cache.get(KEY)
        times.append(time.perf_counter() - begun)
    assert min(times) < 0.010


# Whose it is


@pytest.mark.parametrize("value", [0o000, 0o022, 0o077])
def test_folder_and_files_are_this_users_alone_whatever_the_umask(folder: Path, value: int) -> None:
    with umask(value):
        RenderCache(folder).put(KEY, YAML)
    assert mode(folder) == 0o700
    assert {mode(path) for path in folder.iterdir()} == {0o600}


def test_a_folder_that_others_can_look_into_is_closed(folder: Path, cache: RenderCache) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    cache.put(KEY, YAML)
    assert mode(folder) == 0o700
    assert cache.get(KEY) == YAML


@pytest.mark.parametrize("open_to", [0o770, 0o702, 0o777, 0o1777])
def test_a_folder_that_others_can_write_into_is_not_used(
    folder: Path, cache: RenderCache, caplog: pytest.LogCaptureFixture, open_to: int
) -> None:
    cache.put(KEY, YAML)
    folder.chmod(open_to)
    for _ in range(3):
        assert cache.get(KEY) is None
        cache.put(OTHER, YAML)
    assert entries(folder) == [KEY]
    assert mode(folder) == open_to
    reading, writing = (record.getMessage() for record in caplog.records)
    assert "is not read" in reading
    assert "is not written to" in writing
    assert f"{folder}: other users may write into it (mode {open_to:04o}); remove it" in reading


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_not_used(
    folder: Path, cache: RenderCache, caplog: pytest.LogCaptureFixture
) -> None:
    cache.put(KEY, YAML)
    os.chown(folder, 65534, 65534)
    assert cache.get(KEY) is None
    cache.put(OTHER, YAML)
    assert entries(folder) == [KEY]
    assert "it belongs to another user (id 65534)" in caplog.text


@pytest.mark.skipif(os.geteuid() == 0, reason="root owns it")
def test_a_folder_of_the_system_is_not_used(caplog: pytest.LogCaptureFixture) -> None:
    RenderCache(Path("/usr")).put(KEY, YAML)
    assert "it belongs to another user (id 0)" in caplog.text


def test_a_link_in_place_of_the_folder_is_not_followed(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    elsewhere = tmp_path / "elsewhere"
    RenderCache(elsewhere).put(KEY, YAML)
    folder.parent.mkdir()
    folder.symlink_to(elsewhere)
    assert RenderCache(folder).get(KEY) is None
    RenderCache(folder).put(OTHER, YAML)
    assert entries(elsewhere) == [KEY]
    assert "is not read" in caplog.text
    assert "is not written to" in caplog.text


def test_a_link_in_place_of_an_entry_is_not_followed_and_is_replaced(
    folder: Path, cache: RenderCache, tmp_path: Path
) -> None:
    cache.put(KEY, YAML)
    target = tmp_path / "target"
    (folder / KEY).rename(target)
    (folder / KEY).symlink_to(target)
    assert cache.get(KEY) is None
    cache.put(KEY, YAML * 2)
    assert cache.get(KEY) == YAML * 2
    assert target.read_bytes() == sealed(KEY, zlib.compress(YAML, 1))


@pytest.mark.parametrize("open_to", [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_can_open_is_removed(folder: Path, cache: RenderCache, open_to: int) -> None:
    cache.put(KEY, YAML)
    (folder / KEY).chmod(open_to)
    assert cache.get(KEY) is None
    assert entries(folder) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_removed(folder: Path, cache: RenderCache) -> None:
    cache.put(KEY, YAML)
    os.chown(folder / KEY, 65534, 65534)
    assert cache.get(KEY) is None
    assert entries(folder) == []


def test_a_pipe_in_place_of_an_entry_stops_nobody(folder: Path, cache: RenderCache) -> None:
    cache.put(OTHER, YAML)
    os.mkfifo(folder / KEY, 0o600)
    assert cache.get(KEY) is None
    assert entries(folder) == [OTHER]


# What is damaged


@pytest.mark.parametrize("position", [0, 30, 100, 150, -1])
def test_a_changed_bit_is_noticed(
    folder: Path, cache: RenderCache, caplog: pytest.LogCaptureFixture, position: int
) -> None:
    cache.put(KEY, YAML)
    content = bytearray((folder / KEY).read_bytes())
    content[position] ^= 1
    (folder / KEY).write_bytes(content)
    assert cache.get(KEY) is None
    assert entries(folder) == []
    assert f"removing {KEY}" in caplog.text
    cache.put(KEY, YAML)
    assert cache.get(KEY) == YAML


@pytest.mark.parametrize("left", [0, 1, 82, 147, 148, 149, -1])
def test_a_file_cut_short_is_noticed(folder: Path, cache: RenderCache, left: int) -> None:
    cache.put(KEY, YAML)
    (folder / KEY).write_bytes((folder / KEY).read_bytes()[:left])
    assert cache.get(KEY) is None
    assert entries(folder) == []


def test_a_file_that_grew_is_noticed(folder: Path, cache: RenderCache) -> None:
    cache.put(KEY, YAML)
    with (folder / KEY).open("ab") as file:
        file.write(b"\n")
    assert cache.get(KEY) is None


def test_a_sound_file_under_another_name_is_not_believed(folder: Path, cache: RenderCache) -> None:
    cache.put(KEY, YAML)
    shutil.copy2(folder / KEY, folder / OTHER)
    assert cache.get(OTHER) is None
    assert entries(folder) == [KEY]
    assert cache.get(KEY) == YAML


BOMB = zlib.compress(bytes(2 * MIB))


@pytest.mark.parametrize("compressed", [b"not compressed", b"", BOMB, zlib.compress(YAML)[:-3]])
def test_what_no_put_has_written_is_not_believed(folder: Path, compressed: bytes) -> None:
    cache = RenderCache(folder, most=4 * MIB)
    cache.put(OTHER, YAML)
    (folder / OTHER).write_bytes(sealed(OTHER, zlib.compress(YAML)))
    assert cache.get(OTHER) == YAML, "the test knows how files are written"
    (folder / OTHER).write_bytes(sealed(OTHER, compressed))
    assert cache.get(OTHER) is None
    assert entries(folder) == []


def test_a_file_that_is_too_large_to_be_ours_is_not_read(folder: Path, cache: RenderCache) -> None:
    cache.put(KEY, YAML)
    os.truncate(folder / KEY, 1 << 43)  # a hole, more than any memory
    assert cache.get(KEY) is None
    assert entries(folder) == []


# When the disk refuses


def test_a_full_disk_costs_a_warning_and_leaves_nothing(
    folder: Path, cache: RenderCache, caplog: pytest.LogCaptureFixture
) -> None:
    cache.put(OTHER, YAML)
    with full_disk(after=50_000):
        for _ in range(2):
            cache.put(KEY, secrets.token_bytes(MIB))
    assert [path.name for path in folder.iterdir() if path.name.startswith(".new")] == []
    assert entries(folder) == [OTHER]
    assert len(caplog.records) == 1
    assert "everything is rendered anew" in caplog.text
    assert cache.get(OTHER) == YAML
    cache.put(KEY, YAML)
    assert cache.get(KEY) == YAML


def test_a_folder_that_cannot_be_made_costs_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    cache = RenderCache(tmp_path / "file" / "renders")
    cache.put(KEY, YAML)
    assert cache.get(KEY) is None
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
    assert "Not a directory" in caplog.text


def test_a_removed_folder_is_made_again(folder: Path, cache: RenderCache) -> None:
    cache.put(KEY, YAML)
    shutil.rmtree(folder.parent)
    assert cache.get(KEY) is None
    cache.put(KEY, YAML)
    assert cache.get(KEY) == YAML


# How much is kept


@pytest.mark.parametrize("size", [1, 5_000, 30_000, 65_000])
def test_entries_never_take_more_than_allowed(folder: Path, size: int) -> None:
    most = MIB // 4
    cache = RenderCache(folder, most=most)
    for number in range(3 * most // max(size, 4096)):
        cache.put(key(number), random.Random(number).randbytes(size))
        assert taken(folder) <= most
        assert cache.get(key(number)), "the newest is kept"
    assert taken(folder) >= most / 2, "no more is removed than needed"


def test_what_is_larger_than_a_quarter_is_not_kept(folder: Path) -> None:
    cache = RenderCache(folder, most=MIB)
    cache.put(KEY, bytes(MIB // 4))
    cache.put(OTHER, bytes(MIB // 4 + 1))
    assert cache.get(KEY) == bytes(MIB // 4)
    assert entries(folder) == [KEY]


def test_the_least_recently_used_go_first(folder: Path) -> None:
    cache = RenderCache(folder, most=MIB)
    blob = secrets.token_bytes(100_000)
    for number in range(8):
        cache.put(key(number), blob)
        age(folder / key(number), seconds=3600 - number)
    assert cache.get(key(0)) == blob
    cache.put(key(8), blob)
    cache.put(key(9), blob)
    cache.put(key(10), blob)
    kept = entries(folder)
    assert {key(0), key(8), key(9), key(10)} <= set(kept)
    assert kept[1:] == [key(number) for number in range(12 - len(kept), 11)], "1, 2, ... went, in this order"


@pytest.mark.parametrize(("old", "touched"), [(3600, True), (70, True), (-3600, True), (30, False)])
def test_being_read_is_noted_once_a_minute(folder: Path, cache: RenderCache, old: float, touched: bool) -> None:
    cache.put(KEY, YAML)
    age(folder / KEY, seconds=old)
    before = (folder / KEY).stat().st_mtime
    assert cache.get(KEY) == YAML
    after = (folder / KEY).stat().st_mtime
    assert abs(time.time() - after) < 10 if touched else after == before


def test_what_killed_writers_left_is_removed_now_and_then(folder: Path) -> None:
    cache = RenderCache(folder, most=MIB)
    cache.put(KEY, YAML)
    left = folder / ".new.left"
    left.write_bytes(b"half a")
    age(left, seconds=3600)
    cache.put(OTHER, YAML)
    assert left.exists(), "not each put looks at all files"
    for number in range(MIB // 8 // 4096 + 1):
        cache.put(key(number), YAML)
    assert not left.exists()
    assert cache.get(KEY) == YAML
    left.write_bytes(b"half a")
    age(left, seconds=3600)
    cache.put(OTHER, YAML)
    assert left.exists(), "after a sweep it is as before"


def test_a_slow_writer_is_not_taken_for_dead(folder: Path) -> None:
    cache = RenderCache(folder, most=MIB)
    cache.put(key(0), YAML)
    slow = folder / ".new.slow"
    slow.write_bytes(b"half a")
    age(slow, seconds=300)
    for number in range(1, 50):
        cache.put(key(number), secrets.token_bytes(100_000))
    assert key(0) not in entries(folder), "it was newer, and it is gone"
    assert slow.exists()


# Many processes


def manifests(number: int) -> bytes:
    """What belongs under a key: large enough that half of it could be seen, and different for each."""
    return random.Random(number).randbytes(20_000 + 1_000 * number)


class Warnings(logging.Handler):
    """Collects what the cache warns of, in a process where pytest does not."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []
        logging.getLogger("deployer.source.render_cache").addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def use(folder: Path, seed: int) -> tuple[int, int, list[str]]:
    """Put and get at random; how often something was found, how often something wrong, and the warnings."""
    warnings = Warnings()
    cache = RenderCache(folder, most=MIB)
    choice = random.Random(seed)
    found = wrong = 0
    for _ in range(800):
        number = choice.randrange(60)
        got = cache.get(key(number))
        found += got is not None
        wrong += got not in {None, manifests(number)}
        if got is None:
            cache.put(key(number), manifests(number))
    return found, wrong, warnings.messages


def write_for_ever(folder: Path) -> None:
    cache = RenderCache(folder, most=MIB)
    while True:
        for number in range(60):
            cache.put(key(number), manifests(number))


@pytest.mark.thorough
def test_many_processes_share_it(folder: Path) -> None:
    """They use the same keys, and there is so little room that they sweep all the time."""
    with ProcessPoolExecutor(3, mp_context=SPAWN) as pool:
        results = list(pool.map(use, [folder] * 3, range(3)))
    assert all(found for found, _, _ in results)
    assert [(wrong, warnings) for _, wrong, warnings in results] == [(0, [])] * 3
    assert taken(folder) <= MIB + 3 * len(manifests(59)), "each may have been writing during a sweep"
    assert [path for path in folder.iterdir() if path.name.startswith(".new")] == []


@pytest.mark.thorough
def test_the_folder_may_be_removed_under_their_feet(folder: Path) -> None:
    with ProcessPoolExecutor(3, mp_context=SPAWN) as pool:
        users = [pool.submit(use, folder, seed) for seed in range(3)]
        while not all(user.done() for user in users):
            shutil.rmtree(folder, ignore_errors=True)
            time.sleep(0.01)
    assert [wrong for _, wrong, _ in (user.result() for user in users)] == [0, 0, 0]


def test_a_killed_writer_leaves_no_half_entry(folder: Path) -> None:
    for _ in range(5):
        writer = SPAWN.Process(target=write_for_ever, args=(folder,))
        writer.start()
        while not folder.exists() or not entries(folder):
            time.sleep(0.005)
        time.sleep(random.random() / 50)
        writer.kill()
        writer.join()
        writer.close()
    cache = RenderCache(folder, most=MIB)
    kept = entries(folder)
    assert kept
    assert [cache.get(name) for name in kept] == [manifests(int(name, 16)) for name in kept]
