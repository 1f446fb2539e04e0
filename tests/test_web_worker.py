"""The web process over real sockets: gunicorn with the committed configuration, one worker, short times and limits."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

import pytest
import yaml
from redis import Redis

from deployer.process import background
from deployer.store import Store
from tests.control_plane import free_port
from tests.end_to_end.processes import eventually
from tests.views.test_webhooks import PUSH, SETTINGS

CONFIG = Path(__file__).parent.parent / "config" / "gunicorn.conf.py"
SECRET = secrets.token_hex(16)
SECONDS = 1.0
LATEST = SECONDS + 2
"""The watch looks once a second; the rest is for a busy machine."""
THREADS = 4
CONNECTIONS = 40
LIMIT = 8192
HELD = 20 * LIMIT
PROMPT = 0.9 * SECONDS
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n"

NO_CHUNKS = {
    "no number": b"zz\r\n{}\r\n0\r\n\r\n",
    "no end of line": b"2\r\n{}0\r\n\r\n",
    "negative": b"-2\r\n{}\r\n0\r\n\r\n",
    "bare line feed": b"2;\n{}\r\n0\r\n\r\n",
}

GUNICORN = f"""
import runpy

import deployer.request_buffer
import deployer.web_worker

globals().update(runpy.run_path({str(CONFIG)!r}))
deployer.web_worker.SECONDS = {SECONDS}
deployer.request_buffer.BODY_LIMIT = {LIMIT}
deployer.web_worker.HELD = {HELD}
threads = {THREADS}
worker_connections = {CONNECTIONS}
"""
WSGI = f"""
import deployer.views.webhooks

deployer.views.webhooks.BODY_LIMIT = {LIMIT}
from deployer.wsgi import app
"""


@dataclass
class Web:
    """The address of a web process, and what it said."""

    port: int
    log: Path
    process: int = 0

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=15)

    def exchange(self, *parts: bytes) -> bytes:
        """Send a request as it is and give everything that comes back until the other side closes."""
        with self.connect() as client:
            with contextlib.suppress(ConnectionError):
                for part in parts:
                    client.sendall(part)
            return _rest(client)

    def worker(self) -> int:
        """The process that serves; it has the same number as long as it never died."""
        (worker,) = Path(f"/proc/{self.process}/task/{self.process}/children").read_text().split()
        return int(worker)

    def healthy_within(self) -> float:
        """Seconds until an ordinary client has its answer."""
        began = time.monotonic()
        answer = self.exchange(b"GET /healthz HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 "), answer
        return time.monotonic() - began


@dataclass
class Trickle:
    """A client that sends one byte at a time, and when it was cut off."""

    client: socket.socket
    rest: bytes
    began: float = field(default_factory=time.monotonic)
    lasted: float | None = None

    def drip(self) -> None:
        if self.lasted is None and self._refused():
            self.lasted = time.monotonic() - self.began

    def _refused(self) -> bool:
        try:
            self.client.settimeout(0.01)
            self.client.sendall(self.rest[:1])
            self.rest = self.rest[1:]
            return _rest(self.client) is not None
        except TimeoutError:
            return False
        except ConnectionError:
            return True


def _rest(client: socket.socket) -> bytes:
    """All that comes until the other side closes. Raises TimeoutError while it is silent."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := client.recv(65536):
            received += chunk
    return received


