"""A gunicorn worker that spends a thread on a request when it is here as a whole, and not before.

gunicorn's threaded worker reads a request in the thread that will answer it and waits without limit for the rest, so
as many slow clients as there are threads would stop it. Here the loop that watches the connections collects the bytes,
so a slow client costs a buffer; whoever takes too long over a request loses the connection.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from selectors import EVENT_READ
from typing import Any, cast

from gunicorn.workers.gthread import TConn, ThreadWorker

from deployer.request_buffer import Arrival, RequestBuffer

SECONDS = 8.0
"""To send a request, and again to answer it and have the answer taken. Forges themselves give up after ten."""

HELD = 128 * 1024 * 1024
"""Bytes of requests that a process keeps at once, until they are answered."""

LINGER = 2.0
"""Seconds that a connection which is to be closed stays half open, so that its client can read the answer."""

UNUSUAL_SHARE = 4
"""One in so many threads may be busy with requests that are read while they come."""

_CHUNK = 256 * 1024


@dataclass(slots=True, eq=False)
class _Incoming:
    """A connection that sends a request, what it has sent, until when it may, and where it is watched or waits."""

    conn: TConn
    buffer: RequestBuffer = field(default_factory=RequestBuffer)
    held: int = 0
    deadline: float = field(default_factory=lambda: time.monotonic() + SECONDS)
    polled: bool = False
    waiting: bool = False


class _Connection(TConn):
    """gunicorn's connection, except that closing it gracefully does not make the loop wait for the client."""

    linger: Callable[[_Connection], None]

    def close(self, graceful: bool = False) -> None:
        """Close it; gracefully: tell the client that nothing more comes, and leave the rest to the worker."""
        if graceful:
            self.linger(self)
        else:
            super().close()


