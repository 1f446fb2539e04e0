"""When a request is here as a whole, however its bytes come in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployer import request_buffer
from deployer.request_buffer import Arrival, RequestBuffer

POST = b"POST /webhooks/github HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello"
GET = b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n"


def fed(*parts: bytes) -> list[Arrival]:
    buffer = RequestBuffer()
    return [buffer.feed(part) for part in parts]


@pytest.mark.parametrize("request_", [POST, GET], ids=["with a body", "without"])
@given(data=st.data())
def test_a_request_is_whole_with_its_last_byte_however_it_is_cut(request_: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, len(request_) - 1), max_size=9)))
    parts = [request_[start:end] for start, end in zip([0, *cuts], [*cuts, len(request_)], strict=True)]
    *before, last = fed(*parts)
    assert set(before) <= {Arrival.PARTIAL}
    assert last is Arrival.WHOLE


def test_what_comes_behind_a_request_is_kept() -> None:
    buffer = RequestBuffer()
    assert buffer.feed(POST + GET[:10]) is Arrival.WHOLE
    assert buffer.take() == POST + GET[:10]


@pytest.mark.parametrize(
    "header",
    [
        b"Transfer-Encoding: chunked",
        b"transfer-encoding: cow",
        b"Expect: 100-continue",
        b"Content-Length: +5",
        b"Content-Length: -5",
        b"Content-Length:",
        b"Content-Length: 5, 5",
        b"Content-Length: 5\r\nContent-Length: 5",
        b"Content-Length : x",
        b"Content-Length: \xb2",
        b"Content-Length:\r\n 5",
        b"Content-Length: 1111111111111",
        b"Content-Length: %d" % (request_buffer.BODY_LIMIT + 1),
        b"Upgrade: h2c",
    ],
)
def test_what_is_large_chunked_or_odd_is_left_to_the_server_with_its_head(header: bytes) -> None:
    head = b"POST / HTTP/1.1\r\nHost: test\r\n" + header + b"\r\n\r\n"
    assert fed(head[:-1], head[-1:], b"more") == [Arrival.PARTIAL, Arrival.UNUSUAL, Arrival.UNUSUAL]


def test_a_body_of_just_the_size_is_waited_for() -> None:
    head = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % request_buffer.BODY_LIMIT
    assert fed(head, b"x" * (request_buffer.BODY_LIMIT - 1), b"x") == [Arrival.PARTIAL, Arrival.PARTIAL, Arrival.WHOLE]


def test_a_head_without_an_end_is_left_to_the_server() -> None:
    line = b"GET / HTTP/1.1\r\nX: "
    assert fed(line, b"x" * (request_buffer.HEAD - len(line)), b"x") == [
        Arrival.PARTIAL,
        Arrival.PARTIAL,
        Arrival.UNUSUAL,
    ]


def test_one_empty_line_before_a_request_is_passed_over() -> None:
    assert fed(b"\r\n" + POST[:-1], b"o") == [Arrival.PARTIAL, Arrival.WHOLE]


@pytest.mark.parametrize("odd", [b"\r\n\r\n\r\n", b"\n\r\n\r\n", b"garbage\r\n\r\n", b"\r\n\r\n" + GET])
def test_what_begins_like_no_request_is_left_to_the_server(odd: bytes) -> None:
    assert fed(odd) == [Arrival.UNUSUAL]
