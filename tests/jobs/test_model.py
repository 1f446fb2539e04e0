"""Everything that can come in any order, against the real store, real git and a cluster: what has to be true when it is
quiet again.

Deliveries come late, twice, in another order or never, are sent again by people; branches are pushed by force; and
workers die at any command to the store and before any write to the cluster. More examples: HYPOTHESIS_EXAMPLES.
"""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from redis import Redis
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from deployer.cluster.connection import connect
from deployer.model import JSON, Deployment, EnvironmentKey, State, Trigger
from deployer.settings import ClusterSettings, FileSecret
from deployer.store import open_store, turns
from deployer.store.leases import Lease
from jobs import queue as queues
from jobs.deploy import DEATHS
from jobs.merge import plan_with
from jobs.queue import Queues
from jobs.report import page, report_owed
from jobs.resources import Resources
from jobs.rollout import look_with
from jobs.sweep import sweep_with
from jobs.tips import ask_for_due, compare_with
from jobs.turns import work_with
from tests import repositories
from tests.examples import MAIN, PRODUCTION, STAGING, after
from tests.forges.recording import RecordingForge
from tests.jobs.dying import Killed
from tests.jobs.world import STATUSES, World, config_map, make_world

EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "0"))
FEW = 16 if os.environ.get("THOROUGH") else 3
KEYS = (STAGING, PRODUCTION)
NAMES = {STAGING: "greeting", PRODUCTION: "production-greeting"}
QUEUES = (queues.MERGES, queues.LOOKS, queues.DEPLOYMENTS, queues.REPORTS)
LONG = 40.0
"""Seconds after which a lease has run out and the clock takes what is owed for left behind."""
QUIET_ROUNDS = 60
NEWS = (Trigger.MERGE, Trigger.SWEEP)
TEXTS = ("hello", "ahoy")
"""So few that merges often take back what others did. It begins with the first."""
REACHED = (("staging",), ("production",), ("staging", "production"), ())
TOLD = st.sampled_from(((True,), (True, False), (True, True), (False,), ()))
"""For each webhook of a merge whether it comes at once, or is on its way for a while. None: it never comes."""
WHICH = st.integers(0, 9)
EVENTS = st.one_of(
    *[st.tuples(st.just("merge"), st.sampled_from(REACHED), st.sampled_from(TEXTS), TOLD)] * 3,
    st.tuples(st.just("force_push"), st.integers(1, 3), TOLD),
    *[st.tuples(st.just("deliver"), WHICH)] * 2,
    st.tuples(st.just("deliver_again"), WHICH, st.sampled_from([0.0, 60.0])),
    *[st.tuples(st.just("work"), WHICH)] * 4,
    *[st.tuples(st.just("die"), WHICH, st.integers(0, 90))] * 2,
    st.tuples(st.just("tick")),
)
"""What can happen, more often what has to for anything to come of it."""

