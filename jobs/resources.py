"""What every job works with, made once per process: a worker makes it before it forks, its children share it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from redis import Redis

from deployer.forges.connect import Forge, connect
from deployer.forges.discreet import DiscreetForge, Discretion
from deployer.model import Environment
from deployer.repositories import mirror
from deployer.settings import Settings, load, surroundings
from deployer.source.mirror import MIRRORS, Mirror
from deployer.source.render_cache import RenderCache
from deployer.store import Store, open_store
from deployer.store.connection import connect_patiently
from jobs.queue import Queues

RENDERS = "renders"
"""The folder of what was rendered, below that of the caches."""


def now() -> datetime:
    """The clock of all jobs."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Resources:
    """Settings, records, queues and caches."""

    settings: Settings
    redis: Redis
    store: Store
    queues: Queues
    data: Path
    clock: Callable[[], datetime] = now
    _mirrors: dict[str, Mirror] = field(default_factory=dict)

    def mirror(self, environment: Environment) -> Mirror:
        """The mirror of the repository that an environment comes from.

        Raises:
            Permanent: the forge refuses us a credential.
            Temporary: the forge cannot be asked for one.
        """
        key = environment.key
        name = f"{key.forge}/{key.repository}"
        if name not in self._mirrors:
            self._mirrors[name] = mirror(self.settings, forge=key.forge, repository=key.repository, data=self.data)
        return self._mirrors[name]

    @property
    def renders(self) -> RenderCache:
        """What was rendered on this machine before."""
        return RenderCache(self.data / RENDERS)

    def forge(self, name: str) -> Forge | None:
        """The client of a forge, or None when the settings give us no way to speak to it.

        No line that is written with it names a place of this machine.
        """
        client = connect(self.settings.forges[name])
        return DiscreetForge(client, self.discreet) if client else None

    @property
    def discreet(self) -> Discretion:
        """What takes the places of this machine out of messages that others read."""
        return Discretion([*self.settings.files, *(self.data / each for each in (MIRRORS, RENDERS))])


@cache
def resources() -> Resources:
    """The resources of this process, from its settings and environment variables.

    Raises:
        SettingsError: the settings have mistakes.
    """
    around = surroundings()
    redis = connect_patiently(around.redis_url)
    return Resources(load(around.config), redis, open_store(redis), Queues(redis), around.data)
