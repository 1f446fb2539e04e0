"""A look at the branches of a small world, as the clock and the workers make it; and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from deployer.model import Deployment
from jobs.tips import GRACE, compare_with
from tests.examples import MAIN
from tests.jobs.world import World, plan_all

GRACE_SECONDS = GRACE.total_seconds()
INTERVAL = 180


def changed(world: World, **forge: object) -> World:
    """The same world with other settings of its forge."""
    settings = world.given.settings
    forges = {"github": settings.forges["github"].model_copy(update=forge)}
    return replace(world, given=replace(world.given, settings=settings.model_copy(update={"forges": forges})))


def polled(world: World) -> World:
    return changed(world, webhooks=False, webhook_secrets=())


def look(world: World) -> None:
    """Look at all branches, due or not."""
    world.given.store.tips.start()
    compare_with(world.given, "github")


def sweep(world: World) -> None:
    """Find what no webhook told of: two looks with the grace between them, then plan."""
    look(world)
    world.clock.move(GRACE_SECONDS)
    look(world)
    plan_all(world.given)


def planned(world: World) -> str | None:
    return world.given.store.environments.planned(MAIN)


def jobs(world: World, queue: str) -> list[tuple[str, ...]]:
    redis = world.given.redis
    waiting = Queue(queue, connection=redis, serializer=JSONSerializer).get_job_ids()
    fetched = (Job.fetch(job, connection=redis, serializer=JSONSerializer) for job in waiting)
    return [(job.func_name or "", *job.args) for job in fetched]


def missed(world: World) -> list[tuple[Mapping[str, str], int]]:
    return [(labels, count) for name, labels, count in world.given.store.counters.all() if name == "webhooks_missed"]


def known(world: World) -> tuple[Deployment, ...]:
    return world.given.store.deployments.newest()


def audited(world: World, what: str) -> list[Mapping[str, object]]:
    return [row.fields for row in world.given.store.audit.rows() if row.what == what]
