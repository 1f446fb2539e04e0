"""How GitLab is asked and answers: fields from wherever it takes them, lists in pages, refusals in its words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import unquote

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from deployer.model import ForgeKind
from deployer.sandbox.forge import asking
from deployer.sandbox.forge.gitlab.shapes import Json
from deployer.sandbox.forge.hosting import Hosting
from deployer.sandbox.forge.refusal import (
    HeadMoved,
    Invalid,
    NotFound,
    NotMergeable,
    Refused,
    Taken,
)
from deployer.sandbox.forge.repositories import Repository

_REFUSALS = {
    Taken: (404, "404 {} Not Found"),
    NotMergeable: (422, "Branch cannot be merged"),
    HeadMoved: (409, "SHA does not match HEAD of source branch: {}"),
}
"""Status and words of each, with a place for the refusal's own."""


def worded(api: Blueprint) -> None:
    """Give the refusals of everything in `api` GitLab's form."""

    @api.errorhandler(Refused)
    def refuse(refused: Refused) -> ResponseReturnValue:
        return _refusal(refused)

    @api.errorhandler(HTTPException)
    def fail(failed: HTTPException) -> ResponseReturnValue:
        return error(failed.code or 500, f"{failed.code} {failed.name}")


def find(hosting: Hosting, project: str) -> Repository:
    """The repository that `:id` in the path names: its number, or its full name with each slash as %2F.

    Raises NotFound.
    """
    given = named_in_path("/projects/")
    for repo in hosting.repositories:
        if repo.kind is ForgeKind.GITLAB and given == project and given in (repo.name, str(repo.id)):
            return repo
    raise NotFound("404 Project Not Found")


def named_in_path(before: str) -> str:
    """What stands in the path after `before`, up to the next slash that is one.

    The server undoes each %2F before it looks for a route, so whether they were there is read from the path as it came.
    """
    return unquote(str(request.environ["REQUEST_URI"]).partition(before)[2].partition("?")[0].partition("/")[0])


def commit(repo: Repository, sha: str) -> str:
    """The full commit that a request names. Raises NotFound."""
    try:
        return repo.git.full(sha)
    except NotFound as missing:
        raise NotFound("404 Commit Not Found") from missing


def fields() -> Mapping[str, object]:
    """Parameters from wherever GitLab takes them: the query, a form or a JSON body."""
    return {**request.args.to_dict(), **(request.form.to_dict() or asking.body(request))}


def yes(value: object) -> bool:
    """Whether a parameter is true, in the ways that GitLab takes."""
    return str(value).lower() in ("true", "1")


def many(items: Sequence[Json]) -> Response:
    """The page of a list that was asked for."""
    shown = asking.page(request, items, size=20)
    response = jsonify(list(shown.items))
    following = str(shown.number + 1) if shown.number < shown.last else ""
    response.headers.update({
        "Link": asking.links(request, shown), "X-Page": str(shown.number), "X-Per-Page": str(shown.size),
        "X-Total": str(shown.total), "X-Total-Pages": str(shown.last), "X-Next-Page": following,
        "X-Prev-Page": str(shown.number - 1) if shown.number > 1 else "",
    })  # fmt: skip
    return response


def error(status: int, message: object) -> ResponseReturnValue:
    """A refusal."""
    return jsonify({"message": message}), status


def _refusal(refused: Refused) -> ResponseReturnValue:
    if isinstance(refused, Invalid):
        return _invalid(refused)
    if isinstance(refused, NotFound):
        message = str(refused)
        return error(404, message if message.startswith("404 ") else "404 Not found")
    status, message = _REFUSALS.get(type(refused), (400, "{}"))
    return error(status, message.format(refused))


def _invalid(refused: Invalid) -> ResponseReturnValue:
    if refused.field in ("state", "status"):
        return jsonify({"error": str(refused)}), 400
    return error(400, {refused.field: [refused.message]})
