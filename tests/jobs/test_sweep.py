from __future__ import annotations

from rq import Queue

from jobs.clock import SWEEP_SECONDS
from jobs.merge import CLAIM
from jobs.queue import DEPLOYMENTS, LATE_SECONDS, LOOKS, MERGES, REPORTS
from jobs.sweep import PATIENCE, sweep_with
from tests.end_to_end.processes import eventually
from tests.examples import STAGING
from tests.jobs.world import World

LATER = PATIENCE.total_seconds() + 1


def waiting(world: World) -> dict[str, int]:
    return {name: Queue(name, connection=world.given.redis).count for name in (MERGES, DEPLOYMENTS, REPORTS)}


def forget_jobs(world: World) -> None:
    """As after a death in between: the records are there, the jobs are not."""
    for name in (MERGES, DEPLOYMENTS, REPORTS):
        Queue(name, connection=world.given.redis).empty()


def test_what_was_to_be_asked_for_later_is_asked_for_when_no_scheduler_is_alive(world: World) -> None:
    world.given.queues.look(STAGING, 1, delay=0.01)
    world.given.queues.look(STAGING, 2, delay=3600)
    sweep_with(world.given)
    assert Queue(LOOKS, connection=world.given.redis).count == 0
    eventually(
        lambda: sweep_with(world.given) or Queue(LOOKS, connection=world.given.redis).count, seconds=LATE_SECONDS + 3
    )
    assert Queue(LOOKS, connection=world.given.redis).count == 1


def test_whatever_is_left_behind_is_found_well_within_two_minutes() -> None:
    lease = 30
    planned = max(CLAIM.total_seconds(), lease) + PATIENCE.total_seconds() + SWEEP_SECONDS
    assert planned + lease + PATIENCE.total_seconds() + SWEEP_SECONDS < 120


def test_nothing_is_moved_before_its_time(world: World) -> None:
    world.deliver(world.first)
    sweep_with(world.given)
    assert waiting(world) == {MERGES: 0, DEPLOYMENTS: 0, REPORTS: 0}


def test_a_delivery_that_nobody_planned_is_planned(world: World) -> None:
    world.deliver(world.first)
    world.clock.move(LATER)
    sweep_with(world.given)
    assert waiting(world) == {MERGES: 1, DEPLOYMENTS: 0, REPORTS: 0}


def test_deployments_and_reports_that_nobody_looks_at_are_looked_at(world: World) -> None:
    world.plan(world.first)
    forget_jobs(world)
    world.clock.move(LATER)
    sweep_with(world.given)
    assert waiting(world) == {MERGES: 0, DEPLOYMENTS: 2, REPORTS: 1}, "one job sees to all reports"
