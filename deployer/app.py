"""The web process: takes in webhooks, answers the API, shows the page of a deployment. Does no work of its own."""

from __future__ import annotations

from flask import Flask
from flask.typing import ResponseReturnValue
from redis.exceptions import RedisError
from werkzeug.exceptions import HTTPException

from deployer.settings import Settings
from deployer.store import open_store
from deployer.store.connection import connect
from deployer.views import api, health, pages, webhooks
from deployer.views.context import Context, install
from jobs.queue import Queues


def create_app(settings: Settings, *, redis_url: str) -> Flask:
    """The WSGI application for given settings. Redis need not answer yet."""
    app = Flask(__name__, static_folder=None)
    redis = connect(redis_url)
    install(app, Context(settings, redis, open_store(redis), Queues(redis)))
    for module in (webhooks, health, api, pages):
        app.register_blueprint(module.blueprint)
    app.register_error_handler(RedisError, _redis_away)
    app.register_error_handler(HTTPException, _refused)
    return app


def _redis_away(_: RedisError) -> ResponseReturnValue:
    return {"error": "redis does not answer"}, 503, {"Retry-After": webhooks.RETRY_AFTER_SECONDS}


def _refused(error: HTTPException) -> ResponseReturnValue:
    return {"error": error.description or error.name}, error.code or 500
