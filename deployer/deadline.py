"""A gunicorn worker that cuts off slow clients: whoever takes too long over a request loses the connection.

gunicorn's threaded worker waits without limit for the rest of a request that has begun, so a handful of clients that
trickle their headers or body would hold all threads. Every request of ours is answered in milliseconds once it is
there, so one time for all of it is enough.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

SECONDS = 8.0
"""From the first byte of a request to the last byte of its answer. Forges themselves give up after ten."""


class DeadlineWorker(ThreadWorker):
    """gunicorn's threaded worker, with a deadline for each request."""

    def init_process(self) -> None:
        """Start the thread that watches the deadlines, then serve."""
        self._deadlines: dict[TConn, float] = {}
        threading.Thread(target=self._watch, name="deadlines", daemon=True).start()
        super().init_process()

    def handle(self, conn: TConn) -> Any:  # noqa: ANN401 - whatever gunicorn makes of it
        """Handle what one client sends; runs in a thread of the pool."""
        self._deadlines[conn] = time.monotonic() + SECONDS
        try:
            return super().handle(conn)
        finally:
            self._deadlines.pop(conn, None)

    def _watch(self) -> None:
        while True:
            time.sleep(1)
            now = time.monotonic()
            for conn, deadline in list(self._deadlines.items()):
                if deadline < now:
                    with contextlib.suppress(OSError):
                        conn.sock.shutdown(socket.SHUT_RDWR)
