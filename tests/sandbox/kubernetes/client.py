"""A client of one cluster that sends exactly what a test says, and namespaces for tests to be alone in."""

from __future__ import annotations

import base64
import http.client
import itertools
import json
import secrets
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

MERGE = "application/merge-patch+json"
JSON = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
_numbers = itertools.count()


class Answer:
    """A status and a body."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode()

    @property
    def body(self) -> Any:
        return json.loads(self.text)

    @property
    def message(self) -> str:
        return str(self.body["message"])

    @property
    def reason(self) -> str | None:
        return self.body.get("reason")

    @property
    def causes(self) -> list[tuple[str, str]]:
        return [(cause["field"], cause["reason"]) for cause in self.body["details"]["causes"]]


class Client:
    """Requests with the token of a kubeconfig, over one connection that is kept."""

    def __init__(self, kubeconfig: Path) -> None:
        content = yaml.safe_load(kubeconfig.read_text())
        cluster = content["clusters"][0]["cluster"]
        self.url = urlsplit(cluster["server"])
        self.token = content["users"][0]["user"]["token"]
        self._context = _context(cluster)
        self._connection = self.connect()

    def connect(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(str(self.url.hostname), self.url.port, context=self._context, timeout=20)

    def close(self) -> None:
        self._connection.close()

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        return Answer(self._send(self._connection, method, path, body, **headers))

    def _send(
        self, connection: http.client.HTTPSConnection, method: str, path: str, body: Any = None, **headers: str
    ) -> http.client.HTTPResponse:
        sent = {"Authorization": f"Bearer {self.token}", "User-Agent": "tests/1"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection.request(method, path, body=body, headers=sent)
        return connection.getresponse()

    def get(self, path: str, **headers: str) -> Answer:
        return self.request("GET", path, **headers)

    def post(self, path: str, body: Any) -> Answer:
        return self.request("POST", path, body)

    def put(self, path: str, body: Any) -> Answer:
        return self.request("PUT", path, body)

    def patch(self, path: str, body: Any, kind: str = MERGE) -> Answer:
        return self.request("PATCH", path, body, Content_Type=kind)

    def apply(self, path: str, body: Any, manager: str = "one", **query: str) -> Answer:
        options = "&".join(f"{name}={value}" for name, value in {"fieldManager": manager, **query}.items())
        return self.patch(f"{path}?{options}", body, APPLY)

    def delete(self, path: str, body: Any = None) -> Answer:
        return self.request("DELETE", path, body)

    def watch(self, path: str) -> Iterator[dict[str, Any]]:
        """The events of a watch, as they come."""
        connection = self.connect()
        try:
            for line in self._send(connection, "GET", path):
                yield json.loads(line)
        finally:
            connection.close()

    def make_namespace(self) -> str:
        name = f"t{next(_numbers)}-{secrets.token_hex(3)}"
        assert self.post("/api/v1/namespaces", {"metadata": {"name": name}}).status == 201
        return name


def _context(cluster: dict[str, Any]) -> ssl.SSLContext:
    authority = cluster.get("certificate-authority-data")
    if authority is not None:
        return ssl.create_default_context(cadata=base64.b64decode(authority).decode())
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def eventually(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait until a condition holds; fail when it does not come to hold."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
