from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest
from rq import Queue
from rq.timeouts import JobTimeoutException

from deployer.model import Delivery, EnvironmentKey, State, Trigger
from deployer.retries import DEPLOYMENTS as BUDGET
from deployer.settings import Settings
from deployer.source.mirror import Mirror
from jobs import merge
from jobs.delivery import DEATHS, plan_delivery
from jobs.merge import CLAIM, plan_owed, plan_with
from jobs.plan import Plan, broken, turn
from jobs.queue import DEPLOYMENTS, MERGES, REPORTS
from jobs.resources import Resources
from tests import repositories
from tests.examples import MAIN, PRODUCTION, STAGING, after
from tests.jobs.dying import Killed, die
from tests.jobs.world import World, plan_all


def waiting(world: World, queue: str) -> int:
    return Queue(queue, connection=world.given.redis).count


def test_each_environment_gets_a_deployment_and_its_commit_a_report(world: World) -> None:
    world.plan(world.first)
    for key in (STAGING, PRODUCTION):
        (queued,) = world.given.store.deployments.queued(key)
        assert (queued.commit, queued.state, queued.trigger) == (world.first, State.QUEUED, Trigger.MERGE)
    assert waiting(world, REPORTS) == 2
    assert world.given.store.deliveries.owed(before=after(1000)) == ()


def test_push_and_pull_request_of_one_merge_make_one_deployment(world: World) -> None:
    world.plan(world.first)
    world.plan(world.first)
    assert len(world.given.store.deployments.queued(STAGING)) == 1


def test_all_that_is_owed_is_planned_at_once(world: World) -> None:
    for commit in (world.first, world.commit("ahoy")):
        world.deliver(commit)
        world.clock.move(0.1)  # the older one first
    assert plan_all(world.given) == [PRODUCTION, PRODUCTION, STAGING, STAGING]
    assert len(world.given.store.deployments.queued(STAGING)) == 2
    assert plan_all(world.given) == []


def test_a_commit_that_the_branch_does_not_contain_fails_with_the_reason(world: World) -> None:
    taken_back = world.commit("a mistake")
    world.given.mirror(world.given.settings.environment(STAGING)).fetch("main")
    repositories.rewind(world.repository, world.first)
    world.commit("something else")
    world.given.mirror(world.given.settings.environment(STAGING)).fetch("main")
    world.plan(taken_back)
    found = world.latest(STAGING, taken_back)
    assert found.state is State.FAILED
    assert found.summary.startswith("plan: ")
    assert "does not contain it" in found.summary


def test_a_repository_that_is_gone_fails_every_environment_with_the_reason(world: World) -> None:
    shutil.move(world.repository, f"{world.repository}-away")
    world.plan(world.first)
    for key in (STAGING, PRODUCTION):
        found = world.latest(key, world.first)
        assert found.state is State.FAILED
        assert "acme/shop" in found.summary


def test_a_commit_that_is_not_there_yet_is_waited_for(world: World) -> None:
    commit = secrets.token_hex(20)
    delivery = world.deliver(commit)
    plan_delivery(world.given, "github", delivery)
    assert world.given.store.deployments.latest(STAGING, commit) is None
    assert world.given.store.deliveries.owed(before=world.clock()) == ()
    assert world.given.store.deliveries.owed(before=after(60)) == (("github", delivery),)
    assert waiting(world, MERGES) == 0


def test_the_budget_of_waiting_ends_with_a_failure_that_people_see(world: World) -> None:
    commit = secrets.token_hex(20)
    delivery = world.deliver(commit)
    for _ in range(BUDGET.attempts):
        plan_delivery(world.given, "github", delivery)
    found = world.latest(STAGING, commit)
    assert found.state is State.FAILED
    assert "not there yet" in found.summary
    assert world.given.store.deliveries.owed(before=after(1000)) == ()


