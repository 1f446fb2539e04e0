"""HTTP/1.1 over TLS on loopback: connections kept alive, a thread for each, a bearer token on every request.

It turns bytes into requests and answers into bytes, and knows nothing of Kubernetes but the shape of a refusal.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from deployer.sandbox.kubernetes.api import Answer, Api, Request
from deployer.sandbox.kubernetes.errors import ApiError, unauthorized
from deployer.sandbox.kubernetes.objects import Object

MAX_BODY = 3 * 1024 * 1024
"""Bytes of a request's body, as the real API server has it."""
SERVER = "kubernetes-sandbox (for trying only)"
_PATIENCE = 5.0
"""Seconds that the end of a server waits for its connections."""
_OPEN = ("/healthz", "/readyz", "/livez", "/version")


class Server(ThreadingHTTPServer):
    """The listening socket of one cluster."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], api: Api, *, token: str, tls: ssl.SSLContext) -> None:
        self.api = api
        self.token = token
        self._tls = tls
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._connections: set[socket.socket] = set()
        self._connections_left = threading.Condition()
        super().__init__(address, Handler)

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """Accept a connection. The handshake is left to its own thread, so that a slow client delays nobody."""
        connection, address = super().get_request()
        secured = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        with self._connections_left:
            self._connections.add(secured)
        return secured, address

    def shutdown_request(self, request: socket.socket) -> None:  # type: ignore[override]
        super().shutdown_request(request)
        with self._connections_left:
            self._connections.discard(request)
            self._connections_left.notify_all()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is not worth a word."""

    def close(self) -> None:
        """Stop listening, end every connection, idle and busy, and wait for them."""
        self.api.ended = True
        with self.api.store.changed:
            self.api.store.changed.notify_all()
        self.server_close()
        with self._connections_left:
            for connection in self._connections:
                _end(connection)
            self._connections_left.wait_for(lambda: not self._connections, timeout=_PATIENCE)


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = SERVER
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 600
    server: Server

    def do_GET(self) -> None:
        body = self._body()
        if body is None:
            return
        try:
            self._authenticate()
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = self.server.api.answer(Request(self.command, self.path, headers, body))
        except ApiError as error:
            answer = Answer(error.code, error.status())
        except Exception as error:
            answer = Answer(500, ApiError(500, "InternalError", f"sandbox: {error!r}").status())
        if answer.lines is None:
            self._send(answer)
        else:
            self._stream(answer.lines)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the names are http.server's

    def log_message(self, *_args: object) -> None:
        """Nothing is logged: headers hold the token."""

    def _authenticate(self) -> None:
        given = self.headers.get("Authorization", "").encode()
        if self.path.partition("?")[0] in _OPEN:
            return
        if not hmac.compare_digest(given, f"Bearer {self.server.token}".encode()):
            raise unauthorized()

    def _body(self) -> bytes | None:
        """The body, or None when it was refused."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self._chunks()
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > MAX_BODY:
            self._refuse()
            return None
        return self.rfile.read(int(length))

    def _chunks(self) -> bytes | None:
        body = b""
        while size := int(self.rfile.readline(64).partition(b";")[0] or b"0", 16):
            if len(body) + size > MAX_BODY:
                self._refuse()
                return None
            body += self.rfile.read(size)
            self.rfile.readline(4)
        self.rfile.readline(4)
        return body

    def _refuse(self) -> None:
        """Answer that the body is too large, and take nothing more from this connection."""
        message = f"Request entity too large: limit is {MAX_BODY}"
        self.close_connection = True
        self._send(Answer(413, ApiError(413, "RequestEntityTooLarge", message).status()))

    def _send(self, answer: Answer) -> None:
        plain = isinstance(answer.body, str)
        body = str(answer.body).encode() if plain else encode(answer.body)
        self.send_response(answer.code)
        self.send_header("Content-Type", "text/plain; charset=utf-8" if plain else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def _stream(self, lines: Iterator[Object]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        for line in lines:
            data = encode(line) + b"\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()


def encode(body: Object | str) -> bytes:
    """JSON as it is sent: compact, UTF-8, every character that can be written as itself."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
