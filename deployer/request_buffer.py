"""How much of an HTTP/1.1 request is here, without understanding more of it than its end.

This decides when a request is worth a thread, never what it means: gunicorn parses the same bytes afterwards and has
the last word. What is unusual in any way is left to it.
"""

from __future__ import annotations

from enum import Enum, auto

BODY_LIMIT = 25 * 1024 * 1024
"""Bytes; the most that GitHub sends: https://docs.github.com/en/webhooks/webhook-events-and-payloads"""

HEAD = 64 * 1024
"""Bytes of a head that is waited for; gunicorn itself accepts no more than about as much in lines of usual length."""

_NEW_LINE = b"\r\n"
_END = b"\r\n\r\n"


class Arrival(Enum):
    """How far a request has come."""

    PARTIAL = auto()
    WHOLE = auto()
    UNUSUAL = auto()
    """Chunked, over the limit, odd, or its sender waits for a word: the server has to look at it while it comes."""


class RequestBuffer:
    """The bytes of one request as they come in."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._needed: int | None = None
        self._unusual = False

    def feed(self, data: bytes) -> Arrival:
        """Add bytes and say how far the request has come."""
        seen = max(0, len(self._data) - len(_END))
        self._data += data
        if self._needed is None and not self._unusual:
            self._look_for_head(seen)
        if self._unusual:
            return Arrival.UNUSUAL
        return Arrival.WHOLE if self._needed is not None and len(self._data) >= self._needed else Arrival.PARTIAL

    def take(self) -> bytes:
        """All bytes that came, those after the request's end included. They are kept no longer here."""
        taken, self._data = bytes(self._data), bytearray()
        return taken

    def _look_for_head(self, start: int) -> None:
        if self._data.startswith(_NEW_LINE):
            start = max(start, len(_NEW_LINE))  # one empty line before a request is passed over (RFC 9112, 2.2)
        end = self._data.find(_END, start)
        if end < 0:
            self._unusual = len(self._data) > HEAD
            return
        length = _body_length(bytes(self._data[:end]).removeprefix(_NEW_LINE))
        if length is None or length > BODY_LIMIT:
            self._unusual = True
        else:
            self._needed = end + len(_END) + length


def _body_length(head: bytes) -> int | None:
    """Bytes of the body that belongs to `head` (RFC 9112, 6), or None when that takes more than one plain number."""
    request_line, *lines = head.split(_NEW_LINE)
    if request_line.count(b" ") != 2:
        return None
    length = 0
    lengths = 0
    for line in lines:
        name, _, value = line.partition(b":")
        match name.lower().strip():
            case b"content-length":
                lengths += 1
                number = value.strip(b" \t")
                if lengths > 1 or not number.isdigit() or len(number) > 12:
                    return None
                length = int(number)
            case b"transfer-encoding" | b"expect" | b"upgrade":
                return None
    return length
