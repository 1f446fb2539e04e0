"""Everything that can come in any order, against the real store, real git and a cluster: what has to be true when it is
quiet again.

Deliveries come late, twice, in another order, are sent again by people; branches are pushed by force; and workers die
at any command to the store and before any write to the cluster. More examples: HYPOTHESIS_EXAMPLES.
"""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from redis import Redis
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from deployer.cluster.connection import connect
from deployer.model import JSON, Deployment, EnvironmentKey, State, Trigger
from deployer.settings import ClusterSettings, FileSecret
from deployer.store import open_store
from deployer.store.leases import Lease
from jobs import queue as queues
from jobs.deploy import DEATHS, deploy_with
from jobs.merge import plan_with
from jobs.queue import Queues
from jobs.report import page, report_with
from jobs.resources import Resources
from jobs.rollout import look_with
from jobs.sweep import sweep_with
from tests import repositories
from tests.examples import PRODUCTION, STAGING, after
from tests.forges.recording import RecordingForge
from tests.jobs.world import World, config_map, make_world

EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "0"))
FEW = 8
KEYS = (STAGING, PRODUCTION)
NAMES = {STAGING: "greeting", PRODUCTION: "production-greeting"}
QUEUES = (queues.MERGES, queues.DEPLOYMENTS, queues.REPORTS)
LONG = 40.0
"""Seconds after which a lease has run out and the clock takes what is owed for left behind."""
QUIET_ROUNDS = 60

RUN: Mapping[str, Callable[..., None]] = {
    "jobs.merge.plan": plan_with,
    "jobs.deploy.deploy": lambda given, key: deploy_with(given, EnvironmentKey.parse(key)),
    "jobs.rollout.look": lambda given, key, number: look_with(given, EnvironmentKey.parse(key), int(number)),
    "jobs.report.report": lambda given, key, commit: report_with(given, EnvironmentKey.parse(key), commit),
}


class Killed(BaseException):
    """A worker is gone, and whatever it still wanted to do on its way out is not done."""


@dataclass
class Death:
    """Comes to a worker after so many steps, or never."""

    steps: int | None

    def step(self) -> None:
        if self.steps is not None:
            self.steps -= 1
            if self.steps < 0:
                raise Killed


class MortalRedis(Redis):
    """What a mortal worker has of Redis: from its death on no command gets through."""

    death = Death(None)

    def execute_command(self, *arguments: Any, **options: Any) -> Any:
        self.death.step()
        return super().execute_command(*arguments, **options)  # type: ignore[no-untyped-call]

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Any:
        self.death.step()
        return super().pipeline(transaction, shard_hint)


@contextmanager
def worker(given: Resources, death: Death) -> Iterator[Resources]:
    """The resources of a process of its own, which may die."""
    check = Lease.check

    def mortal(lease: Lease) -> None:
        death.step()
        check(lease)

    redis = MortalRedis(connection_pool=given.redis.connection_pool)
    redis.death = death
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lease, "check", mortal)
        yield Resources(given.settings, redis, open_store(redis), Queues(redis), given.data, given.clock)


