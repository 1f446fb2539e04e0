"""What the views work with. They get it from the application that they are registered on, never from a global."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import cast

from flask import Flask
from redis import Redis
from redis.exceptions import RedisError

from deployer.settings import Settings
from deployer.store import Store
from jobs.queue import Queues

_NAME = "deployer"


@dataclass(frozen=True, slots=True)
class Context:
    """Settings, records and queues of this process."""

    settings: Settings
    redis: Redis
    store: Store
    queues: Queues

    def count(self, forge: str, result: str) -> None:
        """Count one webhook answer; a count that cannot be kept must not change the answer."""
        with contextlib.suppress(RedisError):
            self.store.counters.add("webhooks", forge=forge, result=result)


def install(app: Flask, given: Context) -> None:
    """Give an application its context."""
    app.extensions[_NAME] = given


def context(app: Flask) -> Context:
    """The context of an application."""
    return cast(Context, app.extensions[_NAME])
