"""Answers that every client must survive, and what they mean, whichever forge gives them."""

from __future__ import annotations

import pytest

from deployer.model import Failure, Permanent, Temporary
from tests.forges.recording import Answer

PAGE = b"<html><body>Down for maintenance</body></html>"

ANSWERS = [
    pytest.param(Answer(401, {"message": "401 Unauthorized"}), Temporary, "token is wrong, expired", id="401"),
    pytest.param(Answer(403, {"message": "Resource not accessible"}), Permanent, "token needs", id="403"),
    pytest.param(Answer(404, {"message": "Not Found"}), Permanent, "404: Not Found (", id="404"),
    pytest.param(Answer(422, {"message": "No commit found"}), Permanent, "422: No commit found", id="422"),
    pytest.param(Answer(400, {"message": {"name": ["is odd"]}}), Permanent, "400: name is odd", id="400"),
    pytest.param(Answer(307, {"message": "Moved"}, {"Location": "/x"}), Permanent, "check api_url", id="307"),
    pytest.param(Answer(302, PAGE, {"Location": "/login"}), Permanent, "check api_url", id="sign-in page"),
    pytest.param(Answer(301, {}, {"Location": "http://other.invalid/x"}), Permanent, "check api_url", id="other host"),
    pytest.param(Answer(409, {"message": "locked"}), Temporary, "409: locked", id="409"),
    pytest.param(Answer(500, {"message": "oops"}), Temporary, "500: oops", id="500"),
    pytest.param(Answer(502, PAGE), Temporary, "502: Bad Gateway", id="502"),
    pytest.param(Answer(503, []), Temporary, "503: Service Unavailable", id="503 with a list"),
    pytest.param(Answer(500, b'{"message": '), Temporary, "500: Internal Server Error", id="500 with half a body"),
    pytest.param(Answer(500, b"\xff\xfe\x00"), Temporary, "500: Internal Server Error", id="500 with bytes"),
    pytest.param(Answer(201, b"{"), Temporary, "not its API's", id="half a body"),
    pytest.param(Answer(201, []), Temporary, "not its API's", id="a list"),
    pytest.param(Answer(200, PAGE, {"Content-Type": "text/html"}), Temporary, "not its API's", id="a page"),
    pytest.param(Answer(200, b""), Temporary, "not its API's", id="nothing"),
    pytest.param(Answer(201, b"[" * 100_000), Temporary, "not its API's", id="a deep body"),
    pytest.param(Answer(drop=True), Temporary, "cannot be reached", id="connection dropped"),
    pytest.param(Answer(delay=5), Temporary, "cannot be reached: no answer in time", id="no answer"),
    pytest.param(
        Answer(200, b"this is no gzip", {"Content-Encoding": "gzip"}), Temporary, "cannot be reached", id="bad gzip"
    ),
]

WAITS = [
    pytest.param(Answer(429, {}, {"Retry-After": "3600"}), 3600, id="429"),
    pytest.param(Answer(403, {"message": "secondary rate limit"}, {"Retry-After": "90"}), 90, id="403"),
    pytest.param(Answer(403, {"message": "You have exceeded a secondary rate limit."}), 60, id="403 without a time"),
    pytest.param(Answer(503, {}, {"Retry-After": "120"}), 120, id="503"),
]


def carries(failure: BaseException, secret: str) -> bool:
    """Whether a secret is in what would be shown or logged of a failure or of what led to it."""
    assert isinstance(failure, Failure)
    shown = [failure.message, str(failure), repr(failure)]
    cause = failure.__cause__
    while cause is not None:
        shown += [str(cause), repr(cause)]
        cause = cause.__cause__ or cause.__context__
    return any(secret in text for text in shown)
