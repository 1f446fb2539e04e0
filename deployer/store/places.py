"""Where the objects of each environment are: kept so that a change of the settings orphans nothing silently."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict

from redis import Redis

from deployer.model import Environment, EnvironmentKey, Place
from deployer.store.codec import text

_PLACES = "deployer:places"


class Places:
    """For each environment where it is, and where else it left something that nobody was told of yet.

    Written under the environment's lease only, so reading and writing need not be one step.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def settle(self, key: EnvironmentKey, place: Place) -> None:
        """From now on an environment is at `place`."""
        known = self._known(key)
        if known[:1] != (place,):
            self._write(key, (place, *(other for other in known if other != place)))

    def left(self, key: EnvironmentKey) -> tuple[Place, ...]:
        """Where an environment was before, as far as it has not been told yet."""
        return self._known(key)[1:]

    def told(self, key: EnvironmentKey) -> None:
        """People know where the environment was before."""
        if len(known := self._known(key)) > 1:
            self._write(key, known[:1])

    def left_behind(self, environments: Iterable[Environment]) -> Mapping[EnvironmentKey, tuple[Place, ...]]:
        """Where the environments were that are not among `environments` any more: renamed or removed."""
        raw = self._redis.hgetall(_PLACES)
        known = {EnvironmentKey.parse(text(key)): _read(written) for key, written in sorted(raw.items())}
        there = {environment.key for environment in environments}
        return {key: places for key, places in known.items() if key not in there}

    def forget(self, key: EnvironmentKey) -> None:
        """Nothing of an environment is left anywhere."""
        self._redis.hdel(_PLACES, str(key))

    def _known(self, key: EnvironmentKey) -> tuple[Place, ...]:
        written = self._redis.hget(_PLACES, str(key))
        return _read(written) if written else ()

    def _write(self, key: EnvironmentKey, places: tuple[Place, ...]) -> None:
        self._redis.hset(_PLACES, str(key), json.dumps([asdict(place) for place in places]))


def _read(written: bytes | str) -> tuple[Place, ...]:
    return tuple(Place(**place) for place in json.loads(written))
