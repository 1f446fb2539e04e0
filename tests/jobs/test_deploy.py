from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from deployer.cluster.connection import connect
from deployer.model import Action, Deployment, Stage, State, Temporary, Trigger
from deployer.pipeline import Pipeline
from deployer.source.mirror import Mirror
from jobs.deploy import DEATHS, Turn
from tests import repositories
from tests.examples import STAGING, deployment
from tests.jobs.dying import Killed, die
from tests.jobs.world import World


def greeting(world: World) -> object:
    environment = world.given.settings.environment(STAGING)
    with connect(world.given.settings.clusters["test"]) as connection:
        path = f"/api/v1/namespaces/{environment.namespace}/configmaps/greeting"
        body = connection.request("GET", path).body
    assert isinstance(body, dict)
    return body.get("data")


def test_a_deployment_brings_the_commit_to_the_cluster(world: World) -> None:
    world.plan(world.first)
    world.deploy(STAGING)
    found = world.latest(STAGING, world.first)
    assert found.state is State.SUCCEEDED
    assert found.summary.startswith("1 object, 1 changed, healthy in ")
    assert greeting(world) == {"text": "hello"}
    assert world.given.store.environments.get(STAGING).deployed == world.first
    assert world.given.store.deployments.queued(STAGING) == ()
    stages = world.given.store.deployments.stages(found.id)
    assert [record.stage for record in stages] == [Stage.FETCH, Stage.RENDER, Stage.APPLY, Stage.ROLLOUT]
    assert [result.action for result in world.given.store.deployments.objects(found.id)] == [Action.CREATED]
    assert world.given.store.deployments.log_lines(found.id)


def test_of_several_that_wait_the_newest_runs_and_the_others_are_superseded(world: World) -> None:
    commits = [world.first, world.commit("one"), world.commit("two")]
    for commit in (commits[1], commits[2], commits[0]):
        world.plan(commit)
    world.deploy(STAGING)
    states = [world.latest(STAGING, commit).state for commit in commits]
    assert states == [State.SUPERSEDED, State.SUPERSEDED, State.SUCCEEDED]
    assert world.latest(STAGING, commits[0]).summary.startswith(f"older than {commits[2][:12]}, which")
    superseded = world.latest(STAGING, commits[1])
    assert superseded.summary == f"superseded by {commits[2][:12]}"
    assert superseded.superseded_by == world.latest(STAGING, commits[2]).id
    assert greeting(world) == {"text": "two"}


def test_a_broken_overlay_fails_with_the_renderers_reason_and_leaves_the_environment_as_it_was(world: World) -> None:
    world.plan(world.first)
    world.deploy(STAGING)
    broken = repositories.commit(world.repository, {"staging/kustomization.yaml": "resources: [missing.yaml]\n"})
    world.plan(broken)
    world.deploy(STAGING)
    found = world.latest(STAGING, broken)
    assert found.state is State.FAILED
    assert found.summary.startswith("render: ")
    assert "missing.yaml" in found.summary
    assert world.given.store.environments.get(STAGING).deployed == world.first


def test_all_objects_that_fail_are_told(world: World) -> None:
    invalid = "apiVersion: v1\nkind: Service\nmetadata: {name: NOT_VALID}\nspec: {ports: [{port: 1}]}\n"
    bad = repositories.commit(
        world.repository, {"staging/config.yaml": invalid + "---\n" + invalid.replace("NOT_VALID", "ALSO_BAD")}
    )
    world.plan(bad)
    world.deploy(STAGING)
    found = world.latest(STAGING, bad)
    assert found.summary.startswith("apply: 2 of 2 objects failed: ")
    results = world.given.store.deployments.objects(found.id)
    assert [each.action for each in results] == [Action.FAILED, Action.FAILED]
    lines = {each.ref.name: each.source for each in results}
    assert lines == {"NOT_VALID": "staging/config.yaml:3", "ALSO_BAD": "staging/config.yaml:8"}
    assert "staging/config.yaml:3: failed" in "\n".join(world.given.store.deployments.log_lines(found.id))


