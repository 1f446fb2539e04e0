"""A merge deploys the environments that it changes something for, and leaves the others alone."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from deployer.model import Environment, EnvironmentKey, PrunePolicy, State, Trigger
from deployer.planning import fingerprint, reached
from tests import repositories
from tests.examples import MAIN, PRODUCTION, STAGING, environment
from tests.jobs.world import World, config_map


def deployed(world: World) -> None:
    """Both environments run the first commit."""
    world.plan(world.first)
    for key in (STAGING, PRODUCTION):
        world.deploy(key)
        assert world.latest(key, world.first).state is State.SUCCEEDED


def change(world: World, *names: str, text: str = "ahoy") -> str:
    """Change something beside the named environments' overlays, or in them."""
    files = {f"{name}/config.yaml": config_map(text) for name in names} or {"README.md": text}
    return repositories.commit(world.repository, files)


def queued(world: World, key: EnvironmentKey) -> list[str]:
    return [deployment.commit for deployment in world.given.store.deployments.queued(key)]


def test_only_the_environment_that_reads_what_changed_is_deployed(world: World) -> None:
    deployed(world)
    commit = change(world, "staging")
    world.plan(commit)
    assert queued(world, STAGING) == [commit]
    assert queued(world, PRODUCTION) == []
    assert world.given.store.deployments.latest(PRODUCTION, commit) is None


def test_a_merge_that_reaches_none_has_no_status_and_is_on_record(world: World) -> None:
    deployed(world)
    told = len(world.posted())
    commit = change(world)
    delivery = world.deliver(commit)
    world.plan(commit)
    assert queued(world, STAGING) == queued(world, PRODUCTION) == []
    assert len(world.posted()) == told
    rows = [row for row in world.given.store.audit.rows() if row.fields.get("delivery") == delivery]
    assert [(row.what, row.fields.get("environment")) for row in rows][-1] == ("skipped", None)
    assert rows[-1].fields["reason"] == "changes nothing that an environment is deployed from"


def test_what_a_failed_deployment_did_is_not_known_and_the_next_merge_reaches_it(world: World) -> None:
    deployed(world)
    broken = repositories.commit(world.repository, {"staging/config.yaml": "kind: [\n"})
    world.plan(broken)
    world.deploy(STAGING)
    assert world.latest(STAGING, broken).state is State.FAILED
    commit = change(world)
    world.plan(commit)
    assert queued(world, STAGING) == [commit]


def test_a_merge_that_takes_back_one_that_is_on_its_way_reaches_it(world: World) -> None:
    deployed(world)
    world.plan(change(world, "staging"))
    back = change(world, "staging", text="hello")
    world.plan(back)
    assert back in queued(world, STAGING)
    world.deploy(STAGING)
    assert world.given.store.environments.get(STAGING).deployed == back


def test_a_replay_goes_where_its_merge_went_although_nothing_differs(world: World) -> None:
    delivery = world.deliver(world.first)
    deployed(world)
    world.clock.move(60)
    world.plan(world.first, delivery=delivery)
    assert [each.trigger for each in world.given.store.deployments.queued(STAGING)] == [Trigger.REPLAY]


def test_settings_that_change_what_is_applied_count_too(world: World) -> None:
    deployed(world)
    found = world.given.settings.environment(STAGING)
    (standing,) = world.given.store.environments.standings([STAGING], world.first)
    assert standing.settled
    assert standing.reads is not None
    elsewhere = replace(found, namespace="elsewhere")
    assert fingerprint(elsewhere, "x") != fingerprint(found, "x")


@pytest.mark.parametrize(
    "other",
    [
        replace(environment(), cluster="other"),
        replace(environment(), namespace="other"),
        replace(environment(), overlay="other"),
        replace(environment(), force_conflicts=not environment().force_conflicts),
        replace(environment(), prune=PrunePolicy(protected=False)),
        replace(environment(), service_account="shop/hands"),
        replace(environment(), helm=True),
    ],
)
def test_each_setting_that_is_applied_changes_the_fingerprint(other: Environment) -> None:
    assert fingerprint(other, "x") != fingerprint(environment(), "x")


def test_settings_that_only_say_when_to_look_do_not() -> None:
    other = replace(environment(), rollout_timeout=7, drift_interval=7)
    assert fingerprint(other, "x") == fingerprint(environment(), "x") != fingerprint(environment(), "y")


@pytest.mark.parametrize(
    ("settled", "before", "seen", "lost", "reaches"),
    [
        (True, "a", False, False, False),
        (True, "b", False, False, True),
        (True, None, False, False, True),
        (False, "a", False, False, True),
        (True, "a", True, False, True),
        (True, "a", False, True, True),
    ],
)
def test_an_environment_is_left_alone_only_when_all_is_known_and_the_same(
    settled: bool, before: str | None, seen: bool, lost: bool, reaches: bool
) -> None:
    assert reached("a", settled=settled, deployed=before, seen=seen, lost=lost) is reaches


