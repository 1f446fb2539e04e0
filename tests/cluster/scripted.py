"""An HTTP server on loopback that answers what a test tells it to, or passes requests on to a real API server."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingTCPServer
from typing import Any, Self

import urllib3
import yaml


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: Any = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


class Reset:
    """Close the connection in the client's face."""


class _Server(ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64


class ScriptedServer:
    """`answer` is asked for each request; `requests` has all that came."""

    def __init__(self, answer: Callable[[Request], Reply | Reset], *, tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.requests: list[Request] = []
        self._server = _Server(("127.0.0.1", 0), self._handler())
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            timeout = 5

            def handle(self) -> None:
                try:
                    super().handle()
                except OSError:
                    self.close_connection = True

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.command, self.path, headers, self.rfile.read(length))
                outer.requests.append(request)
                reply = outer.answer(request)
                if isinstance(reply, Reset):
                    self._reset()
                else:
                    self._send(reply)

            do_GET = do_PATCH = do_POST = do_DELETE = do_PUT = answer  # noqa: N815

            def _send(self, reply: Reply) -> None:
                body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
                self.send_response(reply.status)
                for name, value in {"Content-Length": str(len(body)), **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def _reset(self) -> None:
                linger_for_nothing = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_for_nothing)
                self.connection.close()
                self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler


class FaultyProxy(ScriptedServer):
    """Passes requests on to the cluster of a kubeconfig, as that kubeconfig's user whoever asks. `faults` are answered
    instead, one by one, to PATCHes first come; and what `trouble` says to a request, if it says something."""

    def __init__(self, kubeconfig: Path, *, method: str = "PATCH") -> None:
        document = yaml.safe_load(kubeconfig.read_text())
        self._upstream = document["clusters"][0]["cluster"]["server"]
        self._pool = urllib3.PoolManager(cert_reqs="CERT_NONE", maxsize=16)
        self._method = method
        self._authorization = f"Bearer {document['users'][0]['user']['token']}"
        self.faults: list[Reply | Reset] = []
        self.trouble: Callable[[Request], Reply | Reset | None] = lambda _: None
        super().__init__(self._pass_on)
        document["clusters"][0]["cluster"] = {"server": self.url}
        self.document = document

    def __enter__(self) -> Self:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        return super().__enter__()

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._pool.clear()

    def _pass_on(self, request: Request) -> Reply | Reset:
        if request.method == self._method and self.faults:
            return self.faults.pop(0)
        if trouble := self.trouble(request):
            return trouble
        headers = {name: value for name, value in request.headers.items() if name not in ("host", "connection")}
        headers["authorization"] = self._authorization
        response = self._pool.urlopen(
            request.method, self._upstream + request.target, body=request.body, headers=headers, retries=False
        )
        return Reply(response.status, response.data, {"Content-Type": response.headers.get("Content-Type", "")})