def test_a_mirror_that_breaks_meanwhile_takes_no_reason_along(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise Temporary("broken", stage=Stage.FETCH)

    invalid = "apiVersion: v1\nkind: Service\nmetadata: {name: NOT_VALID}\nspec: {ports: [{port: 1}]}\n"
    world.plan(bad := repositories.commit(world.repository, {"staging/config.yaml": invalid}))
    monkeypatch.setattr(Mirror, "texts", breaks)
    world.deploy(STAGING)
    assert world.latest(STAGING, bad).summary.startswith("apply: 1 of 1 objects failed: ")


def test_a_file_with_a_name_that_is_no_text_takes_no_reason_along(world: World) -> None:
    """git takes any bytes for a name; a log and a forge do not."""
    invalid = "apiVersion: v1\nkind: Service\nmetadata: {name: NOT_VALID}\nspec: {ports: [{port: 1}]}\n"
    odd = os.fsdecode(b"staging/caf\xe9.yaml")
    files: dict[str, str | bytes | Path | None] = {
        odd: invalid,
        "staging/config.yaml": Path(os.fsdecode(b"caf\xe9.yaml")),
    }
    world.plan(bad := repositories.commit(world.repository, files))
    world.deploy(STAGING)
    found = world.latest(STAGING, bad)
    assert found.summary.startswith("apply: 1 of 1 objects failed: ")
    assert [each.source for each in world.given.store.deployments.objects(found.id)] == [""]


def test_a_temporary_fault_is_shown_and_tried_again_until_the_budget_is_used_up(world: World) -> None:
    gone = "a" * 40
    world.given.store.deployments.queue(deployment(commit=gone))
    world.deploy(STAGING)
    waiting = world.latest(STAGING, gone)
    assert waiting.state is State.QUEUED
    assert waiting.summary.startswith("retry 1 of 5 in ")
    assert world.given.store.deployments.waiting(before=world.clock.now) == ()
    for _ in range(10):
        world.deploy(STAGING)
    assert world.latest(STAGING, gone).state is State.FAILED


def test_whoever_does_not_get_the_lease_leaves_it_to_the_holder(world: World) -> None:
    world.plan(world.first)
    with world.given.store.leases.hold(str(STAGING)):
        world.deploy(STAGING)
        assert world.latest(STAGING, world.first).state is State.QUEUED
    world.deploy(STAGING)
    assert world.latest(STAGING, world.first).state is State.SUCCEEDED


def test_a_worker_that_lost_its_lease_writes_nothing_and_ends_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.plan(world.first)
    render = Pipeline._render

    def slow(self: Pipeline, commit: str) -> object:
        world.given.redis.set(f"deployer:lease:{STAGING}", "999")  # somebody else has it by now
        return render(self, commit)

    monkeypatch.setattr(Pipeline, "_render", slow)
    world.deploy(STAGING)
    assert not world.latest(STAGING, world.first).state.final
    assert greeting(world) is None


def test_an_older_commit_is_not_brought_back_but_a_rollback_is(world: World) -> None:
    newer = world.commit("ahoy")
    world.plan(newer)
    world.deploy(STAGING)
    old = deployment("old", commit=world.first, trigger=Trigger.MANUAL)
    world.given.store.deployments.queue(old)
    world.deploy(STAGING)
    refused = world.given.store.deployments.get("old")
    assert refused is not None
    assert refused.state is State.SUPERSEDED
    assert "--allow-rollback" in refused.summary
    world.given.store.deployments.queue(replace(old, id="back", trigger=Trigger.ROLLBACK))
    world.deploy(STAGING)
    assert greeting(world) == {"text": "hello"}
    assert world.given.store.environments.get(STAGING).deployed == world.first


def test_an_environment_that_left_the_settings_fails_what_is_queued_for_it(world: World) -> None:
    gone = replace(STAGING, environment="gone")
    world.given.store.deployments.queue(deployment(key=gone))
    world.deploy(gone)
    found = world.given.store.deployments.get("a1")
    assert found is not None
    assert found.state is State.FAILED


def test_a_bug_of_ours_ends_the_deployment_and_says_where_to_look(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bug(*_: object) -> None:
        raise ValueError("secret detail")

    monkeypatch.setattr(Pipeline, "_render", bug)
    world.plan(world.first)
    world.deploy(STAGING)
    found = world.latest(STAGING, world.first)
    assert found.state is State.FAILED
    assert found.summary == f"internal error (ValueError); the worker's log has the details under {found.id}"


def test_a_deployment_that_a_killed_worker_left_behind_is_run_by_the_next(world: World) -> None:
    world.plan(world.first)
    (queued,) = world.given.store.deployments.queued(STAGING)
    world.given.store.environments.begin(queued)
    world.given.store.deployments.advance(queued, State.RUNNING, "rendering")
    world.deploy(STAGING)
    assert world.latest(STAGING, world.first).state is State.SUCCEEDED


def test_a_commit_that_is_none_ends_alone(world: World) -> None:
    world.given.store.deployments.queue(deployment("typo", commit="abc1234", trigger=Trigger.MANUAL))
    world.plan(world.first)
    world.deploy(STAGING)
    typo = world.given.store.deployments.get("typo")
    assert typo is not None
    assert typo.state is State.FAILED
    assert world.latest(STAGING, world.first).state is State.SUCCEEDED


def test_a_commit_that_a_forced_push_took_away_supersedes_nothing(world: World) -> None:
    taken_back = world.commit("a mistake")
    world.plan(taken_back)
    repositories.rewind(world.repository, world.first)
    tip = world.commit("better")
    world.plan(tip)
    world.given.store.deployments.queue(deployment("again", commit=taken_back))
    world.deploy(STAGING)
    assert world.latest(STAGING, tip).state is State.SUCCEEDED
    assert world.latest(STAGING, taken_back).state is State.FAILED


def test_a_worker_that_ends_too_late_changes_nothing_of_what_its_successor_did(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.plan(world.first)
    run = Pipeline.run

    def overtaken(self: Pipeline, commit: str) -> object:
        monkeypatch.setattr(Pipeline, "run", run)
        world.given.redis.delete(f"deployer:lease:{STAGING}")  # it was asleep for longer than its lease
        world.plan(world.commit("newer"))
        world.deploy(STAGING)
        return ()

    monkeypatch.setattr(Pipeline, "run", overtaken)
    world.deploy(STAGING)
    newer = repositories.tip(world.repository)
    assert world.latest(STAGING, newer).state is State.SUCCEEDED
    assert world.given.store.environments.get(STAGING).deployed == newer
    assert world.latest(STAGING, world.first).state is State.SUPERSEDED


def test_a_worker_that_wakes_up_while_it_renders_adds_nothing_to_what_has_ended(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.plan(world.first)
    render = Pipeline._render

    def overtaken(self: Pipeline, commit: str) -> object:
        monkeypatch.setattr(Pipeline, "_render", render)
        world.given.redis.delete(f"deployer:lease:{STAGING}")  # it was asleep for longer than its lease
        world.plan(world.commit("newer"))
        world.deploy(STAGING)
        return render(self, commit)

    monkeypatch.setattr(Pipeline, "_render", overtaken)
    world.deploy(STAGING)
    older = world.latest(STAGING, world.first)
    assert older.state is State.SUPERSEDED
    stages = world.given.store.deployments.stages(older.id)
    assert [record.stage for record in stages if record.finished_at is None] == []
    assert greeting(world) == {"text": "newer"}


def test_a_worker_that_wakes_up_before_it_begins_is_not_what_the_environment_should_run(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.plan(world.first)
    supersede = Turn._supersede_rollouts

    def overtaken(self: Turn, chosen: Deployment) -> None:
        monkeypatch.setattr(Turn, "_supersede_rollouts", supersede)
        world.given.redis.delete(f"deployer:lease:{STAGING}")
        world.plan(world.commit("newer"))
        world.deploy(STAGING)

    monkeypatch.setattr(Turn, "_supersede_rollouts", overtaken)
    world.deploy(STAGING)
    newer = repositories.tip(world.repository)
    state = world.given.store.environments.get(STAGING)
    assert (state.desired, state.deployment) == (newer, world.latest(STAGING, newer).id)


def test_a_worker_that_fails_too_late_reopens_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.plan(world.first)
    run = Pipeline.run

    def overtaken(self: Pipeline, commit: str) -> object:
        monkeypatch.setattr(Pipeline, "run", run)
        world.given.redis.delete(f"deployer:lease:{STAGING}")
        world.deploy(STAGING)
        raise Temporary("connection reset", stage=Stage.APPLY)

    monkeypatch.setattr(Pipeline, "run", overtaken)
    world.deploy(STAGING)
    assert world.latest(STAGING, world.first).state is State.SUCCEEDED


def test_a_deployment_that_keeps_killing_its_worker_is_stopped(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pipeline, "run", die)
    world.plan(world.first)
    for _ in range(DEATHS):
        with pytest.raises(Killed):
            world.deploy(STAGING)
    world.deploy(STAGING)
    found = world.latest(STAGING, world.first)
    assert found.state is State.FAILED
    assert found.summary.startswith("its worker died 3 times")


def test_a_newer_merge_does_not_wait_for_the_retry_of_an_older_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.plan(world.first)
    run = Pipeline.run

    def busy(self: Pipeline, commit: str) -> object:
        monkeypatch.setattr(Pipeline, "run", run)
        world.plan(world.commit("newer"))
        raise Temporary("come back later", stage=Stage.APPLY, retry_after=900)

    monkeypatch.setattr(Pipeline, "run", busy)
    world.deploy(STAGING)
    assert STAGING in world.given.store.deployments.waiting(before=world.clock())


def test_what_is_handed_on_by_workers_that_are_asked_to_stop_is_not_counted_as_their_death(world: World) -> None:
    world.plan(world.first)
    leases = world.given.store.leases
    for _ in range(DEATHS + 1):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Pipeline, "run", lambda pipeline, _: _stop(world, pipeline))
            world.deploy(STAGING)
        leases.stopping = False
        assert not leases.held(str(STAGING))
        assert STAGING in world.given.store.deployments.waiting(before=world.clock())
    world.deploy(STAGING)
    assert world.latest(STAGING, world.first).state is State.SUCCEEDED


def _stop(world: World, pipeline: Pipeline) -> None:
    world.given.store.leases.stopping = True
    pipeline.lease.check()