def test_a_late_delivery_does_not_bring_what_was_taken_back(world: World) -> None:
    """The newer merge, which takes the older one back, is told first, and changes nothing as far as anybody knows."""
    deployed(world)
    taken_back = change(world, "staging")
    tip = change(world, "staging", text="hello")
    world.plan(tip)
    assert queued(world, STAGING) == []
    world.plan(taken_back)
    assert queued(world, STAGING) == []
    assert world.latest(STAGING, taken_back).state is State.SUPERSEDED


def test_what_is_taken_back_before_it_begins_is_superseded(world: World) -> None:
    deployed(world)
    taken_back = change(world, "staging")
    world.plan(taken_back)
    tip = change(world, "staging", text="hello")
    mirror = world.given.mirror(world.given.settings.environment(STAGING))
    mirror.fetch("main")
    environments = world.given.store.environments
    before = environments.planned(MAIN)
    assert environments.plan(MAIN, tip, after=before)  # by another worker, at the same moment
    world.deploy(STAGING)
    assert world.latest(STAGING, taken_back).state is State.SUPERSEDED
    assert environments.get(STAGING).deployed == world.first


def test_what_runs_can_be_deployed_again_although_newer_merges_changed_nothing(world: World) -> None:
    delivery = world.deliver(world.first)
    deployed(world)
    world.plan(change(world))
    world.clock.move(60)
    world.plan(world.first, delivery=delivery)
    assert [each.trigger for each in world.given.store.deployments.queued(STAGING)] == [Trigger.REPLAY]
    world.deploy(STAGING)
    assert world.latest(STAGING, world.first).state is State.SUCCEEDED


def test_a_deployment_that_failed_after_one_that_succeeded_makes_the_next_merge_reach_it(world: World) -> None:
    deployed(world)
    again = world.given.store.deployments.latest(STAGING, world.first)
    assert again is not None
    world.given.store.environments.begin(again)  # a replay of the same commit, whose worker died midway
    commit = change(world)
    world.plan(commit)
    assert queued(world, STAGING) == [commit]


def forced_away(world: World) -> tuple[str, str]:
    """Both run a commit that a forced push took off the branch; that commit, and the new tip with the same overlays."""
    deployed(world)
    lost = change(world, "staging", "production", text="hello")  # as it was before: only a commit
    for key in (STAGING, PRODUCTION):
        world.given.redis.hset(f"deployer:environment:{key}", mapping={"deployed": lost, "desired": lost})
    world.plan(lost)
    repositories.rewind(world.repository, world.first)
    return lost, change(world, text="instead")


def test_a_forced_push_that_takes_off_what_runs_is_told_although_it_changes_nothing(world: World) -> None:
    lost, tip = forced_away(world)
    world.plan(tip)
    told = f"a forced push took what was deployed ({lost[:12]}) off main"
    for key in (STAGING, PRODUCTION):
        (found,) = world.given.store.deployments.queued(key)
        assert found.commit == tip
        rows = [row for row in world.given.store.audit.rows() if row.fields.get("deployment") == found.id]
        assert [(row.what, row.fields["reason"]) for row in rows] == [("queued", told)]
        world.deploy(key)
        assert world.given.store.environments.get(key).deployed == tip
    world.report(STAGING, tip)
    context, state, description = world.posted()[-1]
    assert (context, state) == ("deploy/staging", "success")
    assert "nothing to change" in description


def test_it_is_told_once(world: World) -> None:
    _, tip = forced_away(world)
    world.plan(tip)
    for key in (STAGING, PRODUCTION):
        world.deploy(key)
    world.plan(change(world, text="more"))
    assert queued(world, STAGING) == queued(world, PRODUCTION) == []


def test_so_it_is_when_our_mirror_has_never_seen_what_runs(world: World) -> None:
    """The mirror is a cache: it was deleted, or another machine's has it."""
    _, tip = forced_away(world)
    shutil.rmtree(world.given.data / "mirrors")
    world.given.mirror(world.given.settings.environment(STAGING)).fetch("main")
    world.plan(tip)
    assert queued(world, STAGING) == [tip]


def test_a_branch_that_only_grew_has_lost_nothing(world: World) -> None:
    deployed(world)
    for text in ("one", "two", "three"):
        world.plan(change(world, text=text))
    mirror = world.given.mirror(world.given.settings.environment(STAGING))
    assert mirror.lost("main", [world.first, repositories.tip(world.repository)]) == frozenset()
    assert mirror.lost("main", []) == frozenset()
    assert mirror.lost("main", [world.first, "1" * 40]) == {"1" * 40}
    assert queued(world, STAGING) == []