def deployed_as(world: World, delivery: str) -> None:
    """Staging runs the first commit, because of one delivery; a minute has passed."""
    world.plan(world.first, delivery=delivery)
    world.clock.move(5)
    world.deploy(STAGING)
    world.clock.move(60)


def test_a_replay_after_the_end_deploys_again_and_says_who_asked(world: World) -> None:
    deployed_as(world, "d1")
    world.plan(world.first, delivery="d1")
    (queued,) = world.given.store.deployments.queued(STAGING)
    assert (queued.trigger, queued.actor) == (Trigger.REPLAY, "redelivery by github")
    (row,) = [row for row in world.given.store.audit.rows() if row.fields.get("deployment") == queued.id]
    found = (row.what, row.fields["trigger"], row.fields["actor"], row.fields["delivery"])
    assert found == ("queued", "replay", "redelivery by github", "d1")


def test_so_does_what_somebody_sends_through_again_here(world: World) -> None:
    deployed_as(world, "d1")
    recorded = world.given.store.deliveries.get("github", "d1")
    assert recorded is not None
    again = replace(recorded, received_at=world.clock())
    world.given.store.arrivals.take(again, owed=True, what="replayed", again_by="ada")
    plan_all(world.given)
    (queued,) = world.given.store.deployments.queued(STAGING)
    assert (queued.trigger, queued.actor) == (Trigger.REPLAY, "ada")


def test_a_replay_of_what_failed_deploys_again_too(world: World) -> None:
    broken = repositories.commit(world.repository, {"staging/config.yaml": "kind: [\n"})
    world.plan(broken, delivery="d1")
    world.deploy(STAGING)
    assert world.latest(STAGING, broken).state is State.FAILED
    world.clock.move(60)
    world.plan(broken, delivery="d1")
    (queued,) = world.given.store.deployments.queued(STAGING)
    assert queued.trigger is Trigger.REPLAY


def test_the_same_event_from_another_webhook_of_the_forge_is_no_replay(world: World) -> None:
    deployed_as(world, "d1")
    recorded = world.given.store.deliveries.get("github", "d1")
    assert recorded is not None
    world.given.store.arrivals.take(
        replace(recorded, received_at=world.clock(), sender="2"), owed=True, what="accepted"
    )
    plan_all(world.given)
    assert world.given.store.deployments.queued(STAGING) == ()


def test_a_replay_of_an_old_merge_changes_nothing_and_its_commit_says_how_to_go_back(world: World) -> None:
    deployed_as(world, "old")
    newer = world.commit("ahoy")
    world.plan(newer)
    world.deploy(STAGING)
    world.clock.move(60)
    world.plan(world.first, delivery="old")
    assert world.given.store.deployments.queued(STAGING) == ()
    assert world.given.store.environments.get(STAGING).deployed == newer
    refused = world.latest(STAGING, world.first)
    assert (refused.state, refused.trigger) == (State.SUPERSEDED, Trigger.REPLAY)
    assert refused.summary.startswith(f"older than {newer[:12]}, which was merged later; to go back: deployer deploy ")
    world.report(STAGING, world.first)
    _, state, description = world.posted()[-1]
    assert (state, description) == ("failure", refused.summary)
    rows = [row for row in world.given.store.audit.rows() if row.fields.get("deployment") == refused.id]
    assert [(row.what, row.fields["reason"]) for row in rows] == [("superseded", refused.summary)]


