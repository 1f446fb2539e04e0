"""The environment variables that say where things are. All that a deployer needs to know outside its settings file."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from deployer.settings.mistakes import SettingsError


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the environment variables say."""

    config: Path
    """The settings file."""
    redis_url: str = field(repr=False)
    """Not in the representation: it may hold a password."""
    data: Path
    """Folder of the caches, absolute. It need not be there yet."""


def surroundings(environ: Mapping[str, str] = os.environ) -> Surroundings:
    """Read DEPLOYER_CONFIG, REDIS_URL and DEPLOYER_DATA. One that is set to nothing counts as not set.

    Raises:
        SettingsError: one of them makes no sense; it has every mistake.
    """
    redis_url = environ.get("REDIS_URL") or "redis://localhost:6379/0"
    mistakes = (
        [] if _is_redis(redis_url) else ["REDIS_URL: expected redis://HOST:PORT/NUMBER, rediss://… or unix:///PATH"]
    )
    try:
        config = _path(environ.get("DEPLOYER_CONFIG") or "config/deployer.yaml", environ)
        data = _path(environ.get("DEPLOYER_DATA") or "~/.cache/deployer", environ)
    except RuntimeError as error:
        homeless = "there is no home folder to put in the place of ~; set DEPLOYER_DATA or HOME"
        raise SettingsError([*mistakes, homeless]) from error
    if mistakes:
        raise SettingsError(mistakes)
    return Surroundings(config, redis_url, data.absolute())


def _path(text: str, environ: Mapping[str, str]) -> Path:
    if text != "~" and not text.startswith("~/"):
        return Path(text)
    return Path(environ.get("HOME") or Path.home(), text[2:])


def _is_redis(url: str) -> bool:
    """Look closer than the client, which takes database 0 where it cannot read the number."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    if parts.scheme == "unix":
        return parts.path not in ("", "/")
    return parts.scheme in ("redis", "rediss") and re.fullmatch(r"/?|/[0-9]+", parts.path) is not None
