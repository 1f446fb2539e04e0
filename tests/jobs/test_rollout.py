from __future__ import annotations

import secrets
import time
from dataclasses import replace
from typing import Any

import pytest
from rq import Queue, SimpleWorker
from rq.registry import ScheduledJobRegistry
from rq.serializers import JSONSerializer

from deployer.cluster import rollout
from deployer.cluster.connection import Connection, connect
from deployer.intake import Intake, Request
from deployer.model import (
    JSON,
    ObjectRef,
    Permanent,
    Stage,
    State,
    Temporary,
    Trigger,
)
from deployer.pipeline import Pipeline
from deployer.store.rollouts import Applied
from jobs import rollout as job
from jobs.deploy import DEATHS
from jobs.queue import DEPLOYMENTS, LOOKS, REPORTS
from jobs.rollout import LATE_LOOKS, LONGEST_PAUSE, PACE, look_with, pause
from jobs.sweep import sweep_with
from jobs.turns import work_with
from tests import repositories
from tests.examples import PRODUCTION, STAGING, deployment
from tests.jobs.dying import Killed, die
from tests.jobs.world import World, with_environments

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  paused: {paused}
  progressDeadlineSeconds: {deadline}
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{containers: [{{name: web, image: "web:{image}"}}]}}
"""


UNREADY = rollout.Unready(ObjectRef("apps/v1", "Deployment", "shop", "web"), "1 of 3 replicas available")


def web(world: World, *, paused: bool, deadline: int = 600, image: str = "1") -> str:
    """A commit of a Deployment; one that is paused gets no pods, and so is never ready."""
    text = WEB.format(paused=str(paused).lower(), deadline=deadline, image=image)
    return repositories.commit(world.repository, {"staging/config.yaml": text}, f"Run web:{image}")


def stalled(world: World) -> str:
    """A commit whose Deployment has been applied and does not get ready."""
    commit = web(world, paused=True)
    world.plan(commit)
    world.deploy(STAGING)
    assert world.latest(STAGING, commit).state is State.ROLLING_OUT
    forget_jobs(world)
    return commit


def forget_jobs(world: World) -> None:
    """Nobody is told any more that an environment waits."""
    Queue(DEPLOYMENTS, connection=world.given.redis).empty()


def resume(world: World) -> None:
    """The Deployment gets its pod, and that gets ready."""
    namespace = world.given.settings.environment(STAGING).namespace
    deployment, pods = f"/apis/apps/v1/namespaces/{namespace}/deployments/web", f"/api/v1/namespaces/{namespace}/pods"
    with connect(world.given.settings.clusters["test"]) as connection:
        patch(connection, deployment, {"spec": {"paused": False}})
        for _ in range(100):
            if at(connection.request("GET", deployment).body, "status", "availableReplicas") == 1:
                return
            for pod in at(connection.request("GET", pods).body, "items") or []:
                ready = {"conditions": [{"type": "Ready", "status": "True"}]}
                patch(connection, f"{pods}/{at(pod, 'metadata', 'name')}/status", {"status": ready})
            time.sleep(0.05)
    raise AssertionError("not ready after 5 s")


def patch(connection: Connection, path: str, body: dict[str, JSON]) -> None:
    connection.request("PATCH", path, body=body, content_type="application/merge-patch+json")


def at(value: Any, *path: str) -> Any:
    for name in path:
        value = (value or {}).get(name)
    return value


def scheduled(world: World) -> int:
    return ScheduledJobRegistry(LOOKS, connection=world.given.redis).count


def waiting(world: World, queue: str = DEPLOYMENTS) -> int:
    return Queue(queue, connection=world.given.redis).count


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each look at a cluster."""
    made: list[int] = []
    look = rollout.look

    def counted(*arguments: object, **options: object) -> object:
        made.append(len(made))
        return look(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(rollout, "look", counted)
    return made


def test_what_has_nothing_to_wait_for_ends_at_once(world: World, looks: list[int]) -> None:
    world.plan(world.first)
    world.deploy(STAGING)
    assert world.latest(STAGING, world.first).state is State.SUCCEEDED
    assert (len(looks), scheduled(world)) == (1, 0)


def test_what_is_not_ready_is_looked_at_later_and_holds_no_worker(world: World) -> None:
    commit = stalled(world)
    found = world.latest(STAGING, commit)
    assert found.summary.startswith("0/1 ready: Deployment ")
    assert not world.given.store.leases.held(str(STAGING))
    assert (scheduled(world), waiting(world)) == (1, 0)
    assert world.given.store.environments.get(STAGING).deployed is None
    last = world.given.store.deployments.stages(found.id)[-1]
    assert (last.stage, last.finished_at, last.message) == (Stage.ROLLOUT, None, found.summary)


def test_once_all_is_healthy_it_has_succeeded(world: World) -> None:
    commit = stalled(world)
    resume(world)
    world.age(STAGING, 20)
    world.look(STAGING)
    found = world.latest(STAGING, commit)
    assert found.state is State.SUCCEEDED
    assert found.summary.startswith("1 object, 1 changed, healthy in 2")
    assert world.given.store.environments.get(STAGING).deployed == commit
    last = world.given.store.deployments.stages(found.id)[-1]
    assert (last.stage, last.message) == (Stage.ROLLOUT, "1/1 ready")
    assert last.finished_at is not None
    assert world.given.store.deployments.queued(STAGING) == ()


def test_when_its_time_is_up_it_has_failed_and_says_what_is_not_ready(world: World) -> None:
    commit = stalled(world)
    world.age(STAGING, 299)
    world.look(STAGING)
    assert world.latest(STAGING, commit).state is State.ROLLING_OUT
    world.age(STAGING, 2)
    world.look(STAGING)
    found = world.latest(STAGING, commit)
    assert found.state is State.FAILED
    namespace = world.given.settings.environment(STAGING).namespace
    assert found.summary.startswith(f"rollout: 0/1 ready after 301 s: Deployment {namespace}/web: ")
    assert world.given.store.environments.get(STAGING).deployed is None


def test_what_cannot_become_healthy_has_failed_at_once(world: World) -> None:
    commit = web(world, paused=True, deadline=1)
    world.plan(commit)
    world.deploy(STAGING)
    for _ in range(50):
        if world.latest(STAGING, commit).state.final:
            break
        time.sleep(0.1)
        world.look(STAGING)
    found = world.latest(STAGING, commit)
    assert found.state is State.FAILED
    assert found.summary.startswith("rollout: Deployment ")
    assert "timed out progressing" in found.summary or "ProgressDeadlineExceeded" in found.summary


def test_a_newer_merge_supersedes_what_is_only_waited_for_and_runs_at_once(world: World) -> None:
    older = stalled(world)
    newer = web(world, paused=True, image="2")
    world.plan(newer)
    world.deploy(STAGING)
    found = world.latest(STAGING, older)
    assert found.state is State.SUPERSEDED
    assert found.summary == f"superseded by {newer[:12]} while rolling out, 0/1 ready"
    assert world.latest(STAGING, newer).state is State.ROLLING_OUT
    assert all(record.finished_at for record in world.given.store.deployments.stages(found.id))


def test_an_older_commit_does_not_go_after_one_that_rolls_out(world: World) -> None:
    older = world.commit("older")
    commit = stalled(world)
    world.given.store.deployments.queue(deployment("old", commit=older))
    world.deploy(STAGING)
    assert world.latest(STAGING, older).state is State.SUPERSEDED
    assert "merged later; to go back" in world.latest(STAGING, older).summary
    assert world.latest(STAGING, commit).state is State.ROLLING_OUT


def test_another_event_of_the_commit_joins_it_and_somebody_who_asks_by_name_does_not(world: World) -> None:
    commit = stalled(world)
    first = world.latest(STAGING, commit)
    world.plan(commit)
    assert world.latest(STAGING, commit).id == first.id
    intake = Intake(world.given.store, world.given.queues, world.clock)
    again = intake.accept(Request(STAGING, commit, Trigger.MANUAL))
    assert again.id != first.id
    world.deploy(STAGING)
    ended = world.given.store.deployments.get(first.id)
    assert ended is not None
    assert ended.state is State.SUPERSEDED
    assert world.latest(STAGING, commit).id == again.id
    assert world.latest(STAGING, commit).state is State.ROLLING_OUT


def test_whatever_job_runs_it_is_not_applied_again_nor_looked_at_before_its_time(
    world: World, looks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = stalled(world)
    monkeypatch.setattr(Pipeline, "run", lambda *_: pytest.fail("applied again"))
    for _ in range(2 * DEATHS):
        world.deploy(STAGING)
    assert world.latest(STAGING, commit).state is State.ROLLING_OUT
    assert (len(looks), scheduled(world)) == (1, 1)


def test_the_same_look_is_made_once(world: World, looks: list[int]) -> None:
    stalled(world)
    for _ in range(3):
        look_with(world.given, STAGING, 1)
    assert (len(looks), scheduled(world)) == (2, 2)


def test_a_look_that_finds_somebody_at_work_comes_back(world: World, looks: list[int]) -> None:
    stalled(world)
    with world.given.store.leases.hold(str(STAGING)):
        world.look(STAGING)
    assert (len(looks), scheduled(world)) == (1, 2)
    assert world.rolling(STAGING).looks == 1


def test_what_was_queued_while_a_look_held_the_environment_is_deployed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    stalled(world)
    look = rollout.look

    def meanwhile(*arguments: object, **options: object) -> object:
        world.plan(web(world, paused=False))
        world.deploy(STAGING)  # its worker finds the environment taken
        forget_jobs(world)
        return look(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(rollout, "look", meanwhile)
    world.look(STAGING)
    assert waiting(world) == 1


def test_what_comes_while_a_look_is_made_supersedes_the_rollout_right_after_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = stalled(world)
    look, newer = rollout.look, list[str]()

    def meanwhile(*arguments: object, **options: object) -> object:
        if not newer:
            newer.append(web(world, paused=True, image="2"))
            world.plan(newer[0])
            work_with(world.given)  # whoever planned it cannot have the environment now
        return look(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(rollout, "look", meanwhile)
    world.look(STAGING)
    work_with(world.given)
    assert world.latest(STAGING, older).state is State.SUPERSEDED
    assert world.latest(STAGING, newer[0]).state is State.ROLLING_OUT


def test_the_next_try_of_a_newer_one_keeps_its_time(world: World) -> None:
    stalled(world)
    world.given.store.deployments.queue(deployment("gone", commit=secrets.token_hex(20)))
    world.deploy(STAGING)  # it is not there yet
    world.look(STAGING)
    assert waiting(world) == 0


def test_the_sweep_leaves_alone_what_waits_and_finds_what_a_dead_worker_left(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = stalled(world)
    world.deploy(PRODUCTION)
    sweep_with(world.given)
    assert waiting(world) == 0
    look = rollout.look
    monkeypatch.setattr(rollout, "look", die)
    for _ in range(2 * DEATHS):
        with pytest.raises(Killed):
            world.look(STAGING)
    monkeypatch.setattr(rollout, "look", look)
    resume(world)
    world.age(STAGING, LONGEST_PAUSE)
    world.clock.move(LONGEST_PAUSE)
    sweep_with(world.given)
    assert waiting(world) == 1
    world.deploy(STAGING)
    assert world.latest(STAGING, commit).state is State.SUCCEEDED


def test_a_look_that_keeps_killing_its_worker_does_not_keep_the_deployment_for_ever(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = stalled(world)
    world.age(STAGING, 301)
    monkeypatch.setattr(rollout, "look", die)
    for _ in range(LATE_LOOKS):
        with pytest.raises(Killed):
            world.look(STAGING)
    world.look(STAGING)
    assert world.latest(STAGING, commit).state is State.FAILED
    assert f"its worker died {LATE_LOOKS} times" in world.latest(STAGING, commit).summary


def test_a_cluster_that_cannot_be_asked_is_waited_for_until_the_time_is_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise Temporary("cluster test does not answer", stage=Stage.APPLY)

    commit = stalled(world)
    monkeypatch.setattr(rollout, "look", away)
    world.look(STAGING)
    found = world.latest(STAGING, commit)
    assert (found.state, found.summary) == (
        State.ROLLING_OUT,
        "0/1 ready, cannot look: cluster test does not answer",
    )
    assert "rollout: 0/1 ready, cannot look" in world.given.store.deployments.log_lines(found.id)[-1]
    world.age(STAGING, 301)
    world.look(STAGING)
    found = world.latest(STAGING, commit)
    assert (found.state, found.summary) == (
        State.FAILED,
        "rollout: 0/1 ready after 301 s, and now: cluster test does not answer",
    )


def test_a_refusal_ends_it_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise Permanent("cluster test forbids to list deployments", stage=Stage.APPLY)

    commit = stalled(world)
    monkeypatch.setattr(rollout, "look", refused)
    world.look(STAGING)
    assert world.latest(STAGING, commit).summary == "rollout: cluster test forbids to list deployments"


@pytest.mark.parametrize("healthy", [True, False])
def test_a_look_of_a_worker_that_lost_its_lease_changes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, *, healthy: bool
) -> None:
    commit = stalled(world)
    before = world.latest(STAGING, commit), world.given.store.deployments.stages(world.latest(STAGING, commit).id)
    look = rollout.look
    if healthy:
        resume(world)

    def slept(*arguments: object, **options: object) -> object:
        seen = look(*arguments, **options)  # type: ignore[arg-type]
        world.given.redis.set(f"deployer:lease:{STAGING}", "999")
        return seen

    monkeypatch.setattr(rollout, "look", slept)
    world.look(STAGING)
    found = world.latest(STAGING, commit)
    assert (found, world.given.store.deployments.stages(found.id)) == before
    assert (world.rolling(STAGING).looks, scheduled(world)) == (1, 1)


def test_the_forge_is_told_how_it_stands_but_not_too_often_and_nothing_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = stalled(world)
    summary = world.latest(STAGING, commit).summary
    world.report(STAGING, commit)
    assert world.posted() == [("deploy/staging", "pending", summary)]
    told = waiting(world, REPORTS)

    def see(ready: int) -> None:
        seen = rollout.Rollout(6, ready, (UNREADY,), ())
        monkeypatch.setattr(rollout, "look", lambda *_, **__: seen)
        world.look(STAGING)

    see(4)
    assert waiting(world, REPORTS) == told  # it was told something a moment ago
    world.age(STAGING, PACE)
    see(4)
    world.report(STAGING, commit)
    assert world.posted()[1:] == [
        ("deploy/staging", "pending", "4/6 ready: Deployment shop/web: 1 of 3 replicas available")
    ]
    world.age(STAGING, PACE)
    see(4)
    assert waiting(world, REPORTS) == told + 1
    assert (STAGING, commit) not in world.given.store.reports.owed(before=world.clock())


def test_a_report_that_tells_older_numbers_is_no_report_left_behind(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = stalled(world)
    told = world.latest(STAGING, commit)
    seen = rollout.Rollout(6, 5, (), ())
    monkeypatch.setattr(rollout, "look", lambda *_, **__: replace(seen, waiting=(UNREADY,)))
    world.look(STAGING)
    assert world.latest(STAGING, commit).summary != told.summary
    world.given.store.reports.told(told)
    assert (STAGING, commit) not in world.given.store.reports.owed(before=world.clock())


def test_a_cluster_that_left_the_settings_meanwhile_ends_it(world: World) -> None:
    commit = stalled(world)
    world.given.redis.hset(f"deployer:deployment:{world.rolls_out(STAGING).id}:rollout", "cluster", "gone")
    world.look(STAGING)
    assert world.latest(STAGING, commit).state is State.FAILED
    assert "cluster gone left the settings" in world.latest(STAGING, commit).summary


@pytest.mark.thorough
def test_a_hundred_rollouts_keep_one_worker_free(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    stalled(world)
    applied = Applied("test", world.rolling(STAGING).applyset, spent=1, timeout=300)
    objects = world.given.store.deployments.objects(world.rolls_out(STAGING).id)
    keys = [replace(STAGING, environment=f"e{number}") for number in range(100)]
    for key in keys:
        one = world.given.store.deployments.queue(deployment(f"d{key.environment}", key=key))
        world.given.store.deployments.write_objects(one.id, objects)
        with world.given.store.leases.hold(str(key)) as lease:
            assert lease is not None
            world.given.store.rollouts.begin(one, applied, lease=lease)
        world.given.queues.look(key, 0, delay=0)
    given = replace(world.given, settings=with_environments(world.given.settings, keys))
    monkeypatch.setattr(job, "resources", lambda: given)
    queue = Queue(LOOKS, connection=world.given.redis, serializer=JSONSerializer)
    began = time.monotonic()
    SimpleWorker([queue], connection=world.given.redis, serializer=JSONSerializer).work(
        burst=True, logging_level="ERROR"
    )
    assert time.monotonic() - began < LONGEST_PAUSE
    assert [world.rolling(key).looks for key in keys] == [1] * 100
    assert (waiting(world, LOOKS), scheduled(world)) == (0, 101)


def test_an_environment_that_left_the_settings_is_not_looked_at_with_more_rights_than_its_own(world: World) -> None:
    commit = stalled(world)
    gone = replace(world.given, settings=with_environments(world.given.settings, [PRODUCTION]))
    look_with(gone, STAGING, world.rolling(STAGING).looks)
    assert world.latest(STAGING, commit).state is State.FAILED
    assert "the environment left the settings" in world.latest(STAGING, commit).summary


def test_looks_become_rarer_and_one_falls_at_the_end_of_the_time() -> None:
    pauses = [pause(looks, left=300, dice=lambda: 0.5) for looks in range(20)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (1.0, LONGEST_PAUSE)
    assert pause(9, left=300, dice=lambda: 0.0) < pause(9, left=300, dice=lambda: 1.0) <= 1.25 * LONGEST_PAUSE
    assert pause(9, left=2.5, dice=lambda: 0.5) == 2.5
    assert pause(9, left=-4, dice=lambda: 0.5) == 1.0
