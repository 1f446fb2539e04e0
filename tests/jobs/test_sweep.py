from __future__ import annotations

from rq import Queue

from jobs.queue import DEPLOYMENTS, MERGES, REPORTS
from jobs.sweep import PATIENCE, sweep_with
from tests.examples import STAGING
from tests.jobs.world import World

LATER = PATIENCE.total_seconds() + 1


def waiting(world: World) -> dict[str, int]:
    return {name: Queue(name, connection=world.given.redis).count for name in (MERGES, DEPLOYMENTS, REPORTS)}


def forget_jobs(world: World) -> None:
    """As after a death in between: the records are there, the jobs are not."""
    for name in (MERGES, DEPLOYMENTS, REPORTS):
        Queue(name, connection=world.given.redis).empty()


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
    assert waiting(world) == {MERGES: 0, DEPLOYMENTS: 2, REPORTS: 2}


def test_an_environment_that_somebody_works_on_is_left_alone(world: World) -> None:
    world.plan(world.first)
    forget_jobs(world)
    world.clock.move(LATER)
    with world.given.store.leases.hold(str(STAGING)):
        sweep_with(world.given)
    assert waiting(world)[DEPLOYMENTS] == 1
