"""The environment variables."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployer.settings import SettingsError, Surroundings, surroundings


@pytest.mark.parametrize("environ", [{}, {"DEPLOYER_CONFIG": "", "REDIS_URL": "", "DEPLOYER_DATA": ""}])
def test_nothing_set_gives_the_defaults(environ: dict[str, str]) -> None:
    assert surroundings(environ | {"HOME": "/home/me"}) == Surroundings(
        config=Path("config/deployer.yaml"),
        redis_url="redis://localhost:6379/0",
        data=Path("/home/me/.cache/deployer"),
    )


def test_each_variable_is_read() -> None:
    environ = {"DEPLOYER_CONFIG": "~/a.yaml", "REDIS_URL": "rediss://cache:1/2", "DEPLOYER_DATA": "data", "HOME": "/h"}
    assert surroundings(environ) == Surroundings(Path("/h/a.yaml"), "rediss://cache:1/2", Path("data").absolute())


def test_the_environment_of_the_process_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPLOYER_CONFIG", "/etc/deployer.yaml")
    assert surroundings().config == Path("/etc/deployer.yaml")


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "redis://:p%40ss@h:6379/0",
        "redis://localhost/",
        "rediss://[::1]:1/15",
        "unix:///run/redis.sock?db=1",
    ],
)
def test_addresses_of_redis(url: str) -> None:
    assert surroundings({"REDIS_URL": url, "HOME": "/h"}).redis_url == url


@pytest.mark.parametrize(
    "url",
    [
        "localhost:6379",
        "http://localhost",
        "redis://localhost:hunter2",
        "redis://localhost/hunter2",
        "unix://",
        "hunter2",
        "redis://[",
    ],
)
def test_what_is_no_address_of_redis_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        surroundings({"REDIS_URL": url, "HOME": "/h"})
    assert caught.value.mistakes == ("REDIS_URL: expected redis://HOST:PORT/NUMBER, rediss://… or unix:///PATH",)
    assert caught.value.__context__ is None


def test_the_password_of_redis_is_in_no_representation() -> None:
    assert "hunter2" not in repr(surroundings({"REDIS_URL": "redis://:hunter2@localhost", "HOME": "/h"}))


def test_without_a_home_folder_every_mistake_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(SettingsError) as caught:
        surroundings({"REDIS_URL": "x"})
    assert [mistake.split(":")[0] for mistake in caught.value.mistakes] == [
        "REDIS_URL",
        "there is no home folder to put in the place of ~; set DEPLOYER_DATA or HOME",
    ]
    assert surroundings({"DEPLOYER_DATA": "/data"}).data == Path("/data")