class Life(RuleBasedStateMachine):
    """Everything that may happen to one repository with two environments."""

    make: Callable[[], World]

    def __init__(self) -> None:
        super().__init__()
        self.world = self.make()
        self.unsent: list[str] = []
        self.sent: list[tuple[str, str]] = []
        """Delivery and commit."""
        self.made = 0
        self.forced = 0
        self.deaths = 0

    @initialize()
    def begin(self) -> None:
        self.unsent.append(self.world.first)

    @rule(
        names=st.sampled_from([("staging",), ("production",), ("staging", "production"), ()]), events=st.integers(1, 2)
    )
    def merge(self, names: tuple[str, ...], events: int) -> None:
        """A push, or a push and the pull request of it."""
        self.made += 1
        text = f"text-{self.made % 3}"
        changed = {f"{name}/config.yaml": config_map(text) for name in names} or {"README.md": str(self.made)}
        commit = repositories.commit(self.world.repository, changed, f"Merge {self.made}")
        self.unsent += [commit] * events

    @rule(back=st.integers(1, 3))
    def force_push(self, back: int) -> None:
        history = repositories.git(self.world.repository, "rev-list", "--first-parent", "HEAD").split()
        if len(history) > back:
            self.forced += 1
            self.unsent.append(repositories.rewind(self.world.repository, history[back]))

    @precondition(lambda self: self.unsent)
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        """One of those that are on their way, in whatever order."""
        commit = self.unsent.pop(data.draw(st.integers(0, len(self.unsent) - 1)))
        self._send(secrets.token_hex(8), commit)

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), later=st.sampled_from([0.0, 60.0]))
    def deliver_again(self, data: st.DataObject, later: float) -> None:
        """The very same, at once by itself or later because somebody asked."""
        self.world.clock.move(later)
        self._send(*data.draw(st.sampled_from(self.sent)))

    @rule(name=st.sampled_from(QUEUES))
    def work(self, name: str) -> None:
        self._next_job(name, Death(None))

    @precondition(lambda self: self.deaths < DEATHS - 1)
    @rule(name=st.sampled_from(QUEUES), steps=st.integers(0, 70))
    def die(self, name: str, steps: int) -> None:
        try:
            self._next_job(name, Death(steps))
        except Killed:
            self.deaths += 1

    @rule()
    def tick(self) -> None:
        self.world.clock.move(LONG)
        self._leases_run_out()
        sweep_with(self.world.given)

    def teardown(self) -> None:
        while self.unsent:
            self._send(secrets.token_hex(8), self.unsent.pop())  # the newest first
        self._until_quiet()
        self._newest_wins()
        self._whoever_asks_again_gets_it()
        self._newest_wins()
        self._nothing_is_left_open()
        self._the_forge_knows()
        self._the_audit_is_whole()

    def _send(self, delivery: str, commit: str) -> None:
        self.world.clock.move(0.01)
        self.world.deliver(commit, delivery=delivery)
        self.world.given.queues.plan()
        self.sent.append((delivery, commit))

    def _next_job(self, name: str, death: Death) -> bool:
        """Run the next job of a queue. A job is gone when its worker dies."""
        redis = self.world.given.redis
        queue = Queue(name, connection=redis, serializer=JSONSerializer)
        if queue.is_empty():
            return False
        job = Job.fetch(str(queue.pop_job_id()), connection=redis, serializer=JSONSerializer)
        self.world.clock.move(0.1)
        with worker(self.world.given, death) as given:
            RUN[str(job.func_name)](given, *job.args)
        return True

    def _leases_run_out(self) -> None:
        redis = self.world.given.redis
        for name in redis.scan_iter("deployer:lease:*"):
            redis.delete(name)

    def _until_quiet(self) -> None:
        for _ in range(QUIET_ROUNDS):
            self.tick()
            while any(self._next_job(name, Death(None)) for name in QUEUES):
                pass
            store, ever = self.world.given.store, after(10**9)
            if not (
                store.deliveries.owed(before=ever)
                or store.deployments.waiting(before=ever)
                or store.deployments.unreported(before=ever)
            ):
                return
        raise AssertionError("it does not become quiet")

    def _newest_wins(self) -> None:
        for key in KEYS:
            tip = (self.world.repository / key.environment / "config.yaml").read_text()
            assert config_map(str(greeting(self.world, key))) == tip

    def _whoever_asks_again_gets_it(self) -> None:
        tip = repositories.tip(self.world.repository)
        reached = [key for key in KEYS if self.world.given.store.deployments.latest(key, tip)]
        self.world.clock.move(60)
        self._send(*next(sent for sent in self.sent if sent[1] == tip))
        self._until_quiet()
        for key in reached:
            again = self.world.latest(key, tip)
            assert (again.trigger, again.state) == (Trigger.REPLAY, State.SUCCEEDED)

    def _deployments(self) -> tuple[Deployment, ...]:
        return self.world.given.store.deployments.newest(most=10_000)

    def _nothing_is_left_open(self) -> None:
        found = self._deployments()
        assert all(deployment.state.final and deployment.finished_at for deployment in found)
        assert [each.summary for each in found if "internal error" in each.summary] == []
        assert all(each.actor == "redelivery by github" for each in found if each.trigger is Trigger.REPLAY)
        merged = Counter((each.key, each.commit) for each in found if each.trigger is Trigger.MERGE)
        assert max(merged.values()) <= 1 + self.forced

    def _the_forge_knows(self) -> None:
        given = self.world.given
        told: dict[tuple[str, str], Mapping[str, str]] = {}
        for request in self.world.forge.requests:
            if request.method == "POST":
                told[request.path.rpartition("/")[2], request.json["context"]] = request.json
        known = {(each.key, each.commit) for each in self._deployments()}
        latest = {(commit, f"deploy/{key.environment}"): self.world.latest(key, commit) for key, commit in known}
        assert told.keys() == latest.keys()
        for name, deployment in latest.items():
            state = "success" if deployment.state is State.SUCCEEDED else "failure"  # GitHub has no word for superseded
            assert (told[name]["target_url"], told[name]["state"]) == (page(given, deployment), state)

    def _the_audit_is_whole(self) -> None:
        rows: dict[str, list[str]] = {}
        for row in self.world.given.store.audit.rows():
            if "deployment" in row.fields and row.what != "joined":
                rows.setdefault(row.fields["deployment"], []).append(row.what)
        for deployment in self._deployments():
            end = deployment.state.value
            assert rows.pop(deployment.id) in (["queued", end], [end])
        assert rows == {}


def greeting(world: World, key: EnvironmentKey) -> object:
    """What the cluster runs in an environment."""
    environment = world.given.settings.environment(key)
    with connect(world.given.settings.clusters["test"]) as connection:
        path = f"/api/v1/namespaces/{environment.namespace}/configmaps/{NAMES[key]}"
        body = connection.request("GET", path).body
    assert isinstance(body, dict)
    data = body["data"]
    assert isinstance(data, dict)
    return data["text"]


@pytest.mark.timeout(120 + 5 * EXAMPLES)
def test_whatever_happens_the_newest_runs_everywhere_and_everybody_is_told(
    tmp_path: Path, redis: Redis, sandbox_kubeconfig: Path
) -> None:
    with RecordingForge() as forge:

        def make() -> World:
            redis.flushall()
            forge.requests.clear()
            namespace = f"model-{secrets.token_hex(4)}"
            with connect(ClusterSettings(kubeconfig=FileSecret(file=sandbox_kubeconfig))) as connection:
                body: JSON = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
                connection.request("POST", "/api/v1/namespaces", body=body)
            folder = tmp_path / namespace
            return make_world(folder, redis, forge, sandbox_kubeconfig, namespace)

        machine = type("Life", (Life,), {"make": staticmethod(make)})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=EXAMPLES or FEW,
                derandomize=not EXAMPLES,
                stateful_step_count=25,
                deadline=None,
                database=None,
                phases=(Phase.generate,),
                suppress_health_check=list(HealthCheck),
            ),
        )
