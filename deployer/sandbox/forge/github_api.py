"""The part of GitHub's REST API that the deployer calls, under /api/v3 as on a GitHub of one's own.

Thin: reads the request, asks the hosting, answers in GitHub's shapes and with GitHub's refusals.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from deployer.model import ForgeKind
from deployer.sandbox.forge import asking
from deployer.sandbox.forge import github_shapes as shapes
from deployer.sandbox.forge.access import github_token, same
from deployer.sandbox.forge.git import MergeMethod
from deployer.sandbox.forge.github_shapes import API, Json
from deployer.sandbox.forge.hosting import USER, Hosting, Terms
from deployer.sandbox.forge.refusal import HeadMoved, Invalid, NotFound, NotMergeable, Refused
from deployer.sandbox.forge.repositories import Repository
from deployer.sandbox.forge.statuses import Post

_DOCUMENTATION = "https://docs.github.com/rest"
_LIMIT = 5000
_METHODS = {"merge": MergeMethod.MERGE, "squash": MergeMethod.SQUASH}


def blueprint(hosting: Hosting, token: str) -> Blueprint:
    """GitHub's API over `hosting`, for those who show `token`."""
    api = Blueprint("github", __name__, url_prefix=API)
    _guard(api, token)
    _repositories(api, hosting)
    _commits(api, hosting)
    _pull_requests(api, hosting)

    @api.route("/<path:path>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    def unknown(path: str) -> ResponseReturnValue:  # noqa: ARG001 - given by the route
        return _error(404, "Not Found")

    return api


def _guard(api: Blueprint, token: str) -> None:
    @api.before_request
    def authenticate() -> ResponseReturnValue | None:
        shown = github_token(request)
        if shown is None:
            return _error(401, "Requires authentication")
        return None if same(shown, token) else _error(401, "Bad credentials")

    @api.after_request
    def count(response: Response) -> Response:
        response.headers.update(_rate())
        return response

    @api.errorhandler(Refused)
    def refuse(error: Refused) -> ResponseReturnValue:
        return _refusal(error)

    @api.errorhandler(HTTPException)
    def fail(error: HTTPException) -> ResponseReturnValue:
        return _error(error.code or 500, error.name)


def _repositories(api: Blueprint, hosting: Hosting) -> None:
    @api.get("/user")
    def user() -> ResponseReturnValue:
        return jsonify(shapes.user(USER, request.host_url.rstrip("/")))

    @api.get("/rate_limit")
    def rate_limit() -> ResponseReturnValue:
        counts = {"limit": _LIMIT, "remaining": _LIMIT, "used": 0, "reset": _reset()}
        return jsonify({"resources": {"core": counts, "search": counts, "graphql": counts}, "rate": counts})

    @api.get("/repos/<owner>/<name>")
    def repository(owner: str, name: str) -> ResponseReturnValue:
        return jsonify(shapes.repository(_find(hosting, owner, name)))


def _commits(api: Blueprint, hosting: Hosting) -> None:
    @api.post("/repos/<owner>/<name>/statuses/<sha>")
    def post_status(owner: str, name: str, sha: str) -> ResponseReturnValue:
        repo = _find(hosting, owner, name)
        try:
            status = hosting.say(repo, _post(sha))
        except NotFound:
            return _error(422, f"No commit found for SHA: {sha}")
        except Invalid as error:
            return _invalid("Status", error)
        return jsonify(shapes.status(repo, status)), 201

    @api.get("/repos/<owner>/<name>/statuses/<path:ref>")
    @api.get("/repos/<owner>/<name>/commits/<path:ref>/statuses")
    def statuses(owner: str, name: str, ref: str) -> ResponseReturnValue:
        repo = _find(hosting, owner, name)
        return _list([shapes.status(repo, one) for one in repo.statuses.of(_resolve(repo, ref))])

    @api.get("/repos/<owner>/<name>/commits/<path:ref>/status")
    def combined_status(owner: str, name: str, ref: str) -> ResponseReturnValue:
        repo = _find(hosting, owner, name)
        return jsonify(shapes.combined_status(repo, _resolve(repo, ref)))

    @api.get("/repos/<owner>/<name>/commits/<path:ref>")
    def commit(owner: str, name: str, ref: str) -> ResponseReturnValue:
        repo = _find(hosting, owner, name)
        return jsonify(shapes.commit(repo, repo.git.show(_resolve(repo, ref))))


def _pull_requests(api: Blueprint, hosting: Hosting) -> None:
    @api.get("/repos/<owner>/<name>/pulls")
    def pulls(owner: str, name: str) -> ResponseReturnValue:
        repo = _find(hosting, owner, name)
        wanted = request.args.get("state", "open")
        there = [one for one in repo.all_pull_requests() if wanted in ("all", "closed" if one.merged else "open")]
        return _list([shapes.pull_request(repo, one) for one in reversed(there)])

    @api.get("/repos/<owner>/<name>/pulls/<int:number>")
    def pull(owner: str, name: str, number: int) -> ResponseReturnValue:
        repo = _find(hosting, owner, name)
        return jsonify(shapes.pull_request(repo, repo.pull_request(number)))

    @api.put("/repos/<owner>/<name>/pulls/<int:number>/merge")
    def merge(owner: str, name: str, number: int) -> ResponseReturnValue:
        repo, fields = _find(hosting, owner, name), asking.body(request)
        method = _METHODS.get(asking.text(fields, "merge_method") or "merge")
        if method is None:
            return _error(405, "This merge method is not allowed on this repository.")
        title, sha = asking.text(fields, "commit_title"), asking.text(fields, "sha")
        landing = hosting.merge(repo, number, Terms(USER, method, title, sha))
        return jsonify({"sha": landing.commit, "merged": True, "message": "Pull Request successfully merged"})


def _find(hosting: Hosting, owner: str, name: str) -> Repository:
    repo = hosting.repositories.get(f"{owner}/{name}")
    if repo.kind is not ForgeKind.GITHUB:
        raise NotFound(f"{repo.name} is not on the GitHub side of the sandbox")
    return repo


def _resolve(repo: Repository, ref: str) -> str:
    try:
        return repo.git.full(ref)
    except NotFound as error:
        raise Invalid("sha", f"No commit found for SHA: {ref}") from error


def _post(sha: str) -> Post:
    fields = asking.body(request)
    return Post(
        sha, asking.text(fields, "context") or "default", asking.text(fields, "state") or "",
        asking.text(fields, "description"), asking.text(fields, "target_url"),
    )  # fmt: skip


def _list(items: Sequence[Json]) -> Response:
    shown = asking.page(request, items, size=30)
    response = jsonify(list(shown.items))
    if link := asking.links(request, shown):
        response.headers["Link"] = link
    return response


def _refusal(error: Refused) -> ResponseReturnValue:
    if isinstance(error, NotFound):
        return _error(404, "Not Found")
    if isinstance(error, NotMergeable):
        return _error(405, "Pull Request is not mergeable")
    if isinstance(error, HeadMoved):
        return _error(409, "Head branch was modified. Review and try the merge again.")
    if isinstance(error, asking.NotJson):
        return _error(400, "Problems parsing JSON")
    return _error(422, error.message if isinstance(error, Invalid) else str(error))


def _invalid(resource: str, error: Invalid) -> ResponseReturnValue:
    message = f"{error.field} {error.message}"
    mistake = {"resource": resource, "code": "custom", "field": error.field, "message": message}
    return _error(422, "Validation Failed", errors=[mistake])


def _error(status: int, message: str, **more: object) -> ResponseReturnValue:
    return jsonify({"message": message, **more, "documentation_url": _DOCUMENTATION, "status": str(status)}), status


def _rate() -> dict[str, str]:
    """There is no limit here; the headers are those of a client that has used nothing yet."""
    return {
        "X-RateLimit-Limit": str(_LIMIT), "X-RateLimit-Remaining": str(_LIMIT), "X-RateLimit-Used": "0",
        "X-RateLimit-Reset": str(_reset()), "X-RateLimit-Resource": "core",
    }  # fmt: skip


def _reset() -> int:
    return int(time.time()) + 3600
