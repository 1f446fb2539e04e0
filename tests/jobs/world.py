"""A small world for the jobs: a real repository, a sandbox cluster, a recording forge, and resources over all of it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import yaml
from redis import Redis

from deployer.intake import Intake
from deployer.model import Delivery, Deployment, EnvironmentKey, State
from deployer.settings import Settings, load
from deployer.store import open_store
from deployer.store.rollouts import Rolling
from jobs.deploy import deploy_with
from jobs.merge import plan_owed
from jobs.queue import Queues
from jobs.report import Teller
from jobs.resources import Resources
from jobs.rollout import look_with
from tests import repositories
from tests.examples import NOON
from tests.forges.recording import RecordingForge
from tests.webhooks.deliveries import recorded

SHOP = "acme/shop"
STATUSES = f"/repos/{SHOP}/statuses/"


class Clock:
    """Time that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def config_map(text: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: greeting}}\ndata: {{text: {text}}}\n"


FILES: Mapping[str, str] = {
    f"{environment}/{name}": content
    for environment, kustomization in (
        ("staging", "resources: [config.yaml]\n"),
        ("production", "namePrefix: production-\nresources: [config.yaml]\n"),  # no two share an object
    )
    for name, content in (("kustomization.yaml", kustomization), ("config.yaml", config_map("hello")))
}
"""What the repository begins with. It names no namespace: each is the one of its test, and the same text is rendered
once."""


@dataclass
class World:
    """What a test acts on. `first` is the commit that the repository begins with."""

    given: Resources
    clock: Clock
    repository: Path
    forge: RecordingForge
    first: str

    def commit(self, text: str) -> str:
        changed = {f"{name}/config.yaml": config_map(text) for name in ("staging", "production")}
        return repositories.commit(self.repository, changed, f"Say {text}")

    def deliver(self, commit: str, *, delivery: str = "") -> str:
        """A push as the web process records it; gives the delivery's id."""
        push = recorded("github_push").payload
        push = push | {"ref": "refs/heads/main", "after": commit, "repository": {"full_name": SHOP}}
        delivery = delivery or secrets.token_hex(8)
        headers = (("content-type", "application/json"), ("x-github-event", "push"), ("x-github-delivery", delivery))
        came = Delivery("github", delivery, headers, json.dumps(push).encode(), self.clock())
        self.given.store.arrivals.take(came, owed=True, what="accepted")
        return delivery

    def plan(self, commit: str, *, delivery: str = "") -> None:
        """A push, recorded and planned."""
        self.deliver(commit, delivery=delivery)
        plan_all(self.given)

    def deploy(self, key: EnvironmentKey) -> None:
        deploy_with(self.given, key)

    def go_back(self, key: EnvironmentKey) -> None:
        """Ask for a rollback to the first commit."""
        intake = Intake(self.given.store, self.given.queues, self.clock)
        intake.go_back(self.given.settings.environment(key), self.first, actor="anna")

    def look(self, key: EnvironmentKey) -> None:
        """The next look at the rollout, as its job makes it."""
        look_with(self.given, key, self.rolling(key).looks)

    def rolling(self, key: EnvironmentKey) -> Rolling:
        found = self.given.store.rollouts.get(self.rolls_out(key))
        assert found is not None
        return found

    def rolls_out(self, key: EnvironmentKey) -> Deployment:
        (found,) = (one for one in self.given.store.deployments.queued(key) if one.state is State.ROLLING_OUT)
        return found

    def age(self, key: EnvironmentKey, seconds: float) -> None:
        """Let the rollout have begun so much earlier, by the clock of Redis."""
        for time in ("applied_at", "deadline", "due", "told_at"):
            name = f"deployer:deployment:{self.rolls_out(key).id}:rollout"
            if self.given.redis.hexists(name, time):
                self.given.redis.hincrbyfloat(name, time, -seconds)

    def report(self, key: EnvironmentKey, commit: str) -> None:
        Teller(self.given).tell(key, commit)

    def latest(self, key: EnvironmentKey, commit: str) -> Deployment:
        found = self.given.store.deployments.latest(key, commit)
        assert found is not None
        return found

    def posted(self) -> list[tuple[str, str, str]]:
        """Context, state and description of each status that the forge was told."""
        posts = [each.json for each in self.forge.requests if each.method == "POST" and STATUSES in each.path]
        return [(post["context"], post["state"], post["description"]) for post in posts]


def plan_all(given: Resources) -> list[EnvironmentKey]:
    """Plan all that is owed, as a worker does; which environments have something to deploy, sorted."""
    return sorted(plan_owed(given))


def make_world(folder: Path, redis: Redis, forge: RecordingForge, kubeconfig: Path, namespace: str) -> World:
    """A world whose two environments share a cluster and a namespace that is there already."""
    repository = repositories.create(folder / SHOP)
    first = repositories.commit(repository, FILES, "Begin")
    path = folder / "deployer.yaml"
    path.write_text(yaml.safe_dump(_settings(folder, forge, kubeconfig, namespace)))
    environ = {"HOOK": secrets.token_hex(), "TOKEN": secrets.token_hex()}
    clock = Clock()
    settings = load(path, environ=environ)
    given = Resources(settings, redis, open_store(redis), Queues(redis), folder / "data", clock)
    return World(given, clock, repository, forge, first)


def with_environments(settings: Settings, keys: list[EnvironmentKey]) -> Settings:
    """The same with these environments, each like the first."""
    (repository,) = settings.repositories
    like = next(iter(repository.environments.values()))
    more = repository.model_copy(update={"environments": {key.environment: like for key in keys}})
    sections = {name: getattr(settings, name) for name in Settings.model_fields}
    return Settings(**{**sections, "repositories": (more,)})


def _settings(folder: Path, forge: RecordingForge, kubeconfig: Path, namespace: str) -> Mapping[str, object]:
    return {
        "url": "https://deployer.example.com",
        "forges": {
            "github": {
                "kind": "github",
                "api_url": forge.url,
                "clone_url": f"file://{folder}/{{repository}}",
                "webhook_secrets": [{"env": "HOOK"}],
                "token": {"env": "TOKEN"},
            }
        },
        "clusters": {"test": {"kubeconfig": {"file": str(kubeconfig)}}},
        "repositories": [
            {
                "name": SHOP,
                "forge": "github",
                "environments": {
                    name: {"overlay": name, "cluster": "test", "namespace": namespace}
                    for name in ("staging", "production")
                },
            }
        ],
    }
