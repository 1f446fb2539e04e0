"""What drifted is put back by a deployment like any other: when, how often, and what is said when it cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployer.cluster.connection import Connection
from deployer.forges import drift_words
from deployer.holding import Checked, DriftState, Step
from deployer.intake import Intake, Request
from deployer.model import JSON, State, Trigger
from deployer.reverts import COOL_DOWN
from jobs.hold import Hold
from tests import repositories
from tests.examples import STAGING
from tests.jobs.branches import audited
from tests.jobs.drifting import change, deployed, drift_posts, edit, live, look, newest, path
from tests.jobs.world import SHOP, World, config_map

pytestmark = pytest.mark.thorough


@pytest.fixture
def cluster_kubeconfig(kubeconfig: Path) -> Path:
    return kubeconfig


def reverts(world: World) -> int:
    """How many the metrics count."""
    labels = {"repository": SHOP, "environment": "staging"}
    return sum(count for name, of, count in world.given.store.counters.all() if (name, of) == ("drift_reverts", labels))


def test_what_is_held_is_put_back_by_a_deployment(world: World, cluster: Connection) -> None:
    here = deployed(world, drift="revert")
    before = here.posted()
    edit(here, cluster, "mine")
    here.clock.move(1)
    look(here)
    reverting = newest(here)
    assert (reverting.trigger, reverting.commit, reverting.actor) == (Trigger.DRIFT, here.first, None)
    here.deploy(STAGING)
    here.report(STAGING, here.first)
    assert live(here, cluster) == "hello"
    assert newest(here).state is State.SUCCEEDED
    assert here.given.store.drift.due(at=here.clock())[-1] == STAGING, "right after a deployment"
    assert look(here).state is DriftState.IN_SYNC
    assert [state for state, _ in drift_posts(here)] == ["pending", "success"]
    assert [each for each in here.posted() if each[0] == "deploy/staging"] == before, "nothing new of the merge"
    assert any("data.text by kubectl-edit" in str(row.fields) for row in here.given.store.audit.rows())
    assert reverts(here) == 1


def test_a_fighting_controller_is_stopped_and_named(world: World, cluster: Connection) -> None:
    here = deployed(world, drift="revert")
    for _ in range(3):
        edit(here, cluster, "theirs", by="rival-controller")
        assert look(here).step is Step.REVERT
        here.deploy(STAGING)
        assert live(here, cluster) == "hello"
        here.clock.move(COOL_DOWN.total_seconds())
    edit(here, cluster, "theirs", by="rival-controller")
    for _ in range(3):
        assert look(here).step is Step.STOP
        here.clock.move(COOL_DOWN.total_seconds())
    assert here.given.store.deployments.queued(STAGING) == ()
    state, words = drift_posts(here)[-1]
    assert state == "failure"
    assert words.startswith("not put back any more, rival-controller changes it again each time")
    (row,) = audited(here, "revert stopped")
    assert "rival-controller" in str(row["reason"])


def test_within_the_cool_down_nothing_is_written_and_the_next_look_is_at_its_end(
    world: World, cluster: Connection
) -> None:
    here = deployed(world, drift="revert")
    edit(here, cluster, "one")
    look(here)
    here.deploy(STAGING)
    edit(here, cluster, "two")
    assert look(here).step is Step.COOL
    assert here.given.store.deployments.queued(STAGING) == ()
    here.clock.move(COOL_DOWN.total_seconds())
    assert STAGING in here.given.store.drift.due(at=here.clock())
    assert look(here).step is Step.REVERT


def test_a_revert_gives_way_to_a_merge(world: World, cluster: Connection) -> None:
    here = deployed(world, drift="revert")
    edit(here, cluster, "mine")
    look(here)
    newer = here.commit("newer")
    here.plan(newer)
    here.deploy(STAGING)
    assert live(here, cluster) == "newer"
    ended = {one.trigger: one.state for one in here.given.store.deployments.newest(STAGING)}
    assert ended[Trigger.DRIFT] is State.SUPERSEDED
    assert here.given.store.environments.get(STAGING).deployed == newer


def test_a_newer_commit_that_cannot_be_rendered_does_not_end_the_hold(world: World, cluster: Connection) -> None:
    here = deployed(world, drift="revert")
    broken = repositories.commit(here.repository, {"staging/kustomization.yaml": "resources: [gone.yaml]\n"}, "Break")
    here.plan(broken)
    here.deploy(STAGING)
    assert here.latest(STAGING, broken).state is State.FAILED
    edit(here, cluster, "mine")
    here.clock.move(1)
    assert look(here).step is Step.REVERT
    here.deploy(STAGING)
    assert (newest(here).trigger, newest(here).state) == (Trigger.DRIFT, State.SUCCEEDED)
    assert live(here, cluster) == "hello"


@pytest.mark.parametrize("trigger", [Trigger.MANUAL, Trigger.ROLLBACK, Trigger.RERUN])
def test_what_a_person_asks_for_does_not_join_a_revert(world: World, cluster: Connection, trigger: Trigger) -> None:
    here = deployed(world, drift="revert")
    edit(here, cluster, "mine")
    look(here)
    intake = Intake(here.given.store, here.given.queues, here.clock)
    asked = intake.accept(Request(STAGING, here.first, trigger, actor="ada"))
    assert asked.trigger is trigger
    here.deploy(STAGING)
    ended = here.latest(STAGING, here.first)
    assert (ended.id, ended.state) == (asked.id, State.SUCCEEDED)
    assert here.given.store.deployments.queued(STAGING) == ()
    assert live(here, cluster) == "hello"


def test_after_a_revert_a_late_delivery_of_the_same_merge_changes_nothing(world: World, cluster: Connection) -> None:
    here = deployed(world, drift="revert")
    edit(here, cluster, "mine")
    look(here)
    here.deploy(STAGING)
    here.plan(here.first)
    assert here.given.store.deployments.queued(STAGING) == ()


# What cannot be put back


def lock(world: World, cluster: Connection) -> None:
    """Somebody changes the ConfigMap and makes it one that nobody can change any more."""
    change(world, cluster, {"data": {"text": "mine"}, "immutable": True})


def test_what_cannot_be_put_back_is_said_with_its_reason_and_is_nobodys_fight(
    world: World, cluster: Connection
) -> None:
    here = deployed(world, drift="revert")
    lock(here, cluster)
    assert look(here).step is Step.REVERT
    here.deploy(STAGING)
    assert newest(here).state is State.FAILED
    assert STAGING in here.given.store.drift.due(at=here.clock()), "looked at at once, so that nothing stays pending"
    assert look(here).step is Step.FAIL
    (pending, _), (state, words) = drift_posts(here)
    assert (pending, state) == ("pending", "failure")
    assert words.startswith("cannot be put back: ConfigMap ")
    assert "/greeting data.text: " in words
    assert "field is immutable" in words, "that is what people need to read"
    assert not audited(here, "revert stopped")
    assert reverts(here) == 0


def test_it_is_tried_again_ever_more_rarely_and_the_commit_hears_of_it_once(world: World, cluster: Connection) -> None:
    here = deployed(world, drift="revert")
    lock(here, cluster)
    begun, tries = here.clock(), []
    for _ in range(8):
        assert look(here).step is Step.REVERT
        tries.append((here.clock() - begun) / COOL_DOWN)
        here.deploy(STAGING)
        resting = look(here)
        assert resting.step is Step.FAIL
        assert resting.again is not None
        here.clock.now = resting.again
    assert tries == [0, 1, 3, 7, 15, 31, 63, 127]
    assert [state for state, _ in drift_posts(here)] == ["pending", "failure"]


def test_when_it_can_be_put_back_it_is(world: World, cluster: Connection) -> None:
    here = deployed(world, drift="revert")
    change(here, cluster, {"metadata": {"labels": {"applyset.kubernetes.io/part-of": "applyset-another-v1"}}})
    for _ in range(4):
        look(here)
        here.deploy(STAGING)
        here.clock.move(COOL_DOWN.total_seconds())
    assert newest(here).state is State.FAILED
    change(here, cluster, {"metadata": {"labels": {"applyset.kubernetes.io/part-of": None}}})
    here.clock.move(8 * COOL_DOWN.total_seconds())
    assert look(here).step is Step.REVERT
    here.deploy(STAGING)
    assert look(here).state is DriftState.IN_SYNC
    assert drift_posts(here)[-1] == ("success", "in sync")


# What counts


def test_a_revert_that_joins_what_somebody_asked_for_meanwhile_does_not_count(
    world: World, cluster: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = deployed(world, drift="revert")
    intake, note = Intake(here.given.store, here.given.queues, here.clock), Hold._note

    def asked_meanwhile(self: Hold, *looks: Checked) -> None:
        note(self, *looks)
        intake.accept(Request(STAGING, here.first, Trigger.MANUAL, actor="ada"))

    edit(here, cluster, "mine")
    with monkeypatch.context() as patched:
        patched.setattr(Hold, "_note", asked_meanwhile)
        checked = look(here)
    assert checked.step is Step.REVERT
    assert (checked.memory.attempt, checked.memory.reverts) == (None, {})
    (asked,) = here.given.store.deployments.queued(STAGING)
    assert asked.trigger is Trigger.MANUAL


def test_a_revert_that_a_merge_supersedes_does_not_count(world: World, cluster: Connection) -> None:
    here = deployed(world, drift="revert")
    edit(here, cluster, "mine")
    assert look(here).memory.attempt is not None
    reverting = newest(here)
    broken = repositories.commit(here.repository, {"staging/kustomization.yaml": "resources: [gone.yaml]\n"}, "Break")
    here.plan(broken)
    here.deploy(STAGING)
    ended = here.given.store.deployments.get(reverting.id)
    assert ended is not None
    assert ended.state is State.SUPERSEDED
    here.clock.move(COOL_DOWN.total_seconds())
    checked = look(here)
    assert (checked.step, checked.memory.reverts) == (Step.REVERT, {})


def test_three_reverts_that_were_done_count_and_are_counted_once_each(world: World, cluster: Connection) -> None:
    here = deployed(world, drift="revert")
    for done in range(1, 4):
        edit(here, cluster, "mine")
        look(here)
        here.deploy(STAGING)
        look(here)
        (times,) = look(here).memory.reverts.values()
        assert len(times) == done
        assert reverts(here) == done
        here.clock.move(COOL_DOWN.total_seconds())


# Which commit is held


def test_nothing_is_put_back_where_what_runs_may_be_of_two_commits(world: World, cluster: Connection) -> None:
    here = deployed(world, drift="revert")
    theirs: JSON = {"name": "theirs", "labels": {"applyset.kubernetes.io/part-of": "applyset-another-v1"}}
    assert cluster.request("POST", path(here, "configmaps"), body={"metadata": theirs}).status == 201
    half = config_map("newer") + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: theirs}\n"
    bad = repositories.commit(here.repository, {"staging/config.yaml": half}, "Half of it works")
    here.plan(bad)
    here.deploy(STAGING)
    assert here.latest(STAGING, bad).state is State.FAILED
    assert live(here, cluster) == "newer", "the old commit is not what runs"
    checked = look(here)
    assert (checked.state, checked.objects) == (DriftState.UNKNOWN, ())
    assert checked.reason == f"the deployment of {bad[:12]} did not succeed, so what runs may be of two commits"
    assert here.given.store.deployments.queued(STAGING) == ()
    assert live(here, cluster) == "newer"


def test_after_a_rollback_the_older_commit_is_held(world: World, cluster: Connection) -> None:
    here = deployed(world, drift="revert")
    newer = here.commit("newer")
    here.plan(newer)
    here.deploy(STAGING)
    intake = Intake(here.given.store, here.given.queues, here.clock)
    intake.accept(Request(STAGING, here.first, Trigger.ROLLBACK, actor="ada"))
    here.deploy(STAGING)
    assert (look(here).commit, live(here, cluster)) == (here.first, "hello")
    edit(here, cluster, "newer")
    assert look(here).step is Step.REVERT
    here.deploy(STAGING)
    assert (newest(here).trigger, newest(here).state) == (Trigger.DRIFT, State.SUCCEEDED)
    assert live(here, cluster) == "hello"
    assert here.given.store.environments.get(STAGING).deployed == here.first


def test_a_commit_that_a_forced_push_took_away_is_not_put_back_and_the_reason_is_said(
    world: World, cluster: Connection
) -> None:
    here = deployed(world, drift="revert")
    lost = here.commit("lost")
    here.plan(lost)
    here.deploy(STAGING)
    look(here)
    repositories.rewind(here.repository, here.first)
    broken = repositories.commit(here.repository, {"staging/kustomization.yaml": "resources: [gone.yaml]\n"}, "Break")
    here.plan(broken)
    here.deploy(STAGING)
    edit(here, cluster, "mine")
    assert look(here).commit == lost
    here.deploy(STAGING)
    assert (newest(here).trigger, newest(here).state) == (Trigger.DRIFT, State.FAILED)
    assert live(here, cluster) == "mine"
    checked = look(here)
    assert checked.step is Step.FAIL
    assert "branch 'main' does not contain it" in drift_words.said(checked)
    fixed = repositories.commit(here.repository, {"staging/kustomization.yaml": "resources: [config.yaml]\n"}, "Mend")
    here.plan(fixed)
    here.deploy(STAGING)
    assert here.latest(STAGING, fixed).state is State.SUCCEEDED
    assert look(here).state is DriftState.IN_SYNC
