"""An HTTP server on loopback that writes down what clients ask of it and answers as a test tells it to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl


@dataclass(frozen=True)
class Request:
    """A request as it came over the wire: the path is not decoded, header names are lower-case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @cached_property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def route(self) -> str:
        """The path without its query."""
        return self.path.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        """The query, decoded."""
        return dict(parse_qsl(self.path.partition("?")[2], keep_blank_values=True))


@dataclass(frozen=True)
class Answer:
    """What to answer. `body` is sent as JSON, unless it is bytes."""

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0
    """Seconds to wait first; cut short when the server stops."""
    drop: bool = False
    """Close the connection and answer nothing."""

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


def created(request: Request) -> Answer:
    """What a forge answers when all is well: 201 and what was posted, an empty list, or 200 and nothing much."""
    if "per_page" in request.query:
        return Answer(200, [])
    return Answer(201, {"id": 1, **request.json}) if request.method == "POST" else Answer(200, {"id": 1})


class RecordingForge:
    """Answers with `answer(request)`; `requests` holds what came, oldest first."""

    def __init__(self, answer: Answer | Callable[[Request], Answer] = created) -> None:
        self.answer = answer
        self.requests: list[Request] = []
        self._stopping = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def asked(self) -> list[tuple[str, str]]:
        """Method and path of every request."""
        return [(request.method, request.path) for request in self.requests]

    def receive(self, request: Request) -> Answer:
        self.requests.append(request)
        answer = self.answer(request) if callable(self.answer) else self.answer
        self._stopping.wait(answer.delay)
        return answer


def _handler(forge: RecordingForge) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30
        disable_nagle_algorithm = True

        def handle_one(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = forge.receive(Request(self.command, self.path, headers, self.rfile.read(length)))
            if answer.drop:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_one  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the requests are written down."""

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:
                self.close_connection = True  # the client did not wait

    return Handler
