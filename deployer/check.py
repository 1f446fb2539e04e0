"""Tries every connection that the settings name, and says what could not be reached. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from redis.exceptions import RedisError

from deployer.cluster.connection import IMPATIENT, Connection
from deployer.cluster.connection import connect as connect_cluster
from deployer.forges import report
from deployer.forges.connect import connect as connect_forge
from deployer.model import BranchKey, Failure, Place
from deployer.repositories import tip
from deployer.settings import ClusterSettings, ForgeSettings, RepositorySettings, Settings, Surroundings
from deployer.source import kustomize
from deployer.store import open_store
from deployer.store.connection import connect as connect_redis


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one try."""

    what: str
    ok: bool
    message: str


def check_connections(settings: Settings, around: Surroundings) -> Iterator[Finding]:
    """Try Redis, the renderer, each forge token, each clone URL with its branch, each cluster, and each
    service account that environments act as.

    Returns:
        One finding for each, as it is made.
    """
    redis = _try("redis", lambda: _ping(around.redis_url))
    yield redis
    yield _try("kustomize", kustomize.version)
    for name, forge in settings.forges.items():
        yield _try(f"forges.{name}", partial(_forge, forge))
    for repository in settings.repositories:
        yield _try(f"{repository.name} on {repository.forge}", partial(_branch, settings, repository))
    for name, cluster in settings.clusters.items():
        yield _try(f"clusters.{name}", partial(_version, name, cluster))
    for name, account in _accounts(settings):
        what = f"service account {account} on {name}"
        yield _try(what, partial(_version, name, settings.clusters[name], service_account=account))
    if redis.ok:
        yield _try("left behind", partial(_left_behind, settings, around.redis_url))


def _try(what: str, attempt: Callable[[], str]) -> Finding:
    try:
        return Finding(what, ok=True, message=attempt())
    except Failure as failure:
        return Finding(what, ok=False, message=failure.message)
    except RedisError as error:
        return Finding(what, ok=False, message=f"does not answer ({error}); is REDIS_URL right?")


def _ping(url: str) -> str:
    redis = connect_redis(url)
    with redis:
        redis.ping()
        return f"answers, version {redis.info('server')['redis_version']}"


def _left_behind(settings: Settings, url: str) -> str:
    """What environments left that the settings do not have any more; what is gone from its cluster is forgotten."""
    with connect_redis(url) as redis:
        known = open_store(redis).places
        told: list[str] = []
        for key, places in known.left_behind(settings.environments).items():
            there = [place for place in places if _is_there(settings, place)]
            told.extend(report.left_behind(key, place) for place in there)
            if not there:
                known.forget(key)
    return "; ".join(told) or "nothing"


def _is_there(settings: Settings, place: Place) -> bool:
    """Whether the inventory is there, or may be."""
    if place.cluster not in settings.clusters:
        return True
    path = f"/api/v1/namespaces/{place.namespace}/configmaps/{place.inventory}"
    try:
        with _connect(place.cluster, settings.clusters[place.cluster]) as connection:
            return connection.request("GET", path).status != 404
    except Failure:
        return True


def _forge(settings: ForgeSettings) -> str:
    forge = connect_forge(settings)
    return f"signed in as {forge.check()}" if forge else "no token and no app: nothing can be reported on commits"


def _branch(settings: Settings, repository: RepositorySettings) -> str:
    commit = tip(settings, BranchKey(repository.forge, repository.name, repository.branch))
    return f"{repository.branch} is at {commit[:12]}"


def _accounts(settings: Settings) -> list[tuple[str, str]]:
    """The service accounts that environments act as, with the cluster of each, once."""
    used = {(each.cluster, each.service_account) for each in settings.environments if each.service_account}
    return sorted(used)


def _version(name: str, settings: ClusterSettings, *, service_account: str | None = None) -> str:
    with _connect(name, settings, service_account=service_account) as connection:
        return f"answers, Kubernetes {connection.version()}"


def _connect(name: str, settings: ClusterSettings, *, service_account: str | None = None) -> Connection:
    return connect_cluster(settings, name=name, service_account=service_account, patience=IMPATIENT)
