"""A forge's git over HTTP on loopback, with basic authentication: `git http-backend` behind http.server."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class GitServer(ThreadingHTTPServer):
    """Serves the repositories below `root` and remembers every Authorization header, None for a request without."""

    daemon_threads = True

    def __init__(self, root: Path, *, username: str = "", password: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.root = root
        self.expected = _basic(username, password) if password else None
        self.redirect: str | None = None
        self.status: int | None = None
        self.stall_after: int | None = None
        """Bytes of a pack after which nothing more is sent until `resume` is set."""
        self.stalled, self.resume = threading.Event(), threading.Event()
        self.authorizations: list[str | None] = []

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"


class _Handler(BaseHTTPRequestHandler):
    server: GitServer

    def do_GET(self) -> None:
        self.server.authorizations.append(self.headers["Authorization"])
        if self.server.redirect:
            return self._answer(302, {"Location": self.server.redirect + self.path})
        if self.server.status:
            return self._answer(self.server.status, {})
        if self.server.expected not in (None, self.headers["Authorization"]):
            return self._answer(401, {"WWW-Authenticate": 'Basic realm="git"'})
        return self._serve()

    def do_POST(self) -> None:
        self.do_GET()

    def _serve(self) -> None:
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.devnull,
            "GIT_PROJECT_ROOT": str(self.server.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers["Content-Type"] or "",
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers["Content-Encoding"] or "",
            "GIT_PROTOCOL": self.headers["Git-Protocol"] or "",
        }
        done = subprocess.run(
            ["git", "http-backend"], env=environment, input=body, capture_output=True, check=True, timeout=30
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self._answer(int(headers.pop("Status", "200").split()[0]), headers, content)

    def _answer(self, status: int, headers: dict[str, str], content: bytes = b"") -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.server.stall_after is not None and len(content) > self.server.stall_after:
            self.wfile.write(content[: self.server.stall_after])
            self.server.stalled.set()
            self.server.resume.wait(30)
            self.close_connection = True
            return
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        """Quiet."""


def _basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


@contextmanager
def git_server(root: Path, *, username: str = "", password: str = "") -> Iterator[GitServer]:
    """Serve until the block ends."""
    with GitServer(root, username=username, password=password) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.resume.set()
            server.shutdown()
            thread.join()
