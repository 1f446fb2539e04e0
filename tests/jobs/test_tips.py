"""Our own look at each branch: what no webhook told of is deployed all the same."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from redis import Redis
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from deployer import tables
from deployer.model import BranchKey, State, Trigger
from deployer.settings import Settings
from deployer.store.tips import Tips
from jobs import tips
from jobs.clock import tick
from jobs.queue import LOOKS, MERGES
from jobs.tips import ask_for_due, compare_with
from tests import repositories
from tests.examples import MAIN, NOON, PRODUCTION, STAGING
from tests.jobs.branches import (
    GRACE_SECONDS,
    INTERVAL,
    audited,
    jobs,
    known,
    look,
    missed,
    planned,
    polled,
    sweep,
)
from tests.jobs.world import World, plan_all, with_environments

# What nobody told of


def test_a_merge_whose_webhook_never_came_is_planned_and_counted(world: World) -> None:
    world.plan(world.first)
    commit = world.commit("ahoy")
    sweep(world)
    for key in (STAGING, PRODUCTION):
        found = world.latest(key, commit)
        assert (found.trigger, found.state, found.delivery, found.actor) == (Trigger.SWEEP, State.QUEUED, None, None)
        assert found.title == "Say ahoy"
    assert missed(world) == [({"forge": "github", "repository": "acme/shop"}, 1)]
    (row, _) = [row for row in audited(world, "queued") if row["commit"] == commit]
    assert (row["trigger"], "delivery" in row) == ("sweep", False)


def test_it_is_deployed_and_told_like_any_other(world: World) -> None:
    world.plan(world.first)
    commit = world.commit("ahoy")
    sweep(world)
    world.deploy(STAGING)
    world.report(STAGING, commit)
    assert world.latest(STAGING, commit).state is State.SUCCEEDED
    assert world.posted()[-1][:2] == ("deploy/staging", "success")


def test_it_is_found_once(world: World) -> None:
    world.plan(world.first)
    world.commit("ahoy")
    sweep(world)
    before = len(known(world))
    sweep(world)
    assert (len(known(world)), missed(world)[0][1]) == (before, 1)
    assert world.given.store.tips.owed(before=world.clock()) == ()


def test_a_fresh_installation_deploys_what_git_says_and_has_missed_nothing(world: World) -> None:
    sweep(world)
    assert [each.trigger for each in known(world)] == [Trigger.SWEEP, Trigger.SWEEP]
    assert missed(world) == []


def test_an_environment_that_is_new_in_the_settings_is_deployed_without_a_merge(world: World) -> None:
    world.plan(world.first)
    third = replace(STAGING, environment="third")
    more = with_environments(world.given.settings, [STAGING, PRODUCTION, third])
    wider = replace(world, given=replace(world.given, settings=more))
    look(wider)
    plan_all(wider.given)
    assert wider.latest(third, world.first).trigger is Trigger.SWEEP
    assert missed(world) == []
    look(wider)
    assert plan_all(wider.given) == []


def test_only_the_tip_of_several_missed_merges_is_deployed_and_that_is_one(world: World) -> None:
    world.plan(world.first)
    skipped = world.commit("one")
    tip = world.commit("two")
    sweep(world)
    assert world.given.store.deployments.latest(STAGING, skipped) is None
    assert world.latest(STAGING, tip).trigger is Trigger.SWEEP
    assert missed(world)[0][1] == 1


def test_what_reaches_no_environment_is_planned_once_too(world: World) -> None:
    world.plan(world.first)
    for key in (STAGING, PRODUCTION):
        world.deploy(key)
    commit = repositories.commit(world.repository, {"README.md": "words"})
    sweep(world)
    sweep(world)
    assert planned(world) == commit
    assert [row["commit"] for row in audited(world, "skipped")] == [commit]
    assert missed(world)[0][1] == 1


def test_a_forced_push_back_of_which_nobody_told_is_deployed(world: World) -> None:
    world.plan(world.first)
    world.deploy(STAGING)
    world.plan(world.commit("a mistake"))
    world.deploy(STAGING)
    repositories.rewind(world.repository, world.first)
    sweep(world)
    world.deploy(STAGING)
    assert world.given.store.environments.get(STAGING).deployed == world.first
    assert world.latest(STAGING, world.first).trigger is Trigger.SWEEP


def test_what_somebody_rolled_back_stays_so(world: World) -> None:
    world.plan(world.first)
    world.deploy(STAGING)
    bad = world.commit("bad")
    world.plan(bad)
    world.deploy(STAGING)
    back = replace(world.latest(STAGING, world.first), id="back", trigger=Trigger.ROLLBACK, state=State.QUEUED)
    world.given.store.deployments.queue(replace(back, finished_at=None))
    world.deploy(STAGING)
    sweep(world)
    assert world.given.store.deployments.queued(STAGING) == ()
    assert world.given.store.environments.get(STAGING).deployed == world.first


def test_a_title_is_one_line_of_text(world: World) -> None:
    repositories.commit(world.repository, {"staging/config.yaml": "x: 1\n"}, "Red \x1b[31malert\u202e\n\nand more")
    sweep(world)
    assert known(world)[0].title == "Red alert"


# A webhook that is on its way


def test_a_webhook_has_its_time_to_come(world: World) -> None:
    world.plan(world.first)
    commit = world.commit("ahoy")
    look(world)
    world.clock.move(GRACE_SECONDS - 0.1)
    look(world)
    world.plan(commit)
    world.clock.move(60)
    look(world)
    assert jobs(world, MERGES) == []
    assert missed(world) == []
    assert world.latest(STAGING, commit).trigger is Trigger.MERGE


def test_the_second_look_comes_after_the_grace_and_not_after_the_interval(world: World) -> None:
    world.plan(world.first)
    world.commit("ahoy")
    look(world)
    world.clock.move(GRACE_SECONDS)
    ask_for_due(world.given)
    assert jobs(world, LOOKS) == [("jobs.tips.compare", "github")]


def test_a_delivery_that_is_owed_is_waited_for(world: World) -> None:
    world.plan(world.first)
    commit = world.commit("ahoy")
    look(world)
    world.clock.move(60)
    world.deliver(commit)
    look(world)
    assert jobs(world, MERGES) == []
    assert plan_all(world.given) == [PRODUCTION, STAGING]
    assert world.latest(STAGING, commit).trigger is Trigger.MERGE
    look(world)
    assert missed(world) == []


def test_one_of_another_branch_is_not(world: World) -> None:
    world.plan(world.first)
    world.commit("ahoy")
    other = json.loads(json.dumps({"ref": "refs/heads/other"}))
    delivery = world.deliver(world.first)
    recorded = world.given.store.deliveries.get("github", delivery)
    assert recorded is not None
    body = json.dumps(json.loads(recorded.body) | other).encode()
    world.given.store.arrivals.take(replace(recorded, body=body), owed=True, what="accepted")
    look(world)
    world.clock.move(GRACE_SECONDS)
    look(world)
    assert world.given.store.tips.owed(before=world.clock()) == (MAIN,)


def test_merges_that_keep_coming_do_not_put_it_off(world: World) -> None:
    """The grace counts from what was planned, not from each new commit."""
    world.plan(world.first)
    for number in range(3):
        commit = world.commit(f"ahoy {number}")
        look(world)
        world.clock.move(GRACE_SECONDS / 2)
    plan_all(world.given)
    assert planned(world) == commit


def test_a_webhook_that_comes_later_finds_it_deployed(world: World) -> None:
    world.plan(world.first)
    commit = world.commit("ahoy")
    sweep(world)
    world.deploy(STAGING)
    before = len(known(world))
    world.clock.move(60)
    world.plan(commit)
    assert len(known(world)) == before
    reasons = [row["reason"] for row in audited(world, "skipped")]
    assert "already deployed" in reasons


def test_a_webhook_that_comes_meanwhile_joins(world: World) -> None:
    world.plan(world.first)
    commit = world.commit("ahoy")
    sweep(world)
    world.plan(commit)
    assert [each.trigger for each in world.given.store.deployments.queued(STAGING)] == [Trigger.MERGE, Trigger.SWEEP]


# A forge that sends none


def test_a_forge_without_webhooks_is_not_waited_for_and_misses_nothing(world: World) -> None:
    world = polled(world)
    look(world)
    plan_all(world.given)
    commit = world.commit("ahoy")
    look(world)
    plan_all(world.given)
    assert world.latest(STAGING, commit).trigger is Trigger.SWEEP
    assert missed(world) == []


def test_a_merge_ends_deployed_and_with_its_status_by_the_jobs_alone(world: World) -> None:
    world = polled(world)
    commit = world.first
    for text in ("ahoy", "again"):
        _work_until_quiet(world)
        assert world.given.store.environments.get(STAGING).deployed == commit
        assert ("deploy/staging", "success") in [post[:2] for post in world.posted()]
        world.forge.requests.clear()
        commit = world.commit(text)
        world.clock.move(INTERVAL * 1.25)
    _work_until_quiet(world)
    told = [request.path.rpartition("/")[2] for request in world.forge.requests if "/statuses/" in request.path]
    assert set(told) == {commit}


def _work_until_quiet(world: World) -> None:
    """What the clock and the workers do, until nothing is left to do."""
    from tests.jobs.test_model import QUEUES, RUN

    ask_for_due(world.given)
    redis, queues = world.given.redis, [Queue(name, connection=world.given.redis) for name in QUEUES]
    while waiting := [queue for queue in queues if not queue.is_empty()]:
        job = Job.fetch(str(waiting[0].pop_job_id()), connection=redis, serializer=JSONSerializer)
        assert callable(job.func), "a worker finds it by this name"
        RUN[str(job.func_name)](world.given, *job.args)


# When


class OneTurn(threading.Event):
    """The clock is told to stop when it has been round once."""

    def wait(self, timeout: float | None = None) -> bool:
        self.set()
        return True


def test_all_branches_are_looked_at_when_the_clock_starts(world: World) -> None:
    world.given.store.tips.look_again(MAIN, due=NOON.replace(year=2027))
    tick(world.given, OneTurn())
    assert ("jobs.tips.compare", "github") in jobs(world, LOOKS)


def test_then_after_the_interval_a_quarter_more_or_less(world: World) -> None:
    world.plan(world.first)
    for _ in range(20):
        look(world)
        assert world.given.store.tips.due([MAIN], at=world.clock.now + timedelta(seconds=INTERVAL * 0.75 - 1)) == ()
        assert world.given.store.tips.due([MAIN], at=world.clock.now + timedelta(seconds=INTERVAL * 1.25)) == (MAIN,)


def test_a_worker_is_told_once_until_it_begins(world: World) -> None:
    for _ in range(3):
        ask_for_due(world.given)
    assert len(jobs(world, LOOKS)) == 1
    world.given.store.tips.begin("github")
    with world.given.store.leases.hold("tips:github"):
        ask_for_due(world.given)
    assert len(jobs(world, LOOKS)) == 1


def test_two_never_look_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[BranchKey] = []

    def tip(_: Settings, branch: BranchKey, *, seconds: float) -> str:
        asked.append(branch)
        compare_with(world.given, "github")
        return world.first

    monkeypatch.setattr(tips, "tip", tip)
    look(world)
    assert asked == [MAIN]


# What people see


def test_the_status_says_of_each_repository_how_many_were_missed_and_when(world: World) -> None:
    world.given.store.tips.missed(MAIN, world.first, at=NOON)
    at = world.given.store.tips.last_missed()["github", "acme/shop"]
    sweep = tables.Sweep(missed=[("github", "acme/shop", 2, at)])
    words = (
        "github/acme/shop: 2 merges that no webhook told of, the last found 2026-11-23T12:00:00.000Z; check its webhook"
    )
    assert tables.status([], {}, sweep).splitlines()[-1] == words
    assert json.loads(tables.status_json([], {}, sweep))["webhooks_missed"] == [
        {"forge": "github", "repository": "acme/shop", "count": 2, "last_at": "2026-11-23T12:00:00.000Z"}
    ]


@pytest.mark.parametrize("branch", ["main", "release/1.4", "a@b", "ü"])
def test_a_branch_is_told_from_others_by_its_name(redis: Redis, branch: str) -> None:
    found = BranchKey("gitlab", "acme/web/shop", branch)
    assert BranchKey.parse(str(found)) == found
    known = Tips(redis)
    known.owe(found, due=NOON)
    assert known.claim(at=NOON, until=NOON.replace(hour=13)) == found
    assert known.claim(at=NOON, until=NOON.replace(hour=13)) is None


@pytest.mark.parametrize("text", ["", "a", "a/b", "/b@c", "a/@c", "a/b@"])
def test_what_names_no_branch_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a branch key"):
        BranchKey.parse(text)
