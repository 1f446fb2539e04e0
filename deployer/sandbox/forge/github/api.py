"""The part of GitHub's REST API that the deployer calls, under /api/v3 as on a GitHub of one's own.

Thin, like the modules that it is put together from: reads the request, asks the hosting, answers in GitHub's shapes.
"""

from __future__ import annotations

from flask import Blueprint, Flask, jsonify, request
from flask.typing import ResponseReturnValue

from deployer.sandbox.forge.github import apps, checks, commits, conversation, deployments, people, pulls, shapes
from deployer.sandbox.forge.github.answers import LIMIT, error, reset, worded
from deployer.sandbox.forge.github.caller import authenticated, caller, reach
from deployer.sandbox.forge.github.shapes import API
from deployer.sandbox.forge.hosting import Hosting


def register(app: Flask, hosting: Hosting, token: str) -> None:
    """Serve GitHub's API over `hosting`: for those who show `token` or an App's, and for Apps as themselves."""
    app.register_blueprint(_blueprint(hosting, token))
    app.register_blueprint(apps.blueprint(hosting))


def _blueprint(hosting: Hosting, token: str) -> Blueprint:
    api = Blueprint("github", __name__, url_prefix=API)
    worded(api)
    _general(api, hosting)
    for part in (commits, checks, pulls, conversation, deployments, people):
        part.add(api, hosting)

    @api.before_request
    def authenticate() -> None:
        authenticated(hosting, token)

    @api.route("/<path:path>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    def unknown(path: str) -> ResponseReturnValue:  # noqa: ARG001 - given by the route
        return error(404, "Not Found")

    return api


def _general(api: Blueprint, hosting: Hosting) -> None:
    @api.get("/user")
    def user() -> ResponseReturnValue:
        if caller().app:
            return error(403, "Resource not accessible by integration")
        return jsonify(shapes.user(caller().login, request.host_url.rstrip("/")))

    @api.get("/rate_limit")
    def rate_limit() -> ResponseReturnValue:
        counts = {"limit": LIMIT, "remaining": LIMIT, "used": 0, "reset": reset()}
        return jsonify({"resources": {"core": counts, "search": counts, "graphql": counts}, "rate": counts})

    @api.get("/repos/<owner>/<name>")
    def repository(owner: str, name: str) -> ResponseReturnValue:
        return jsonify(shapes.repository(reach(hosting, owner, name)))
