"""The part of GitLab's REST API that the deployer calls, under /api/v4.

Thin: reads the request, asks the hosting, answers in GitLab's shapes and with GitLab's refusals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import unquote

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from deployer.model import ForgeKind
from deployer.sandbox.forge import asking
from deployer.sandbox.forge import gitlab_shapes as shapes
from deployer.sandbox.forge.access import gitlab_token, same
from deployer.sandbox.forge.git import MergeMethod
from deployer.sandbox.forge.gitlab_shapes import API, Json
from deployer.sandbox.forge.hosting import USER, Hosting, Terms
from deployer.sandbox.forge.refusal import HeadMoved, Invalid, NotFound, NotMergeable, Refused, TransitionRefused
from deployer.sandbox.forge.repositories import Repository
from deployer.sandbox.forge.statuses import GITLAB_STATES, Post


def blueprint(hosting: Hosting, token: str) -> Blueprint:
    """GitLab's API over `hosting`, for those who show `token`."""
    api = Blueprint("gitlab", __name__, url_prefix=API)
    _guard(api, token)
    _projects(api, hosting)
    _commits(api, hosting)
    _merge_requests(api, hosting)

    @api.route("/<path:path>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    def unknown(path: str) -> ResponseReturnValue:  # noqa: ARG001 - given by the route
        return jsonify({"error": "404 Not Found"}), 404

    return api


def _guard(api: Blueprint, token: str) -> None:
    @api.before_request
    def authenticate() -> ResponseReturnValue | None:
        return None if same(gitlab_token(request), token) else _error(401, "401 Unauthorized")

    @api.errorhandler(Refused)
    def refuse(error: Refused) -> ResponseReturnValue:
        return _refusal(error)

    @api.errorhandler(HTTPException)
    def fail(error: HTTPException) -> ResponseReturnValue:
        return _error(error.code or 500, f"{error.code} {error.name}")


def _projects(api: Blueprint, hosting: Hosting) -> None:
    @api.get("/user")
    def user() -> ResponseReturnValue:
        return jsonify(shapes.user(USER, request.host_url.rstrip("/")))

    @api.get("/projects/<path:project>")
    def project(project: str) -> ResponseReturnValue:
        return jsonify(shapes.project(_find(hosting, project)))


def _commits(api: Blueprint, hosting: Hosting) -> None:
    @api.post("/projects/<path:project>/statuses/<sha>")
    def post_status(project: str, sha: str) -> ResponseReturnValue:
        repo = _find(hosting, project)
        status = hosting.say(repo, _post(_commit(repo, sha), repo.branch))
        return jsonify(shapes.status(repo, status)), 201

    @api.get("/projects/<path:project>/repository/commits/<path:sha>/statuses")
    def statuses(project: str, sha: str) -> ResponseReturnValue:
        repo = _find(hosting, project)
        commit, name = _commit(repo, sha), request.args.get("name")
        everything = _yes(request.args.get("all"))
        there = repo.statuses.of(commit) if everything else repo.statuses.latest(commit)
        return _list([shapes.status(repo, one) for one in there if name in (None, one.context)])

    @api.get("/projects/<path:project>/repository/commits/<path:sha>")
    def commit(project: str, sha: str) -> ResponseReturnValue:
        repo = _find(hosting, project)
        return jsonify(shapes.commit(repo, repo.git.show(_commit(repo, sha))))


def _merge_requests(api: Blueprint, hosting: Hosting) -> None:
    @api.get("/projects/<path:project>/merge_requests")
    def merge_requests(project: str) -> ResponseReturnValue:
        repo, wanted = _find(hosting, project), request.args.get("state", "all")
        there = [one for one in repo.all_pull_requests() if wanted in ("all", "merged" if one.merged else "opened")]
        return _list([shapes.merge_request(repo, one) for one in reversed(there)])

    @api.get("/projects/<path:project>/merge_requests/<int:number>")
    def merge_request(project: str, number: int) -> ResponseReturnValue:
        repo = _find(hosting, project)
        return jsonify(shapes.merge_request(repo, repo.pull_request(number)))

    @api.put("/projects/<path:project>/merge_requests/<int:number>/merge")
    def merge(project: str, number: int) -> ResponseReturnValue:
        repo, fields = _find(hosting, project), _fields()
        method = MergeMethod.SQUASH if _yes(fields.get("squash")) else MergeMethod.MERGE
        title, sha = asking.text(fields, "merge_commit_message"), asking.text(fields, "sha")
        if repo.pull_request(number).merged:
            return _error(405, "405 Method Not Allowed")
        hosting.merge(repo, number, Terms(USER, method, title, sha))
        return jsonify(shapes.merge_request(repo, repo.pull_request(number)))


def _find(hosting: Hosting, project: str) -> Repository:
    """The repository that `:id` in the path names: its number, or its full name with each slash as %2F.

    The server undoes the %2F before it looks for a route, so whether they were there is read from the path as it came.
    """
    given = unquote(str(request.environ["REQUEST_URI"]).partition("/projects/")[2].partition("?")[0].partition("/")[0])
    for repo in hosting.repositories:
        if repo.kind is ForgeKind.GITLAB and given == project and given in (repo.name, str(repo.id)):
            return repo
    raise NotFound("404 Project Not Found")


def _commit(repo: Repository, sha: str) -> str:
    try:
        return repo.git.full(sha)
    except NotFound as error:
        raise NotFound("404 Commit Not Found") from error


def _post(sha: str, branch: str) -> Post:
    fields = _fields()
    state = asking.text(fields, "state")
    if state is None:
        raise Invalid("state", "is missing")
    if state not in GITLAB_STATES:
        raise Invalid("state", "does not have a valid value")
    context = asking.text(fields, "name") or asking.text(fields, "context") or "default"
    ref = asking.text(fields, "ref") or branch
    return Post(sha, context, state, asking.text(fields, "description"), asking.text(fields, "target_url"), ref)


def _fields() -> Mapping[str, object]:
    """Parameters from wherever GitLab takes them: the query, a form or a JSON body."""
    return {**request.args.to_dict(), **(request.form.to_dict() or asking.body(request))}


def _yes(value: object) -> bool:
    return str(value).lower() in ("true", "1")


def _list(items: Sequence[Json]) -> Response:
    shown = asking.page(request, items, size=20)
    response = jsonify(list(shown.items))
    following = str(shown.number + 1) if shown.number < shown.last else ""
    response.headers.update({
        "Link": asking.links(request, shown), "X-Page": str(shown.number), "X-Per-Page": str(shown.size),
        "X-Total": str(shown.total), "X-Total-Pages": str(shown.last), "X-Next-Page": following,
        "X-Prev-Page": str(shown.number - 1) if shown.number > 1 else "",
    })  # fmt: skip
    return response


def _refusal(error: Refused) -> ResponseReturnValue:
    if isinstance(error, NotFound):
        message = str(error)
        return _error(404, message if message.startswith("404 ") else "404 Not found")
    if isinstance(error, TransitionRefused):
        return _error(400, str(error))
    if isinstance(error, NotMergeable):
        return _error(422, "Branch cannot be merged")
    if isinstance(error, HeadMoved):
        return _error(409, f"SHA does not match HEAD of source branch: {error}")
    if isinstance(error, Invalid):
        return _invalid(error)
    return _error(400, str(error))


def _invalid(error: Invalid) -> ResponseReturnValue:
    if error.field == "state":
        return jsonify({"error": str(error)}), 400
    return _error(400, {error.field: [error.message]})


def _error(status: int, message: object) -> ResponseReturnValue:
    return jsonify({"message": message}), status