@pytest.fixture(scope="module")
def web(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    folder = tmp_path_factory.mktemp("web")
    for name, content in (
        ("gunicorn.conf.py", GUNICORN),
        ("limited.py", WSGI),
        ("deployer.yaml", yaml.safe_dump(SETTINGS)),
    ):
        (folder / name).write_text(content)
    web = Web(free_port(), folder / "log")
    environment = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "HOST": "127.0.0.1",
        "PORT": str(web.port),
        "WEB_CONCURRENCY": "1",
        "DEPLOYER_CONFIG": "deployer.yaml",
        "REDIS_URL": redis_url,
        "SECRET": SECRET,
        "TOKEN": secrets.token_hex(16),
    }
    argv = [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py", "limited:app"]
    with background(argv, cwd=folder, environment=environment, log=web.log) as process:
        web.process = process.pid
        eventually(lambda: _listens(web), seconds=30, otherwise=web.log.read_text)
        yield web


def _listens(web: Web) -> bool:
    try:
        return web.healthy_within() > 0
    except OSError:
        return False


def head(*more: str, body: bytes = b"", event: str = "push") -> bytes:
    """The head of a delivery that is signed as it should be; `more` says how its body comes."""
    digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    lines = [
        "POST /webhooks/github HTTP/1.1",
        "Host: test",
        "Content-Type: application/json",
        f"X-Hub-Signature-256: sha256={digest}",
        f"X-GitHub-Event: {event}",
        f"X-GitHub-Delivery: {secrets.token_hex(8)}",
        "Connection: close",
        *more,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def chunked(body: bytes, *, size: int = 1000) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def status(answer: bytes) -> int:
    version, _, rest = answer.partition(b" ")
    assert version in (b"HTTP/1.1", b"HTTP/1.0"), answer
    return int(rest[:3])


def slow(web: Web, kind: str) -> Trickle:
    """A client that sends slowly: its head, its body, a body in chunks, or the rest of a second request."""
    body = json.dumps(PUSH).encode()
    client = web.connect()
    match kind:
        case "headers":
            return Trickle(client, head("Content-Length: 2", body=b"{}"))
        case "body":
            client.sendall(head(f"Content-Length: {len(body)}", body=body))
        case "chunks":
            client.sendall(head("Transfer-Encoding: chunked", body=body))
            return Trickle(client, chunked(body))
        case "second":
            client.sendall(HEALTH + HEALTH[:20])
            assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
            return Trickle(client, HEALTH[20:-1])
    return Trickle(client, body)


@contextlib.contextmanager
def trickles(web: Web, *kinds: str) -> Iterator[list[Trickle]]:
    """One slow client for each kind."""
    with contextlib.ExitStack() as stack:
        clients = [slow(web, kind) for kind in kinds]
        for each in clients:
            stack.enter_context(each.client)
        yield clients


def drip_until_cut(web: Web, slow: list[Trickle]) -> list[float]:
    """Let every slow client send on until all are cut off; how long an ordinary one waited each time meanwhile."""
    waited = []
    ends = time.monotonic() + 3 * LATEST
    while any(each.lasted is None for each in slow):
        assert time.monotonic() < ends, web.log.read_text()
        for each in slow:
            each.drip()
        waited.append(web.healthy_within())
    return waited


@pytest.mark.parametrize("kind", ["headers", "body", "chunks", "second"])
def test_slow_clients_are_cut_off_and_others_are_served_meanwhile(
    web: Web, redis: Redis, store: Store, kind: str
) -> None:
    with trickles(web, *[kind] * (3 * THREADS)) as clients:
        waited = drip_until_cut(web, clients)
        lasted = [each.lasted for each in clients if each.lasted is not None]
    assert all(SECONDS - 0.1 < seconds < LATEST for seconds in lasted), lasted
    assert len(waited) > 2
    assert max(waited) < PROMPT
    assert list(store.audit.rows()) == []


def test_more_slow_clients_than_connections_make_room_for_others(web: Web, redis: Redis, store: Store) -> None:
    body = json.dumps(PUSH).encode()
    with trickles(web, *["headers", "body"] * CONNECTIONS):
        assert web.healthy_within() < PROMPT
        assert status(web.exchange(head(f"Content-Length: {len(body)}", body=body), body)) == 202
    assert web.healthy_within() < PROMPT


def test_more_slow_bytes_than_may_be_held_make_room_for_others(web: Web, redis: Redis, store: Store) -> None:
    body = json.dumps(PUSH).encode().ljust(LIMIT)
    with contextlib.ExitStack() as stack:
        for _ in range(2 * HELD // LIMIT):
            client = stack.enter_context(web.connect())
            client.sendall(head(f"Content-Length: {len(body)}", body=body) + body[:-1])
        assert status(web.exchange(head(f"Content-Length: {len(body)}", body=body), body)) == 202
        assert web.healthy_within() < PROMPT


def test_slow_chunks_make_only_other_chunks_wait(web: Web, redis: Redis, store: Store) -> None:
    body = json.dumps(PUSH).encode()
    with trickles(web, "chunks", "chunks"):
        for _ in range(2 * THREADS):
            assert status(web.exchange(head(f"Content-Length: {len(body)}", body=body), body)) == 202
        assert web.healthy_within() < PROMPT


@pytest.mark.parametrize(
    "sent",
    [HEALTH.replace(b"Host", b"Connection: close\r\nHost"), b"GARBAGE\r\n\r\n", b"\r\n\r\n", b"\r\n\r\n\r\n"],
    ids=["answered", "garbage", "nothing", "empty lines"],
)
def test_clients_that_do_not_hang_up_make_nobody_wait(web: Web, sent: bytes) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(3 * THREADS):
            stack.enter_context(web.connect()).sendall(sent)
        for _ in range(5):
            assert web.healthy_within() < PROMPT
            time.sleep(SECONDS / 4)


def test_connections_that_become_readable_while_others_take_their_place_do_no_harm(web: Web) -> None:
    worker = web.worker()
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(web.connect()) for _ in range(CONNECTIONS - 1)]
        for client in clients:
            client.sendall(b"GET")
        time.sleep(0.2)
        os.kill(worker, signal.SIGSTOP)
        more = [stack.enter_context(web.connect()) for _ in range(5)]
        for client in (*clients, *more):
            client.sendall(b" ")
        os.kill(worker, signal.SIGCONT)
        assert web.healthy_within() < PROMPT
    assert web.worker() == worker


def test_requests_in_one_packet_are_answered_one_after_the_other(web: Web) -> None:
    last = HEALTH.replace(b"Host: test", b"Host: test\r\nConnection: close")
    assert web.exchange(HEALTH * 3 + last).count(b"HTTP/1.1 200 ") == 4


def test_a_client_that_asks_before_it_sends_its_body_is_told_to(web: Web, redis: Redis, store: Store) -> None:
    body = json.dumps(PUSH).encode()
    with web.connect() as client:
        client.sendall(head(f"Content-Length: {len(body)}", "Expect: 100-continue", body=body))
        assert client.recv(65536).startswith(b"HTTP/1.1 100 ")
        client.sendall(body)
        assert status(_rest(client)) == 202


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nxx"])
def test_a_client_that_leaves_early_costs_nothing(web: Web, sent: bytes) -> None:
    for _ in range(2 * CONNECTIONS):
        with web.connect() as client:
            client.sendall(sent)
    assert web.healthy_within() < PROMPT


def test_a_client_that_pauses_within_the_time_is_served(web: Web, redis: Redis, store: Store) -> None:
    body = json.dumps(PUSH).encode()
    request = head(f"Content-Length: {len(body)}", body=body) + body
    with web.connect() as client:
        for part in (request[:50], request[50:-50], request[-50:]):
            client.sendall(part)
            time.sleep(SECONDS / 5)
        assert status(_rest(client)) == 202
    assert [row.what for row in store.audit.rows()] == ["accepted"]


def test_a_request_under_way_is_answered_when_the_process_is_asked_to_stop(
    web: Web, redis: Redis, store: Store
) -> None:
    body = json.dumps(PUSH).encode()
    worker = web.worker()
    with web.connect() as client:
        client.sendall(head(f"Content-Length: {len(body)}", body=body) + body[:100])
        assert web.healthy_within() < PROMPT
        os.kill(worker, signal.SIGTERM)
        time.sleep(PROMPT / 3)
        client.sendall(body[100:])
        assert status(_rest(client)) == 202
    assert [row.what for row in store.audit.rows()] == ["accepted"]
    eventually(lambda: _listens(web) and web.worker() != worker, seconds=30, otherwise=web.log.read_text)


def test_each_request_on_one_connection_has_its_own_time(web: Web) -> None:
    with contextlib.closing(HTTPConnection("127.0.0.1", web.port, timeout=15)) as client:
        client.connect()
        connection = client.sock
        for _ in range(3):
            client.request("GET", "/healthz")
            answer = client.getresponse()
            assert (answer.status, json.loads(answer.read())) == (200, {"status": "ok"})
            assert client.sock is connection
            time.sleep(0.6 * SECONDS)


@pytest.mark.parametrize(
    "framing",
    [
        ("Content-Length: 13", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", "Content-Length: 0"),
        ("Content-Length: 2", "Content-Length: 13"),
        ("Content-Length: 2, 13",),
        ("Content-Length: +13",),
        ("Content-Length: -1",),
        ("Content-Length: 0x0d",),
        ("Content-Length: 1_3",),
        ("Content-Length : 13",),
        ("Transfer-Encoding: xchunked",),
        ("Transfer-Encoding: gzip",),
        ("Transfer-Encoding: chunked, identity",),
        ("Transfer-Encoding: chunked, gzip",),
        ("Transfer-Encoding: chunked, chunked",),
        ("Transfer-Encoding: identity, chunked, identity",),
        ("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: \x0bchunked",),
        ('Transfer-Encoding: "chunked"',),
        ("Transfer-Encoding : chunked",),
        ("Transfer-Encoding:\r\n chunked",),
        ("Transfer_Encoding: chunked", "Transfer-Encoding: cow"),
    ],
    ids=lambda framing: ascii("; ".join(framing)),
)
def test_conflicting_and_odd_framing_is_refused_with_all_that_follows(
    web: Web, redis: Redis, store: Store, framing: tuple[str, ...]
) -> None:
    smuggled = b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n"
    answer = web.exchange(
        head(*framing, body=b"{}", event="ping").replace(b"Connection: close\r\n", b""),
        b"2\r\n{}\r\n0\r\n\r\n",
        smuggled,
    )
    assert status(answer) in (400, 501), answer
    assert answer.count(b"HTTP/1.1 ") == 1
    assert list(store.audit.rows()) == []


def test_a_body_in_chunks_within_the_limit_is_taken_in(web: Web, redis: Redis, store: Store) -> None:
    body = json.dumps(PUSH).encode().ljust(LIMIT)
    assert len(body) == LIMIT
    assert status(web.exchange(head("Transfer-Encoding: chunked", body=body), chunked(body))) == 202
    assert [row.what for row in store.audit.rows()] == ["accepted"]


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("over", [1, 100_000])
def test_a_body_in_chunks_over_the_limit_is_413(
    web: Web,
    redis: Redis,
    store: Store,
    over: int,
    signed: bool,
) -> None:
    body = json.dumps(PUSH).encode().ljust(LIMIT + over)
    answer = web.exchange(head("Transfer-Encoding: chunked", body=body if signed else b""), chunked(body))
    assert status(answer) == 413
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["result"] == "error"
    assert list(store.audit.rows()) == []


def test_a_body_over_the_limit_by_its_length_is_413_before_it_is_sent(web: Web) -> None:
    with web.connect() as client:
        client.sendall(head(f"Content-Length: {LIMIT + 1}"))
        assert status(client.recv(65536)) == 413
    assert web.healthy_within() < PROMPT


@pytest.mark.parametrize("chunks", NO_CHUNKS.values(), ids=NO_CHUNKS)
def test_chunks_that_are_none_are_refused_and_the_process_lives(
    web: Web, redis: Redis, store: Store, chunks: bytes
) -> None:
    answer = web.exchange(head("Transfer-Encoding: chunked", body=b"{}", event="ping"), chunks)
    assert status(answer) == 400, answer
    assert list(store.audit.rows()) == []
    assert web.healthy_within() < PROMPT
