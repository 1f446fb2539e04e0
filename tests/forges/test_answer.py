from __future__ import annotations

import ssl
from collections.abc import Mapping

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from deployer.forges.answer import LONGEST_WAIT, Answer, Errand, decoded, said
from deployer.model import Permanent, Stage, Temporary

NOW = 1_800_000_000.0


def answer(status: int, headers: Mapping[str, str] | None = None, message: str = "") -> Answer:
    return Answer(status, headers or {}, message, NOW)


ERRAND = Errand("GitHub", "posting", Stage.REPORT, {403: "give it more"}, secrets=("s3cret",))


@pytest.mark.parametrize(
    ("status", "headers", "message", "wait"),
    [
        (429, {"retry-after": "17"}, "", 17),
        (403, {"retry-after": "17"}, "You have exceeded a secondary rate limit", 17),
        (403, {}, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.", 60),
        (403, {}, "You have triggered an abuse detection mechanism.", 60),
        (422, {}, "Validation Failed: was submitted too quickly", 60),
        (403, {"x-ratelimit-remaining": "12", "x-ratelimit-reset": str(NOW + 1800)}, "a secondary rate limit", 60),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{NOW + 99:.0f}"}, "API rate limit exceeded", 100),
        (429, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{NOW + 99}"}, "", 100),
        (429, {"ratelimit-remaining": "0", "ratelimit-reset": f"{NOW + 99:.0f}"}, "Retry later", 100),
        (403, {"x-ratelimit-remaining": "0"}, "", 60),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{NOW - 500}"}, "", 0),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{NOW * 1000}"}, "", LONGEST_WAIT),
        (429, {}, "", 60),
        (429, {"retry-after": "soon"}, "", 60),
        (429, {"retry-after": "1e999"}, "", 60),
        (429, {"retry-after": "-5"}, "", 60),
        (429, {"retry-after": "99999999"}, "", LONGEST_WAIT),
        (503, {"retry-after": "Fri, 15 Jan 2027 08:00:30 GMT"}, "", 30),
        (503, {"retry-after": "Fri, 15 Jan 2027 07:00:00 GMT"}, "", 0),
        (503, {}, "", None),
        (500, {"x-ratelimit-remaining": "0"}, "", None),
    ],
)
def test_a_forge_that_wants_us_to_wait_says_how_long(
    status: int, headers: Mapping[str, str], message: str, wait: float | None
) -> None:
    failure = ERRAND.refused(answer(status, headers, message))
    assert isinstance(failure, Temporary)
    assert failure.retry_after == wait


@pytest.mark.parametrize("status", [401, 408, 409, 423, 425, 429, 500, 502, 503, 504, 520])
def test_what_may_go_away_is_temporary(status: int) -> None:
    assert isinstance(ERRAND.refused(answer(status)), Temporary)


@pytest.mark.parametrize("status", [301, 302, 307, 400, 403, 404, 410, 418, 422])
def test_what_will_not_go_away_is_permanent(status: int) -> None:
    assert isinstance(ERRAND.refused(answer(status, {"x-ratelimit-remaining": "4999"})), Permanent)


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        (403, "Resource not accessible", "posting: GitHub answered 403: Resource not accessible (give it more)"),
        (404, "", "posting: GitHub answered 404: Not Found"),
        (499, "", "posting: GitHub answered 499"),
        (502, "", "posting: GitHub answered 502: Bad Gateway"),
        (422, "two\nlines \x1b[1mbold\x1b[0m", "posting: GitHub answered 422: two lines bold"),
        (422, "you sent s3cret to us", "posting: GitHub answered 422: you sent [redacted] to us"),
    ],
)
def test_the_message_says_what_the_forge_said_and_what_to_do(status: int, message: str, expected: str) -> None:
    failure = ERRAND.refused(answer(status, message=message))
    assert (failure.message, failure.stage) == (expected, Stage.REPORT)


def test_a_redirect_leads_to_the_settings() -> None:
    assert "check api_url" in ERRAND.refused(answer(307, {"location": "/elsewhere"})).message


def test_a_long_answer_is_shortened() -> None:
    assert len(ERRAND.refused(answer(422, message="no " * 9000)).message) < 400


def test_a_secret_is_in_no_representation() -> None:
    assert "s3cret" not in repr(ERRAND)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"message": "Not Found", "documentation_url": "https://docs.example.com"}, "Not Found"),
        ({"message": "Validation Failed",
          "errors": [{"resource": "Status", "code": "custom", "field": "description", "message": "it is too long"}]},
         "Validation Failed: it is too long"),
        ({"message": "Validation Failed", "errors": [{"code": "missing", "field": "state"}, "and more"]},
         "Validation Failed: state missing, and more"),
        ({"message": {"name": ["is too long", "is odd"]}}, "name is too long, name is odd"),
        ({"error": "insufficient_scope", "error_description": "needs higher privileges"},
         "insufficient_scope: needs higher privileges"),
        ({"message": None, "errors": 7}, ""),
        ({}, ""),
        (["a list"], ""),
        ("text", ""),
        (None, ""),
    ],
)  # fmt: skip
def test_the_forges_own_words_are_found_in_every_form_of_error(body: object, expected: str) -> None:
    assert said(body) == expected


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["message", "error", "errors", "code", "x"]), inner)
    ),
    max_leaves=20,
)


@given(body=_JSON)
def test_no_body_breaks_the_search_for_words(body: object) -> None:
    assert isinstance(said(body), str)


@pytest.mark.parametrize("text", ["", "<html>", "{", "[" * 200_000, "\x00"])
def test_what_is_not_json_decodes_to_nothing(text: str) -> None:
    assert decoded(text) is None


def _certificate_error() -> requests.exceptions.SSLError:
    cause = ssl.SSLCertVerificationError(1, "certificate verify failed")
    cause.verify_message = "self-signed certificate"
    error = requests.exceptions.SSLError("<object at 0x7f>")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (requests.ReadTimeout("read timeout=10"), "no answer in time"),
        (requests.ConnectTimeout("connect timeout=10"), "no answer in time"),
        (_certificate_error(), "its certificate is not trusted: self-signed certificate"),
        (requests.exceptions.ProxyError("cannot connect"), "through the proxy: the connection broke off"),
        (requests.exceptions.ChunkedEncodingError("incomplete"), "the connection broke off"),
    ],
)
def test_a_forge_out_of_reach_is_temporary_and_says_why(error: requests.RequestException, expected: str) -> None:
    failure = ERRAND.unreachable(error)
    assert failure.message.startswith(f"posting: GitHub cannot be reached: {expected}")
    assert failure.retry_after is None
