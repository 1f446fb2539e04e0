"""A load of signed deliveries over keep-alive connections, from a process of its own.

python -m tests.bench.load HOST PORT PATH SECRET --rate 100 --seconds 10     answer times at a steady rate
python -m tests.bench.load HOST PORT PATH SECRET --connections 8 --seconds 5 requests/s as fast as it goes
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import itertools
import json
import selectors
import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import cast

from tests.webhooks.deliveries import recorded

BODY_BYTES = 28 * 1024


def body(ref: str | None = None) -> bytes:
    """A GitHub push of 28 KB, as a merge of a few dozen files sends it; to another ref if one is given."""
    payload = dict(recorded("github_push").payload)
    payload["ref"] = ref or payload["ref"]
    payload["padding"] = ""
    payload["padding"] = "x" * (BODY_BYTES - len(json.dumps(payload)))
    return json.dumps(payload).encode()


@dataclass
class Target:
    host: str
    port: int
    path: str
    secret: bytes
    ref: str | None = None

    def __post_init__(self) -> None:
        self._body = body(self.ref)
        self._ids = itertools.count(time.time_ns())
        digest = hmac.new(self.secret, self._body, hashlib.sha256).hexdigest()
        self._head = (
            f"POST {self.path} HTTP/1.1\r\nHost: {self.host}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(self._body)}\r\nX-GitHub-Event: push\r\nX-Hub-Signature-256: sha256={digest}\r\n"
        ).encode()

    def request(self) -> bytes:
        """One delivery with an id of its own; the signature is over the body, so it is always the same."""
        return self._head + f"X-GitHub-Delivery: {next(self._ids):032x}\r\n\r\n".encode() + self._body


class Connection:
    """One keep-alive connection, one request at a time."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self) -> tuple[int, float]:
        """Status and seconds of one request. One that the server has closed for being idle is opened again."""
        reused = self._streams is not None
        try:
            return await self._send()
        except (asyncio.IncompleteReadError, ConnectionError):
            if not reused:
                raise
            self._streams = None
            return await self._send()

    async def _send(self) -> tuple[int, float]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._target.host, self._target.port)
        reader, writer = self._streams
        request = self._target.request()
        began = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(content_length(head))
        seconds = time.perf_counter() - began
        if b"connection: close" in head.lower():
            writer.close()
            self._streams = None
        return int(head.split(b" ", 2)[1]), seconds


def complete(answer: bytes) -> bool:
    """Whether an answer is there as a whole."""
    head, found, rest = answer.partition(b"\r\n\r\n")
    return bool(found) and len(rest) >= content_length(head)


def content_length(head: bytes) -> int:
    return next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))


def flat_out(target: Target, connections: int, seconds: float) -> list[tuple[int, float]]:
    """As fast as it goes over a number of connections.

    On bare sockets, because what the sender uses of the machine is taken from the server.
    """
    answers: list[tuple[int, float]] = []
    began: dict[socket.socket, float] = {}
    received: dict[socket.socket, bytes] = {}
    with ExitStack() as stack, selectors.DefaultSelector() as selector:
        for _ in range(connections):
            sock = stack.enter_context(socket.create_connection((target.host, target.port)))
            selector.register(sock, selectors.EVENT_READ)
            began[sock] = time.perf_counter()
            sock.sendall(target.request())
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            for key, _ in selector.select(timeout=1):
                sock = cast(socket.socket, key.fileobj)
                answer = received.pop(sock, b"") + sock.recv(65536)
                if not complete(answer):
                    received[sock] = answer
                    continue
                answers.append((int(answer[9:12]), time.perf_counter() - began[sock]))
                began[sock] = time.perf_counter()
                sock.sendall(target.request())
    return answers


async def steady(target: Target, rate: float, seconds: float) -> list[tuple[int, float]]:
    """At a rate that does not wait for answers; the time counts from when a request was due."""
    idle = [Connection(target) for _ in range(32)]
    answers: list[tuple[int, float]] = []

    async def one(due: float) -> None:
        connection = idle.pop() if idle else Connection(target)
        status, _ = await connection.send()
        answers.append((status, time.perf_counter() - due))
        idle.append(connection)

    begin = time.perf_counter()
    tasks = []
    for number in range(int(rate * seconds)):
        due = begin + number / rate
        await asyncio.sleep(max(0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(due)))
    await asyncio.gather(*tasks)
    return answers


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("host", "port", "path", "secret"):
        parser.add_argument(name)
    parser.add_argument("--ref")
    parser.add_argument("--rate", type=float)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=5)
    given = parser.parse_args()
    target = Target(given.host, int(given.port), given.path, given.secret.encode(), given.ref)
    if given.rate:
        answers = asyncio.run(steady(target, given.rate, given.seconds))
    else:
        answers = flat_out(target, given.connections, given.seconds)
    times = sorted(seconds for _, seconds in answers)
    print(
        json.dumps(
            {
                "requests_per_second": len(times) / given.seconds,
                "median_ms": times[len(times) // 2] * 1000,
                "p99_ms": times[int(len(times) * 0.99)] * 1000,
                "statuses": sorted({status for status, _ in answers}),
            }
        )
    )


if __name__ == "__main__":
    main()
