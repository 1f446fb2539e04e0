"""How GitHub answers: lists in pages, refusals in its words, and the headers of its rate limit on everything."""

from __future__ import annotations

import time
from collections.abc import Sequence

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from deployer.sandbox.forge import asking
from deployer.sandbox.forge.github.shapes import Json
from deployer.sandbox.forge.refusal import (
    Forbidden,
    HeadMoved,
    Invalid,
    NotFound,
    NotMergeable,
    Refused,
    Unauthenticated,
)

LIMIT = 5000

_DOCUMENTATION = "https://docs.github.com/rest"
_REFUSALS = {
    Unauthenticated: (401, None),
    Forbidden: (403, None),
    NotFound: (404, "Not Found"),
    NotMergeable: (405, "Pull Request is not mergeable"),
    HeadMoved: (409, "Head branch was modified. Review and try the merge again."),
    asking.NotJson: (400, "Problems parsing JSON"),
}
"""Status and words of each; None stands for the refusal's own."""


def worded(api: Blueprint) -> None:
    """Let everything that `api` answers have GitHub's headers, and its refusals GitHub's form."""

    @api.after_request
    def count(response: Response) -> Response:
        response.headers.update(_rate())
        return response

    @api.errorhandler(Refused)
    def refuse(refused: Refused) -> ResponseReturnValue:
        return _refusal(refused)

    @api.errorhandler(HTTPException)
    def fail(failed: HTTPException) -> ResponseReturnValue:
        return error(failed.code or 500, failed.name)


def many(items: Sequence[Json]) -> Response:
    """The page of a list that was asked for."""
    shown = asking.page(request, items, size=30)
    return _linked(jsonify(list(shown.items)), shown)


def counted(name: str, items: Sequence[Json]) -> Response:
    """The same for lists that come in an object, with how many there are."""
    shown = asking.page(request, items, size=30)
    return _linked(jsonify({"total_count": shown.total, name: list(shown.items)}), shown)


def error(status: int, message: str, **more: object) -> ResponseReturnValue:
    """A refusal."""
    return jsonify({"message": message, **more, "documentation_url": _DOCUMENTATION, "status": str(status)}), status


def invalid(resource: str, refused: Invalid) -> ResponseReturnValue:
    """The refusal of one field of something."""
    mistake = {"resource": resource, "code": "custom", "field": refused.field, "message": str(refused)}
    return error(422, "Validation Failed", errors=[mistake])


def reset() -> int:
    """When the count of requests would begin anew, in seconds since 1970."""
    return int(time.time()) + 3600


def _linked(response: Response, shown: asking.Page[Json]) -> Response:
    if link := asking.links(request, shown):
        response.headers["Link"] = link
    return response


def _refusal(refused: Refused) -> ResponseReturnValue:
    status, message = _REFUSALS.get(type(refused), (422, None))
    return error(status, message or str(refused))


def _rate() -> dict[str, str]:
    """There is no limit here; the headers are those of a client that has used nothing yet."""
    return {
        "X-RateLimit-Limit": str(LIMIT), "X-RateLimit-Remaining": str(LIMIT), "X-RateLimit-Used": "0",
        "X-RateLimit-Reset": str(reset()), "X-RateLimit-Resource": "core",
    }  # fmt: skip