RUN: Mapping[str, Callable[..., None]] = {
    "jobs.merge.plan": plan_with,
    "jobs.turns.work": work_with,
    "jobs.rollout.look": lambda given, key, number: look_with(given, EnvironmentKey.parse(key), int(number)),
    "jobs.tips.compare": compare_with,
    "jobs.report.report": report_owed,
}


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
        self.cluster = ExitStack()
        self.connection = self.cluster.enter_context(connect(self.world.given.settings.clusters["test"]))
        self.unsent: list[str] = []
        self.sent: list[tuple[str, str]] = []
        """Delivery and commit."""
        self.ran: dict[EnvironmentKey, str | None] = {}
        self.made = 0
        self.forced = 0
        self.deaths = 0

    @initialize(told=TOLD)
    def begin(self, told: Sequence[bool]) -> None:
        self._tell(self.world.first, told)

    @rule(events=st.lists(EVENTS, min_size=4, max_size=12))
    def live(self, events: Sequence[tuple[Any, ...]]) -> None:
        """Events in a close row: one by one they would hardly ever meet. Then nothing happens for a while."""
        for name, *arguments in events:
            getattr(self, name)(*arguments)
            self._no_step_back()
        self._calm_down()

    def merge(self, names: tuple[str, ...], text: str, told: Sequence[bool]) -> None:
        """A push, or a push and the pull request of it, of which we are told at once, later or never."""
        self.made += 1
        changed = {f"{name}/config.yaml": config_map(text) for name in names} or {"README.md": str(self.made)}
        self._tell(repositories.commit(self.world.repository, changed, f"Merge {self.made}"), told)

    def force_push(self, back: int, told: Sequence[bool]) -> None:
        history = repositories.git(self.world.repository, "rev-list", "--first-parent", "HEAD").split()
        if len(history) > back:
            self.forced += 1
            self._tell(repositories.rewind(self.world.repository, history[back]), told)

    def deliver(self, which: int) -> None:
        """One of those that are on their way, in whatever order."""
        if self.unsent:
            self._send(secrets.token_hex(8), self.unsent.pop(which % len(self.unsent)))

    def deliver_again(self, which: int, later: float) -> None:
        """The very same, at once by itself or later because somebody asked."""
        if self.sent:
            self.world.clock.move(later)
            self._send(*self.sent[which % len(self.sent)])

    def work(self, which: int) -> None:
        if busy := self._busy():
            self._next_job(busy[which % len(busy)], Death(None))

    def die(self, which: int, steps: int) -> None:
        busy = self._busy()
        if busy and self.deaths < DEATHS - 1:
            try:
                self._next_job(busy[which % len(busy)], Death(steps))
            except Killed:
                self.deaths += 1

    def tick(self) -> None:
        self.world.clock.move(LONG)
        self._run_out()
        sweep_with(self.world.given)
        ask_for_due(self.world.given)

    def _calm_down(self) -> None:
        """Run whatever there is to run. Webhooks that are on their way may come after that."""
        self._until_quiet()
        self._no_step_back()
        self._newest_wins()
        self._nothing_is_left_open()
        self.deaths = 0

    def _no_step_back(self) -> None:
        """No environment goes back along the branch, whatever it was told and in which order."""
        for key in KEYS:
            before, now = self.ran.get(key), self.world.given.store.environments.get(key).deployed
            if before and now and before != now:
                assert not (self._contains(before, now) and self._contains("HEAD", before)), (before, now)
            self.ran[key] = now

    def teardown(self) -> None:
        with self.cluster:
            while self.unsent:
                self._send(secrets.token_hex(8), self.unsent.pop())  # the newest first
            self._calm_down()
            self._whoever_asks_again_gets_it()
            self._calm_down()
            self._whoever_goes_back_stays_there_until_the_next_merge()
            self._the_forge_knows()
            self._the_audit_is_whole()

    def _tell(self, commit: str, told: Sequence[bool]) -> None:
        """Send a webhook at once for each True, and have one on its way for each False."""
        for at_once in told:
            if at_once:
                self._send(secrets.token_hex(8), commit)
            else:
                self.unsent.append(commit)

    def _contains(self, newer: str, older: str) -> bool:
        found = repositories.git(self.world.repository, "rev-list", "--max-count=1", older, f"^{newer}")
        return not found

    def _send(self, delivery: str, commit: str) -> None:
        self.world.clock.move(0.01)
        self.world.deliver(commit, delivery=delivery)
        self.world.given.queues.plan()
        self.sent.append((delivery, commit))

    def _busy(self) -> list[str]:
        """The queues that have a job."""
        return [name for name in QUEUES if not Queue(name, connection=self.world.given.redis).is_empty()]

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

    def _run_out(self) -> None:
        """What goes by itself in Redis after less than `LONG`, by Redis' own clock."""
        redis = self.world.given.redis
        for pattern in ("deployer:lease:*", "deployer:tips:bell:*"):
            for name in redis.scan_iter(pattern):
                redis.delete(name)
        for environment in redis.hkeys(turns.TURNS):
            redis.hset(turns.TURNS, environment, 0)

    def _until_quiet(self) -> None:
        """Run whatever there is to run. The clock starts anew, so that every branch is looked at."""
        self.world.given.store.tips.start()
        for _ in range(QUIET_ROUNDS):
            self.tick()
            while any(self._next_job(name, Death(None)) for name in QUEUES):
                pass
            store, ever = self.world.given.store, after(10**9)
            if not (
                store.deliveries.owed(before=ever)
                or store.deployments.waiting(before=ever)
                or store.reports.owed(before=ever)
                or store.environments.planned(MAIN) != repositories.tip(self.world.repository)
                or store.tips.owed(before=ever)
            ):
                return
        left = {
            "deliveries": store.deliveries.owed(),
            "deployments": store.deployments.waiting(before=ever),
            "reports": store.reports.owed(before=ever),
            "branches": store.tips.owed(before=ever),
        }
        raise AssertionError(f"it does not become quiet: {left}")

    def _newest_wins(self) -> None:
        """What the branch says runs everywhere, and is said to be of a commit that the branch has."""
        for key in KEYS:
            assert self._contains("HEAD", str(self.world.given.store.environments.get(key).deployed))
            tip = (self.world.repository / key.environment / "config.yaml").read_text()
            assert config_map(str(self._greeting(key))) == tip

    def _greeting(self, key: EnvironmentKey) -> object:
        """What the cluster runs in an environment."""
        namespace = self.world.given.settings.environment(key).namespace
        body = self.connection.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/{NAMES[key]}").body
        assert isinstance(body, dict)
        data = body["data"]
        assert isinstance(data, dict)
        return data["text"]

    def _whoever_asks_again_gets_it(self) -> None:
        tip = repositories.tip(self.world.repository)
        reached = [key for key in KEYS if self.world.given.store.deployments.latest(key, tip)]
        self.world.clock.move(60)
        known = next((sent for sent in self.sent if sent[1] == tip), None)
        if known is None:
            return  # its webhook never came
        self._send(*known)
        self._until_quiet()
        for key in reached:
            again = self.world.latest(key, tip)
            assert (again.trigger, again.state) == (Trigger.REPLAY, State.SUCCEEDED)

    def _whoever_goes_back_stays_there_until_the_next_merge(self) -> None:
        """Whatever is told of merges from before that, the last of which left all alone."""
        self.merge((), TEXTS[0], (True,))
        self._until_quiet()
        before = self._greeting(PRODUCTION)
        self.world.go_back(STAGING)
        for _, commit in tuple(self.sent):
            self._send(secrets.token_hex(8), commit)
        self._until_quiet()
        assert (self._greeting(STAGING), self._greeting(PRODUCTION)) == (TEXTS[0], before)
        self.merge(("staging", "production"), "moin", (True,))
        self._calm_down()

    def _deployments(self) -> tuple[Deployment, ...]:
        return self.world.given.store.deployments.newest(most=10_000)

    def _nothing_is_left_open(self) -> None:
        found = self._deployments()
        assert all(deployment.state.final and deployment.finished_at for deployment in found)
        assert [each.summary for each in found if "internal error" in each.summary] == []
        assert all(each.actor == "redelivery by github" for each in found if each.trigger is Trigger.REPLAY)
        merged = Counter((each.key, each.commit) for each in found if each.trigger in NEWS)
        assert max(merged.values()) <= 1 + self.forced

    def _the_forge_knows(self) -> None:
        given = self.world.given
        told: dict[tuple[str, str], Mapping[str, str]] = {}
        for request in self.world.forge.requests:
            if request.method == "POST" and STATUSES in request.path:
                told[request.path.rpartition("/")[2], request.json["context"]] = request.json
        known = {(each.key, each.commit) for each in self._deployments()}
        latest = {(commit, f"deploy/{key.environment}"): self.world.latest(key, commit) for key, commit in known}
        assert told.keys() == latest.keys()
        for name, deployment in latest.items():
            state = "success" if deployment.state is State.SUCCEEDED else "failure"  # GitHub has no word for superseded
            assert (told[name]["target_url"], told[name]["state"]) == (page(given, deployment), state)

    def _the_audit_is_whole(self) -> None:
        self.world.given.store.audit.verify()
        rows: dict[str, list[str]] = {}
        for row in self.world.given.store.audit.rows():
            if "deployment" in row.fields and row.what != "joined":
                rows.setdefault(str(row.fields["deployment"]), []).append(row.what)
        for deployment in self._deployments():
            *way, end = rows.pop(deployment.id)
            assert end == deployment.state.value
            assert set(way) <= {"queued", "running", "changed", "pruned"}
            assert way[:1] in (["queued"], [])
        assert rows == {}


@pytest.mark.timeout(120 + 5 * EXAMPLES)
@pytest.mark.usefixtures("renders")
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
                stateful_step_count=4,
                deadline=None,
                database=None,
                phases=(Phase.generate,),
                suppress_health_check=list(HealthCheck),
            ),
        )
