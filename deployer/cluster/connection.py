"""Requests to one API server: JSON in and out, from as many threads as an apply has.

Faults that pass are waited out here, and credentials that ran out are read anew, so that nobody above needs to.
Nothing here knows what an object is.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

from deployer.cluster import access
from deployer.cluster.access import Access
from deployer.cluster.link import Answer, Call, Fault, Link
from deployer.model import JSON
from deployer.retries import Budget
from deployer.settings import ClusterSettings

PATIENCE = Budget(attempts=7, first=0.2, longest=5)
"""About ten seconds altogether; a longer absence is for whoever runs the deployment to wait out."""

_INTERNAL_ERRORS = Budget(attempts=3, first=0.2, longest=1)
"""A 500 may be a change of etcd's leader, or an admission webhook that will not come back."""

_NEVER_AGAIN = Budget(attempts=1, first=0, longest=0)
_REPEATABLE = frozenset({"GET", "PUT", "PATCH", "DELETE"})
"""Methods that may be sent twice. PATCH is one because here it is server-side apply."""

_LONGEST = 40
"""Seconds after which a request is not tried again: then it is better to give the worker to another deployment."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer below 300, or a refusal from 400 on that asking again would not change."""

    status: int
    body: JSON = field(repr=False)
    """Parsed; of an answer that is not JSON, its first characters. Not in the representation: it may be a Secret."""


def connect(cluster: ClusterSettings, *, name: str = "", patience: Budget = PATIENCE) -> Connection:
    """Read the credentials of a cluster. Nothing is sent before the first request.

    Args:
        cluster: where its credentials are.
        name: the cluster's name in the settings, for messages.
        patience: how long faults that pass are waited out within one request.

    Raises:
        Permanent, Temporary: as `access.load`.
    """
    return Connection(lambda: access.load(cluster), name=name, patience=patience)


class Connection:
    """A cluster that can be asked, from several threads at once. Close it, or use it in a `with`."""

    def __init__(self, load: Callable[[], Access], *, name: str, patience: Budget) -> None:
        self._load = load
        self._name = name
        self._patience = patience
        self._renewing = threading.Lock()
        self._link = self._new_link()
        self._remembered: dict[str, Response] = {}
        self._troubles: Counter[str] = Counter()
        self._counting = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are open."""
        self._link.close()

    def request(  # noqa: PLR0913 - one value per part of a request
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: JSON | Mapping[str, JSON] = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Response:
        """Ask the API server; what passes by itself (429, 5xx, resets) is waited out and tried again.

        Args:
            method: in capitals; only a POST is never repeated.
            path: encoded, starts with a slash.
            query: parameters, not encoded.
            body: sent as JSON, unless it is None.
            content_type: of the body.
            accept: the form of JSON that is wanted.

        Raises:
            Temporary: unreachable or overloaded for longer than the patience, or asks for a longer wait.
            Permanent: TLS or the credentials were refused, or the server redirects.
        """
        headers = {"Accept": accept} | ({"Content-Type": content_type} if body is not None else {})
        content = json.dumps(body, separators=(",", ":")).encode() if body is not None else None
        call = Call(method, f"{path}?{urlencode(query)}" if query else path, content, headers)
        link = self._link
        answer = self._ask(link, call)
        if answer.status == 401:
            link = self._renewed(link)
            answer = self._ask(link, call)
        if answer.status == 401:
            raise link.permanent("it does not accept our credentials", "renew the user's token, certificate or plugin")
        return Response(answer.status, answer.body)

    def recall(self, path: str) -> Response:
        """The answer to a GET of `path`, asked for once in the connection's life unless it is forgotten."""
        if path not in self._remembered:
            self._remembered[path] = self.request("GET", path)
        return self._remembered[path]

    def forget(self, path: str) -> None:
        """Make the next `recall` of `path` ask again."""
        self._remembered.pop(path, None)

    def troubles(self) -> tuple[str, ...]:
        """What was waited out in this connection's life, as in `it answers HTTP 429 (12 times)`."""
        with self._counting:
            return tuple(f"{what} ({times} time{'' if times == 1 else 's'})" for what, times in self._troubles.items())

    def version(self) -> str:
        """The API server's version, as in `v1.36.0`.

        Raises:
            Temporary, Permanent: as `request`; and Permanent when what answers is no Kubernetes API.
        """
        response = self.request("GET", "/version")
        version = response.body.get("gitVersion") if isinstance(response.body, dict) else None
        if response.status != 200 or not isinstance(version, str):
            raise self._link.permanent(f"no Kubernetes API answers (HTTP {response.status})", "correct the server")
        return version

    def _new_link(self) -> Link:
        way_in = self._load()
        return Link(way_in, f"cluster {self._name} at {way_in.host}" if self._name else f"the cluster at {way_in.host}")

    def _renewed(self, stale: Link) -> Link:
        """A link with credentials read anew, unless another thread has made one meanwhile."""
        with self._renewing:
            if self._link is stale:
                self._waited("its credentials ran out and were read anew")
                self._link = self._new_link()
                stale.close()
            return self._link

    def _waited(self, what: str) -> None:
        with self._counting:
            self._troubles[what] += 1

    def _ask(self, link: Link, call: Call) -> Answer:
        attempt = 0
        deadline = time.monotonic() + _LONGEST
        while True:
            attempt += 1
            try:
                return _answer(link, call)
            except Fault as fault:
                delay = self._budget(call, fault).delay(attempt, fault, dice=random.random)
                if delay is None or time.monotonic() + delay > deadline:
                    if isinstance(fault, _InternalError):
                        return fault.answer
                    raise
                self._waited(fault.what)
            time.sleep(delay)

    def _budget(self, call: Call, fault: Fault) -> Budget:
        if call.method not in _REPEATABLE:
            return _NEVER_AGAIN
        return _INTERNAL_ERRORS if isinstance(fault, _InternalError) else self._patience


class _InternalError(Fault):
    """A 500: it may pass; if it does not, it is an answer that says why."""

    def __init__(self, answer: Answer) -> None:
        super().__init__("the API server failed", "it answers HTTP 500", retry_after=answer.retry_after)
        self.answer = answer


def _answer(link: Link, call: Call) -> Answer:
    answer = link.send(call)
    if answer.status == 500:
        raise _InternalError(answer)
    if answer.status == 429 or answer.status > 500:
        raise link.fault(f"it answers HTTP {answer.status}", retry_after=answer.retry_after)
    return answer
