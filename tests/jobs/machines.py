"""Machines with workers, one environment for each of several names, and all that they work on, for tests that stop and
kill them."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from subprocess import Popen
from typing import Any

import yaml
from redis import Redis

from deployer.cluster.applyset import Inventory, applyset_id, read_head
from deployer.cluster.connection import connect
from deployer.demo.stack import ROOT
from deployer.model import ON_ITS_WAY, Deployment, EnvironmentKey, State, Trigger
from deployer.process import background
from deployer.settings import ClusterSettings, FileSecret, load
from deployer.store import open_store
from jobs.queue import Queues
from jobs.resources import Resources, now
from jobs.sweep import PATIENCE, sweep_with
from tests import repositories
from tests.end_to_end.processes import eventually
from tests.forges.recording import RecordingForge
from tests.jobs.gate import Gate

SHOP = "acme/shop"


def key(name: str) -> EnvironmentKey:
    return EnvironmentKey("github", SHOP, name)


@dataclass
class World:
    """A repository with one environment for each name, a cluster behind a gate, a forge, and machines with workers."""

    given: Resources
    folder: Path
    repository: Path
    gate: Gate
    forge: RecordingForge
    kubeconfig: Path
    environment: Mapping[str, str]
    namespaces: Mapping[str, str]

    @contextmanager
    def machine(self, name: str, *, workers: int) -> Iterator[Machine]:
        """A worker pool, as an operator would start it."""
        log = self.folder / f"{name}.log"
        argv = [sys.executable, "-m", "tests.jobs.hasty", "--workers", str(workers)]
        with background(argv, cwd=ROOT, environment=self.environment, log=log) as process:
            yield Machine(process, log)

    def commit(self, objects: Sequence[str], message: str) -> str:
        changed = {f"{name}/objects.yaml": "---\n".join(objects) for name in self.namespaces}
        return repositories.commit(self.repository, changed, message)

    def ask(self, commit: str, trigger: Trigger = Trigger.MERGE) -> dict[str, str]:
        """Ask for a commit in every environment; gives the deployments' ids."""
        asked = {}
        for name in self.namespaces:
            wanted = Deployment(
                secrets.token_hex(8), key(name), commit, trigger, State.QUEUED, ON_ITS_WAY, created_at=now()
            )
            asked[name] = self.given.store.deployments.queue(wanted).id
            self.given.queues.deploy()
        return asked

    def found(self, deployment: str) -> Deployment:
        found = self.given.store.deployments.get(deployment)
        assert found is not None
        return found

    def ended(self, asked: Mapping[str, str], *, seconds: float = 30) -> None:
        """Wait until all have a final state and the forge knows it."""

        def all_told() -> bool:
            ends = [(name, self.found(each)) for name, each in asked.items()]
            told = [self.told(name, each.commit)[-1:] for name, each in ends]
            return all(each.state.final for _, each in ends) and [] not in told and ["pending"] not in told

        def unended() -> str:
            lines = [f"{name}: {self.found(each)}" for name, each in asked.items()]
            logs = [path.read_text()[-6000:] for path in self.folder.glob("*.log")]
            return "\n".join([*lines, *logs])

        eventually(all_told, seconds=seconds, otherwise=unended)

    def told(self, name: str, commit: str) -> list[str]:
        """The states that the forge was told of a commit in an environment."""
        posts = [each for each in list(self.forge.requests) if each.method == "POST" and each.path.endswith(commit)]
        return [each.json["state"] for each in posts if each.json["context"] == f"deploy/{name}"]

    def sweep_after_the_leases(self) -> None:
        """Wait until nobody holds an environment, and sweep as the clock does a while later."""
        leases = self.given.store.leases
        eventually(lambda: not any(leases.held(str(key(name))) for name in self.namespaces))
        sweep_with(replace(self.given, clock=lambda: now() + PATIENCE * 2))

    def live(self, name: str) -> dict[str, str | None]:
        """What is in the cluster of an environment's set: the text of each object."""
        namespace = self.namespaces[name]
        maps = self._list(name, f"/api/v1/namespaces/{namespace}/configmaps")
        accounts = self._list(name, f"/api/v1/namespaces/{namespace}/serviceaccounts")
        webs = self._list(name, f"/apis/apps/v1/namespaces/{namespace}/deployments")
        texts = {each["metadata"]["name"]: each["data"]["text"] for each in maps}
        texts |= {each["metadata"]["name"]: each["metadata"]["annotations"]["text"] for each in webs}
        return texts | {each["metadata"]["name"]: None for each in accounts}

    def _list(self, name: str, path: str) -> Any:
        selector = applyset_id(key(name).inventory, self.namespaces[name])
        body: Any = self._get(path, labelSelector=f"applyset.kubernetes.io/part-of={selector}")
        return body["items"]

    def head(self, name: str) -> Inventory:
        return read_head(self._get(f"/api/v1/namespaces/{self.namespaces[name]}/configmaps/{key(name).inventory}"))

    def _get(self, path: str, **query: str) -> Any:
        with connect(ClusterSettings(kubeconfig=FileSecret(file=self.kubeconfig))) as connection:
            return connection.request("GET", path, query=query).body


