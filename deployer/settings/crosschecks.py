"""Rules about several sections of the settings file: names that must exist, and environments that may not collide.

They read the plain data, not Settings, so that they are checked whatever else is wrong. What has the wrong shape is
skipped here: it is reported elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from deployer.model import EnvironmentKey, ForgeKind
from deployer.settings.mistakes import Mistake, Place, quoted, suggestion, written


@dataclass(frozen=True, slots=True)
class _Repository:
    place: Place
    entry: Mapping[str, object]

    def text(self, key: str, default: str = "") -> str:
        return _text(self.entry, key, default)

    @property
    def branch(self) -> tuple[str, str, str]:
        return self.text("forge"), self.text("name").lower(), self.text("branch", "main")

    @property
    def names(self) -> frozenset[str]:
        return frozenset(_mapping(self.entry.get("environments")))


@dataclass(frozen=True, slots=True)
class _Environment:
    place: Place
    repository: _Repository
    name: str
    entry: Mapping[str, object]

    @property
    def key(self) -> EnvironmentKey:
        """Its key, with the repository in lower case: to a forge, case makes no difference."""
        return EnvironmentKey(self.repository.text("forge"), self.repository.text("name").lower(), self.name)


def cross_check(content: Mapping[str, object]) -> Iterator[Mistake]:
    """Give every mistake that only shows when sections are seen together."""
    repositories = tuple(_repositories(content))
    environments = tuple(_environments(repositories))
    for repository in repositories:
        yield from _unknown("forge", repository.place, repository.entry, content.get("forges"))
        yield from _subgroups(repository, content)
    for environment in environments:
        yield from _unknown("cluster", environment.place, environment.entry, content.get("clusters"))
        yield from _teams(environment, content)
    yield from _same_branch(repositories)
    yield from _same_key(environments)
    yield from _same_inventory(environments)


def _repositories(content: Mapping[str, object]) -> Iterator[_Repository]:
    entries = content.get("repositories")
    for index, entry in enumerate(entries if isinstance(entries, list) else []):
        if isinstance(entry, dict):
            yield _Repository(("repositories", index), entry)


def _environments(repositories: tuple[_Repository, ...]) -> Iterator[_Environment]:
    for repository in repositories:
        for name, entry in _mapping(repository.entry.get("environments")).items():
            if isinstance(entry, dict):
                yield _Environment((*repository.place, "environments", name), repository, name, entry)


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _text(entry: Mapping[str, object], key: str, default: str = "") -> str:
    value = entry.get(key, default)
    return value if isinstance(value, str) else ""


def _unknown(what: str, place: Place, entry: Mapping[str, object], known: object) -> Iterator[Mistake]:
    name = entry.get(what)
    if isinstance(name, str) and isinstance(known, dict) and name not in known:
        there = suggestion(name, known) or (f"; there is {', '.join(map(quoted, sorted(known)))}" if known else "")
        yield Mistake((*place, what), f"no {what} named {quoted(name)}{there}")


def _subgroups(repository: _Repository, content: Mapping[str, object]) -> Iterator[Mistake]:
    if _on_github(repository, content) and repository.text("name").count("/") > 1:
        yield Mistake((*repository.place, "name"), "expected owner/name: GitHub has no subgroups")


def _teams(environment: _Environment, content: Mapping[str, object]) -> Iterator[Mistake]:
    """A team that cannot be one would be found out only when somebody asks for a deployment, and is refused it."""
    deployers = environment.entry.get("deployers")
    if isinstance(deployers, list) and _on_github(environment.repository, content):
        for index, name in enumerate(deployers):
            if isinstance(name, str) and name.count("/") > 1:
                place = (*environment.place, "deployers", index)
                yield Mistake(place, "expected organization/team: a team on GitHub has no longer name")


def _on_github(repository: _Repository, content: Mapping[str, object]) -> bool:
    forge = _mapping(_mapping(content.get("forges")).get(repository.text("forge")))
    return forge.get("kind") == ForgeKind.GITHUB


def _same_branch(repositories: tuple[_Repository, ...]) -> Iterator[Mistake]:
    first: dict[tuple[str, str, str], _Repository] = {}
    for repository in repositories:
        earlier = first.setdefault(repository.branch, repository)
        # The same environment twice is reported by itself.
        if earlier is not repository and "" not in repository.branch and not earlier.names & repository.names:
            message = f"the same repository and branch as {written(earlier.place)}; put its environments there"
            yield Mistake(repository.place, message)


def _same_key(environments: tuple[_Environment, ...]) -> Iterator[Mistake]:
    first: dict[EnvironmentKey, _Environment] = {}
    for environment in environments:
        earlier = first.setdefault(environment.key, environment)
        if earlier is not environment and environment.key.forge and environment.key.repository:
            message = f"this repository has an environment of this name already, at {written(earlier.place)}"
            yield Mistake(environment.place, message)


def _same_inventory(environments: tuple[_Environment, ...]) -> Iterator[Mistake]:
    first: dict[str, _Environment] = {}
    for environment in environments:
        cluster, namespace = _text(environment.entry, "cluster"), _text(environment.entry, "namespace")
        inventory = environment.key.inventory
        earlier = first.setdefault(json.dumps([cluster, namespace, inventory]), environment)
        if earlier.key != environment.key and cluster and namespace and environment.key.repository:
            message = (
                f"ConfigMap {inventory} in namespace {namespace} of cluster {cluster} would be the inventory of "
                f"{written(earlier.place)}, too; change the namespace or the name of one of them"
            )
            yield Mistake(environment.place, message)