def test_a_delivery_that_we_cannot_cope_with_holds_up_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(*arguments: object) -> object:
        if arguments[2] == "bad":
            raise ValueError("a bug of ours")
        return plan_delivery(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(merge, "plan_delivery", bug)
    world.deliver(world.first, delivery="bad")
    world.clock.move(0.1)
    world.deliver(world.first)
    assert plan_all(world.given) == [PRODUCTION, STAGING]
    assert world.given.store.deliveries.owed(before=after(1000)) == ()
    assert "failed" in [row.what for row in world.given.store.audit.rows()]


def test_a_forge_that_left_the_settings_is_ignored(world: World) -> None:
    delivery = Delivery("gone", "d1", (), b"{}", world.clock())
    world.given.store.arrivals.take(delivery, owed=True, what="accepted")
    assert plan_all(world.given) == []
    assert world.given.store.deliveries.owed(before=after(1000)) == ()


def test_a_forced_push_back_is_deployed(world: World) -> None:
    world.plan(world.first)
    world.deploy(STAGING)
    world.commit("a mistake")
    mistake = repositories.tip(world.repository)
    world.plan(mistake)
    world.deploy(STAGING)
    repositories.rewind(world.repository, world.first)
    world.plan(world.first)
    (queued,) = world.given.store.deployments.queued(STAGING)
    assert queued.commit == world.first


def test_a_forced_push_that_takes_away_what_is_deployed_is_told(world: World) -> None:
    world.plan(world.first)
    world.deploy(STAGING)
    mistake = world.commit("a mistake")
    world.plan(mistake)
    world.deploy(STAGING)
    repositories.rewind(world.repository, world.first)
    better = world.commit("better")
    world.plan(better)
    (queued,) = world.given.store.deployments.queued(STAGING)
    told = f"a forced push took what was deployed ({mistake[:12]}) off main"
    assert any(line.endswith(told) for line in world.given.store.deployments.log_lines(queued.id))
    rows = [row for row in world.given.store.audit.rows() if row.fields.get("deployment") == queued.id]
    assert [(row.what, row.fields["reason"]) for row in rows] == [("queued", told)]
    world.deploy(STAGING)
    assert world.given.store.environments.get(STAGING).deployed == better


def test_a_forced_push_back_to_what_failed_once_is_deployed_too(world: World) -> None:
    broken = repositories.commit(world.repository, {"staging/config.yaml": "kind: [\n"})
    world.plan(broken)
    world.deploy(STAGING)
    world.plan(world.commit("mended"))
    world.deploy(STAGING)
    repositories.rewind(world.repository, broken)
    world.plan(broken)
    (queued,) = world.given.store.deployments.queued(STAGING)
    assert queued.commit == broken
    world.deploy(STAGING)
    world.plan(broken)
    assert world.given.store.deployments.queued(STAGING) == ()


def test_a_merge_that_is_planned_after_a_newer_one_says_so_on_its_commit(world: World) -> None:
    newer = world.commit("ahoy")
    world.plan(newer)
    world.deploy(STAGING)
    world.plan(world.first)
    late = world.latest(STAGING, world.first)
    assert late.state is State.SUPERSEDED
    assert "merged later; to go back" in late.summary


def test_what_a_forced_push_took_away_keeps_its_status_until_somebody_asks_again(world: World) -> None:
    gone = world.commit("a mistake")
    world.plan(gone, delivery="d1")
    world.deploy(STAGING)
    repositories.rewind(world.repository, world.first)
    world.plan(world.first)
    world.clock.move(60)
    world.plan(gone)
    assert world.latest(STAGING, gone).state is State.SUCCEEDED
    world.plan(gone, delivery="d1")
    asked = world.latest(STAGING, gone)
    assert (asked.state, asked.trigger) == (State.FAILED, Trigger.REPLAY)
    assert "does not contain it" in asked.summary


def test_what_cannot_be_planned_does_not_end_what_is_running(world: World) -> None:
    world.plan(world.first)
    (running,) = world.given.store.deployments.queued(STAGING)
    shutil.move(world.repository, f"{world.repository}-away")
    shutil.rmtree(world.given.data)
    world.plan(world.first)
    found = world.given.store.deployments.get(running.id)
    assert found is not None
    assert not found.state.final


def test_an_older_commit_is_known_as_such_even_if_our_mirror_is_behind(world: World) -> None:
    mirror = world.given.mirror(world.given.settings.environment(STAGING))
    mirror.fetch("main")
    repositories.branch(world.repository, "develop")
    newer = world.commit("newer")
    mirror.fetch("develop")
    repositories.switch(world.repository, "main")
    repositories.git(world.repository, "merge", "--ff-only", "develop")
    state = {"deployed": newer, "desired": newer}  # by a worker with a mirror of its own
    world.given.redis.hset(f"deployer:environment:{STAGING}", mapping=state)
    world.plan(world.first)
    assert world.latest(STAGING, world.first).state is State.SUPERSEDED


def test_a_job_whose_time_is_up_drops_no_delivery(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object) -> None:
        raise JobTimeoutException("too long")

    world.deliver(world.first)
    monkeypatch.setattr(merge, "plan_delivery", slow)
    with pytest.raises(JobTimeoutException):
        plan_all(world.given)
    assert world.given.store.deliveries.owed(before=after(10_000))


def test_a_delivery_that_keeps_killing_its_planner_is_given_up_and_the_commit_says_why(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.plan.reads", die)
    world.deliver(world.first)
    for _ in range(DEATHS):
        with pytest.raises(Killed):
            plan_owed(world.given)
        world.clock.move(60)
    assert plan_owed(world.given) == []
    found = world.latest(STAGING, world.first)
    assert (found.state, found.summary.split(":")[0]) == (State.FAILED, "plan")
    assert "its worker died 3 times" in found.summary
    assert world.given.store.deliveries.owed() == ()


def test_what_another_machine_has_planned_is_not_taken_back_by_one_that_has_not_heard_of_it(world: World) -> None:
    world.plan(world.first)
    older, newer = world.commit("two"), world.commit("three")
    other = replace(world, given=replace(world.given, data=world.given.data.with_name("other"), _mirrors={}))
    world.given.mirror(world.given.settings.environment(STAGING)).fetch("main")
    repositories.git(world.repository, "update-ref", "refs/heads/main", older)
    other.given.mirror(world.given.settings.environment(STAGING)).fetch("main")
    repositories.git(world.repository, "update-ref", "refs/heads/main", newer)
    world.plan(newer)
    world.deliver(older)
    plan_all(other.given)
    assert world.given.store.environments.planned(MAIN) == newer


def test_an_error_that_nobody_thought_of_is_told_on_the_commit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(*_: object, **__: object) -> None:
        raise ValueError("a bug of ours")

    monkeypatch.setattr("jobs.plan.reads", bug)
    world.plan(world.first)
    found = world.latest(STAGING, world.first)
    assert (found.state, found.summary) == (State.FAILED, broken(ValueError()))


def test_what_comes_again_while_it_is_planned_is_owed_its_planning(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = world.deliver(world.first)
    run = Plan.run

    def run_slowly(plan: Plan, commit: str, mirror: Mirror) -> Iterator[EnvironmentKey]:
        yield from run(plan, commit, mirror)
        world.deliver(world.first, delivery=identity)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(Plan, "run", run_slowly)
        plan_delivery(world.given, "github", identity)
    assert world.given.store.deliveries.owed(before=world.clock()) == (("github", identity),)
    plan_all(world.given)
    assert world.given.store.deliveries.owed() == ()


def test_another_event_of_a_commit_that_failed_before_it_began_changes_nothing(world: World) -> None:
    world.plan(world.first)
    world.deploy(STAGING)
    world.clock.move(1)
    world.plan(second := world.commit("two"))
    (queued,) = world.given.store.deployments.queued(STAGING)
    world.given.store.deployments.finish(queued, State.FAILED, "fetch: gone", at=world.clock())
    world.clock.move(1)
    world.plan(second)
    assert world.latest(STAGING, second).id == queued.id


@contextmanager
def stuck(world: World) -> Iterator[None]:
    """Somebody is planning the repository, and its fetch hangs."""
    with turn(world.given, MAIN) as mine:
        assert mine
        yield


def test_what_one_delivery_planned_does_not_wait_for_the_next(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []

    def slow(given: Resources, forge: str, delivery_id: str) -> list[EnvironmentKey]:
        told.append(waiting(world, DEPLOYMENTS))
        return plan_delivery(given, forge, delivery_id)

    monkeypatch.setattr(merge, "plan_delivery", slow)
    for commit in (world.first, world.commit("ahoy")):
        world.deliver(commit)
        world.clock.move(0.1)
    assert len(plan_owed(world.given)) == 4
    assert told == [0, 2], "one worker for each environment, before the second is planned"
    assert waiting(world, DEPLOYMENTS) == 3, "of the last one, one is the planner's own"


def test_a_worker_deploys_what_it_planned_itself_and_has_told_another(world: World) -> None:
    world.deliver(world.first)
    plan_with(world.given)
    assert {world.latest(key, world.first).state for key in (STAGING, PRODUCTION)} == {State.SUCCEEDED}
    assert waiting(world, DEPLOYMENTS) == 1


def test_a_repository_whose_fetch_hangs_keeps_one_worker_and_no_more(world: World) -> None:
    with stuck(world):
        for number in range(5):
            world.deliver(world.first, delivery=f"d{number}")
        assert plan_all(world.given) == []
        assert len(world.given.store.deliveries.owed()) == 5
    assert len(world.given.store.deliveries.owed(before=world.clock())) == 5, "due as soon as it is free"
    plan_all(world.given)
    assert world.given.store.deliveries.owed() == ()
    assert len(world.given.store.deployments.queued(STAGING)) == 1


def test_what_stood_back_is_planned_in_the_order_in_which_it_came(world: World) -> None:
    given, told = world.given, ["d3", "d1", "d4", "d2"]
    with stuck(world):
        for delivery_id in told:
            world.deliver(world.first, delivery=delivery_id)
            world.clock.move(0.1)
        plan_all(given)
    told.append(world.deliver(world.first, delivery="d0"))
    assert [delivery_id for _, delivery_id in given.store.deliveries.owed(before=world.clock())] == told


def test_what_stands_back_when_the_other_has_just_ended_is_due_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other ends after it was found to be at it, and before anybody stood back behind it."""
    stand_back = world.given.store.deliveries.stand_back
    with ExitStack() as stack:
        stack.enter_context(stuck(world))

        def late(delivery: Delivery, *, repository: str) -> None:
            stack.close()
            stand_back(delivery, repository=repository)

        monkeypatch.setattr(world.given.store.deliveries, "stand_back", late)
        world.deliver(world.first)
        assert plan_all(world.given) == [PRODUCTION, STAGING]


def test_others_are_planned_meanwhile(world: World) -> None:
    (shop,) = world.given.settings.repositories
    repositories.git(world.repository.parent, "clone", "--quiet", str(world.repository), "other")
    other = shop.model_copy(update={"name": "acme/other"})
    settings = Settings.model_construct(**(dict(world.given.settings) | {"repositories": (shop, other)}))
    world = replace(world, given=replace(world.given, settings=settings))
    with stuck(world):
        world.deliver(world.first)
        world.clock.move(0.1)
        recorded = world.given.store.deliveries.get("github", world.deliver(world.first, delivery="other"))
        assert recorded is not None
        body = recorded.body.replace(b'"acme/shop"', b'"acme/other"')
        world.given.store.arrivals.take(replace(recorded, body=body), owed=True, what="accepted")
        found = plan_all(world.given)
        assert {key.repository for key in found} == {"acme/other"}


def test_the_claim_of_a_worker_that_died_ends(world: World) -> None:
    """Whoever stood back behind it is not forgotten with it."""
    with stuck(world):
        world.deliver(world.first)
        assert plan_all(world.given) == []
        world.given.redis.delete("deployer:deliveries:behind:github/acme/shop")  # nobody will wake it
    world.clock.move(CLAIM.total_seconds())
    assert plan_all(world.given) == [PRODUCTION, STAGING]
