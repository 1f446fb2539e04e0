"""GET /healthz, /readyz and /metrics: for the machines that watch over this one."""

from __future__ import annotations

from flask import Blueprint, Response, current_app
from flask.typing import ResponseReturnValue
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from redis.exceptions import RedisError

from deployer.metrics import exposition
from deployer.model import Drift
from deployer.views.context import context

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> ResponseReturnValue:
    """The process lives."""
    return {"status": "ok"}


@blueprint.get("/readyz")
def readyz() -> ResponseReturnValue:
    """Deliveries can be taken in."""
    try:
        context(current_app).redis.ping()
    except RedisError:
        return {"status": "redis does not answer"}, 503
    return {"status": "ok"}


@blueprint.get("/metrics")
def metrics() -> ResponseReturnValue:
    """Prometheus text."""
    here = context(current_app)
    try:
        environments = [each for each in here.settings.environments if each.drift is not Drift.IGNORE]
        checks = here.store.drift.several([each.key for each in environments])
        looks = [
            (each.key, checked.of(here.store.environments.get(each.key).deployed))
            for each, checked in zip(environments, checks, strict=True)
        ]
        text = exposition(here.store.counters.all(), here.queues.depths(), looks)
    except RedisError:
        return {"status": "redis does not answer"}, 503
    return Response(text, content_type=CONTENT_TYPE_LATEST)