@dataclass(frozen=True)
class Machine:
    """A pool of workers, whose processes are one session."""

    process: Popen[bytes]
    log: Path

    def signal(self, number: int) -> None:
        """To all of its processes, as when a virtual machine is paused or lost."""
        for pid in self.processes():
            with suppress(ProcessLookupError):  # it may have ended by itself meanwhile
                os.kill(pid, number)

    def horses(self) -> list[int]:
        """Those that run a job: each is the leader of its group, but not of the session."""
        return [pid for pid in self.processes() if _group(pid) == pid != self.process.pid]

    def processes(self) -> list[int]:
        """The processes of the session, the oldest first."""
        pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
        return [pid for pid in sorted(pids) if _session(pid) == self.process.pid]


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


@contextmanager
def make_world(folder: Path, redis_url: str, kubeconfig: Path, names: Sequence[str]) -> Iterator[World]:
    """A world with an environment, an overlay and a namespace for each name."""
    namespaces = {name: f"fence-{name}-{secrets.token_hex(4)}" for name in names}
    repository = repositories.create(folder / SHOP)
    overlays = {f"{name}/kustomization.yaml": f"namespace: {home}\nresources: [objects.yaml]\n"
                for name, home in namespaces.items()}  # fmt: skip
    repositories.commit(repository, overlays, "Begin")
    with connect(ClusterSettings(kubeconfig=FileSecret(file=kubeconfig))) as connection:
        for namespace in namespaces.values():
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
            assert connection.request("POST", "/api/v1/namespaces", body=body).status == 201  # type: ignore[arg-type]
    with ExitStack() as stack:
        gate = stack.enter_context(Gate(kubeconfig))
        forge = stack.enter_context(RecordingForge())
        redis = stack.enter_context(Redis.from_url(redis_url))
        redis.flushdb()
        (folder / "kubeconfig").write_text(yaml.safe_dump(gate.document))
        (folder / "deployer.yaml").write_text(yaml.safe_dump(_settings(folder, forge, namespaces)))
        environment = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
            "DEPLOYER_CONFIG": str(folder / "deployer.yaml"),
            "DEPLOYER_DATA": str(folder / "data"),
            "REDIS_URL": redis_url,
            "HOOK": secrets.token_hex(),
            "TOKEN": secrets.token_hex(),
        }
        settings = load(folder / "deployer.yaml", environ=environment)
        given = Resources(settings, redis, open_store(redis), Queues(redis), folder / "data")
        yield World(given, folder, repository, gate, forge, kubeconfig, environment, namespaces)


def _settings(folder: Path, forge: RecordingForge, namespaces: Mapping[str, str]) -> Mapping[str, object]:
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
        "clusters": {"test": {"kubeconfig": {"file": str(folder / "kubeconfig")}}},
        "repositories": [
            {
                "name": SHOP,
                "forge": "github",
                "environments": {
                    name: {"overlay": name, "cluster": "test", "namespace": namespace}
                    for name, namespace in namespaces.items()
                },
            }
        ],
    }
