"""The web process: takes in webhooks, answers the API, shows the page of a deployment. Does no work of its own."""

from __future__ import annotations

import structlog
from flask import Flask
from flask.typing import ResponseReturnValue
from redis.exceptions import RedisError
from werkzeug.exceptions import HTTPException

from deployer.settings import SecretUnavailable, Settings
from deployer.store import open_store
from deployer.store.connection import connect
from deployer.views import api, health, pages, webhooks
from deployer.views.context import Context, install
from jobs.queue import Queues

log = structlog.get_logger()


def create_app(settings: Settings, *, redis_url: str) -> Flask:
    """The WSGI application for given settings. Redis need not answer yet."""
    app = Flask(__name__, static_folder=None)
    redis = connect(redis_url)
    install(app, Context(settings, redis, open_store(redis), Queues(redis)))
    for module in (webhooks, health, api, pages):
        app.register_blueprint(module.blueprint)
    app.register_error_handler(RedisError, _redis_away)
    app.register_error_handler(SecretUnavailable, _secret_away)
    app.register_error_handler(HTTPException, _refused)
    return app


def _redis_away(_: RedisError) -> ResponseReturnValue:
    return {"error": "redis does not answer"}, 503, {"Retry-After": webhooks.RETRY_AFTER_SECONDS}


def _secret_away(error: SecretUnavailable) -> ResponseReturnValue:
    log.error("secret", error=str(error))
    return {"error": "a secret cannot be read right now"}, 503, {"Retry-After": webhooks.RETRY_AFTER_SECONDS}


def _refused(error: HTTPException) -> ResponseReturnValue:
    headers = [header for header in error.get_headers() if header[0] != "Content-Type"]
    return {"error": error.description or error.name}, error.code or 500, headers