class WebWorker(ThreadWorker):
    """gunicorn's threaded worker, behind a buffer for requests and a deadline for each."""

    def init_process(self) -> None:
        """Start the thread that watches the answers, then serve."""
        self._incoming: dict[TConn, _Incoming] = {}
        self._received: dict[TConn, _Incoming] = {}
        self._held = 0
        self._closing: dict[TConn, float] = {}
        self._unusual: set[TConn] = set()
        self._unusual_waiting: deque[_Incoming] = deque()
        self._deadlines: dict[TConn, float] = {}
        threading.Thread(target=self._watch_answers, name="deadlines", daemon=True).start()
        super().init_process()

    # What follows runs in the loop, and may not wait.

    def accept(self, listener: Any) -> None:  # noqa: ANN401 - gunicorn's socket
        """Take in a connection. When there are too many, the one that has been sending for longest makes room."""
        try:
            sock, address = listener.accept()
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                raise
            return
        self.nr_conns += 1
        if self.nr_conns >= self.worker_connections:
            self._drop_longest()
        conn = _Connection(self.cfg, sock, address, listener.getsockname())
        conn.linger = self._linger
        self._receive(conn)

    def on_client_socket_readable(self, conn: TConn, client: Any) -> None:  # noqa: ANN401 - gunicorn's socket
        """Take in the next request on a connection that was kept."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self._receive(conn)

    def finish_request(self, conn: TConn, fs: Future[Any]) -> None:
        """Close or keep a connection after an answer; what came behind the request is the beginning of the next one."""
        ahead = _read_ahead(conn, fs)
        self._held -= self._received.pop(conn).held
        self._unusual.discard(conn)
        super().finish_request(conn, fs)
        if ahead and conn in self.keepalived_conns:
            self.poller.unregister(conn.sock)
            self.keepalived_conns.remove(conn)
            self._receive(conn, ahead)
        self._admit_unusual()

    def murder_pending(self) -> None:
        """Close the connections whose request is not here in time."""
        now = time.monotonic()
        for incoming in list(self._incoming.values()):
            if incoming.deadline > now:
                break
            self._drop(incoming)
        for conn, deadline in list(self._closing.items()):
            if deadline > now:
                break
            self._closed(conn)
        if self.nr_conns >= self.worker_connections:
            self._drop_longest()
        super().murder_pending()

    def _receive(self, conn: TConn, ahead: bytes = b"") -> None:
        incoming = self._incoming[conn] = _Incoming(conn)
        if ahead:
            self._take_in(incoming, ahead)
        else:
            self._read(incoming, conn.sock)
        if conn in self._incoming and not incoming.waiting:
            self.poller.register(conn.sock, EVENT_READ, partial(self._read, incoming))
            incoming.polled = True

    def _read(self, incoming: _Incoming, sock: Any) -> None:  # noqa: ANN401 - gunicorn's socket
        if incoming.conn not in self._incoming:
            return  # dropped a moment ago, for another one that became readable at the same time
        try:
            data = sock.recv(_CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if data:
            self._take_in(incoming, data)
        else:
            self._drop(incoming)

    def _take_in(self, incoming: _Incoming, data: bytes) -> None:
        arrival = incoming.buffer.feed(data)
        incoming.held += len(data)
        self._held += len(data)
        if arrival is Arrival.WHOLE:
            self._hand_over(incoming)
        if arrival is Arrival.UNUSUAL:
            self._leave_poller(incoming)
            incoming.waiting = True
            self._unusual_waiting.append(incoming)
            self._admit_unusual()
        if self._held > HELD:
            self._drop_longest()

    def _admit_unusual(self) -> None:
        while self._unusual_waiting and len(self._unusual) < max(1, self.cfg.threads // UNUSUAL_SHARE):
            incoming = self._unusual_waiting.popleft()
            self._unusual.add(incoming.conn)
            self._hand_over(incoming)

    def _hand_over(self, incoming: _Incoming) -> None:
        self._leave_poller(incoming)
        self._received[incoming.conn] = self._incoming.pop(incoming.conn)
        self.enqueue_req(incoming.conn)

    def _drop_longest(self) -> None:
        if self._closing:
            self._closed(next(iter(self._closing)))
        elif self._incoming:
            self._drop(next(iter(self._incoming.values())))

    def _drop(self, incoming: _Incoming) -> None:
        del self._incoming[incoming.conn]
        self._held -= incoming.held
        if incoming.waiting:
            self._unusual_waiting.remove(incoming)
        self._leave_poller(incoming)
        self.nr_conns -= 1
        incoming.conn.close()

    def _leave_poller(self, incoming: _Incoming) -> None:
        if incoming.polled:
            self.poller.unregister(incoming.conn.sock)
            incoming.polled = False

    def _linger(self, conn: TConn) -> None:
        """Close our half, and throw away what still comes until the client closes its own or the time is up."""
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
            self.poller.register(conn.sock, EVENT_READ, partial(self._discard, conn))
        except (OSError, ValueError, KeyError):
            TConn.close(conn)
            return
        self._closing[conn] = time.monotonic() + LINGER
        self.nr_conns += 1

    def _discard(self, conn: TConn, sock: Any) -> None:  # noqa: ANN401 - gunicorn's socket
        if conn not in self._closing:
            return
        try:
            if sock.recv(_CHUNK):
                return
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            pass
        self._closed(conn)

    def _closed(self, conn: TConn) -> None:
        del self._closing[conn]
        self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()

    # What follows runs in other threads.

    def handle(self, conn: TConn) -> Any:  # noqa: ANN401 - whatever gunicorn makes of it
        """Answer a request that was received; runs in a thread of the pool."""
        self._deadlines[conn] = time.monotonic() + SECONDS
        try:
            conn.data_ready = True
            conn.init()
            _unreader(conn).unread(self._received[conn].buffer.take())
            return super().handle(conn)
        finally:
            self._deadlines.pop(conn, None)

    def _watch_answers(self) -> None:
        while True:
            time.sleep(1)
            now = time.monotonic()
            for conn, deadline in self._deadlines.copy().items():
                if deadline < now:
                    with contextlib.suppress(OSError):
                        conn.sock.shutdown(socket.SHUT_RDWR)


def _unreader(conn: TConn) -> Any:  # noqa: ANN401 - gunicorn's, of the one parser that is configured
    return cast(Any, conn.parser).unreader


def _read_ahead(conn: TConn, fs: Future[Any]) -> bytes:
    if fs.cancelled() or fs.exception() or not fs.result():
        return b""
    return bytes(_unreader(conn).take_buffered())
