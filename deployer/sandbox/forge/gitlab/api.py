"""The part of GitLab's REST API that the deployer calls, under /api/v4.

Thin, like the modules that it is put together from: reads the request, asks the hosting, answers in GitLab's shapes.
"""

from __future__ import annotations

from flask import Blueprint, Flask, jsonify, request
from flask.typing import ResponseReturnValue

from deployer.sandbox.forge.access import gitlab_token, same
from deployer.sandbox.forge.gitlab import commits, deployments, merge_requests, notes, people, shapes
from deployer.sandbox.forge.gitlab.answers import error, find, worded
from deployer.sandbox.forge.gitlab.shapes import API
from deployer.sandbox.forge.hosting import Hosting
from deployer.sandbox.forge.people import USER


def register(app: Flask, hosting: Hosting, token: str) -> None:
    """Serve GitLab's API over `hosting`, for those who show `token`."""
    api = Blueprint("gitlab", __name__, url_prefix=API)
    worded(api)
    _general(api, hosting)
    for part in (commits, merge_requests, notes, deployments, people):
        part.add(api, hosting)

    @api.before_request
    def authenticate() -> ResponseReturnValue | None:
        return None if same(gitlab_token(request), token) else error(401, "401 Unauthorized")

    @api.route("/<path:path>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    def unknown(path: str) -> ResponseReturnValue:  # noqa: ARG001 - given by the route
        return jsonify({"error": "404 Not Found"}), 404

    app.register_blueprint(api)


def _general(api: Blueprint, hosting: Hosting) -> None:
    @api.get("/user")
    def user() -> ResponseReturnValue:
        return jsonify(shapes.user(USER, request.host_url.rstrip("/")))

    @api.get("/projects/<path:project>")
    def project(project: str) -> ResponseReturnValue:
        return jsonify(shapes.project(find(hosting, project)))
