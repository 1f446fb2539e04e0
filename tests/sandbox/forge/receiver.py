"""A real HTTP server on loopback that keeps every request it gets and answers as it is told."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Request:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    url: str
    requests: list[Request] = field(default_factory=list)
    status: int = 202
    open: threading.Event = field(default_factory=threading.Event)
    """While it is not set, requests are kept waiting for their answer."""

    def named(self, event: str) -> list[Request]:
        """The requests with that event, of whichever kind of forge."""
        return [
            one
            for one in self.requests
            if event in (one.headers.get("X-GitHub-Event"), one.headers.get("X-Gitlab-Event"))
        ]


@contextlib.contextmanager
def receiving() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.requests.append(Request(self.path, dict(self.headers.items()), body))
            receiver.open.wait(timeout=30)
            self.send_response(receiver.status)
            self.send_header("Location", receiver.url)
            self.end_headers()
            self.wfile.write(b'{"result": "accepted"}')

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver = Receiver(f"http://127.0.0.1:{server.server_port}/webhooks/forge")
        receiver.open.set()
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield receiver
        finally:
            receiver.open.set()
            server.shutdown()
            thread.join()
