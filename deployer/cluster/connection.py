"""Requests to one API server: JSON in and out, from as many threads as an apply has.

Faults that pass are waited out here, and credentials that ran out are read anew, so that nobody above needs to.
Nothing here knows what an object is.
"""

from __future__ import annotations

import json
import math
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

from deployer.cluster import access
from deployer.cluster.access import Access
from deployer.cluster.link import Answer, Call, Fault, Link
from deployer.model import JSON, Permanent, Stage
from deployer.retries import Budget
from deployer.settings import ClusterSettings

PATIENCE = Budget(attempts=9, first=0.2, longest=5)
"""Ten to twenty seconds altogether, in which an API server is started again; a longer absence is for whoever runs the
deployment to wait out."""

IMPATIENT = Budget(attempts=2, first=0.2, longest=0.5)
"""For a look that is made again anyway, or by somebody who waits in front of a terminal."""

_INTERNAL_ERROR_PAUSE = 0.5
"""Seconds at most between two tries after a 500: as often as otherwise, so that of a thousand objects none fails when
one request in ten does, but sooner. It may be a change of etcd's leader, or a webhook that will not come back."""

_COMING_UP = 10.0
"""Seconds after which an API server that was away has read what it needs to answer rightly."""

_ESCAPED = re.compile("[\x7f-\uffff]+")

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


Guard = Callable[[], None]
"""Asked each time that something is about to be sent that writes, also when it is sent again; raises to prevent it."""


def connect(
    cluster: ClusterSettings,
    *,
    name: str = "",
    service_account: str | None = None,
    patience: Budget = PATIENCE,
    guard: Guard = lambda: None,
) -> Connection:
    """Read the credentials of a cluster. Nothing is sent before the first request.

    Args:
        cluster: where its credentials are.
        name: the cluster's name in the settings, for messages.
        service_account: `namespace/name` of the account that every request is made as.
        patience: how long faults that pass are waited out within one request.
        guard: what prevents a write.

    Raises:
        Permanent, Temporary: as `access.load`.
    """

    def load() -> Access:
        return access.load(cluster, service_account=service_account)

    return Connection(load, name=name, patience=patience, guard=guard)


class Connection:
    """A cluster that can be asked, from several threads at once. Close it, or use it in a `with`."""

    def __init__(self, load: Callable[[], Access], *, name: str, patience: Budget, guard: Guard = lambda: None) -> None:
        self._load = load
        self._name = name
        self._patience = patience
        self.guard = guard
        self._renewing = threading.Lock()
        self._link = self._new_link()
        self._remembered: dict[str, Response] = {}
        self._brief = replace(patience, longest=min(patience.longest, _INTERNAL_ERROR_PAUSE))
        self._last_away = -math.inf
        self._fails_for_good = self._refuses_for_good = False
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
            Permanent: TLS or the credentials were refused, they may not be used to act as the service account, or the
                server redirects.
        """
        headers = {"Accept": accept} | ({"Content-Type": content_type} if body is not None else {})
        content = _encoded(body) if body is not None else None
        call = Call(method, f"{path}?{urlencode(query)}" if query else path, content, headers)
        link = self._link
        answer = self._ask(link, call)
        if answer.status == 401:
            link = self._renewed(link)
            answer = self._ask(link, call)
        if answer.status == 401:
            raise link.permanent("it does not accept our credentials", "renew the user's token, certificate or plugin")
        if missing := link.missing_grant(answer):
            raise Permanent(f"asking {link.name}: {missing}.", stage=Stage.APPLY)
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
        tries: Counter[str] = Counter()  # of each trouble: after a long absence there is time left for what follows it
        deadline = time.monotonic() + _LONGEST
        while True:
            if call.method != "GET":
                self.guard()
            try:
                return self._answer(link, call)
            except Fault as fault:
                tries[fault.what] += 1
                delay = self._budget(call, fault).delay(tries[fault.what], fault, dice=random.random)
                if delay is None or time.monotonic() + delay > deadline:
                    return self._given_up(call, fault)
                self._waited(fault.what)
            time.sleep(delay)

    def _answer(self, link: Link, call: Call) -> Answer:
        try:
            answer = link.send(call)
        except Fault:
            self._last_away = time.monotonic()
            raise
        if answer.status == 500:
            raise _InternalError("it answers HTTP 500", answer)
        if answer.status > 500:
            self._last_away = time.monotonic()
        if answer.status == 429 or answer.status > 500:
            raise link.fault(f"it answers HTTP {answer.status}", retry_after=answer.retry_after)
        if not self._refuses_for_good and _is_ignorant(answer) and time.monotonic() < self._last_away + _COMING_UP:
            raise _Doubtful(f"it answers HTTP {answer.status} right after it was away", answer)
        return answer

    def _given_up(self, call: Call, fault: Fault) -> Answer:
        """The answer that did not become another one; if there was none, the fault is raised."""
        if not isinstance(fault, _Doubtful):
            raise fault
        if isinstance(fault, _InternalError):
            self._fails_for_good |= call.method in _REPEATABLE
        else:
            self._refuses_for_good = True
        return fault.answer

    def _budget(self, call: Call, fault: Fault) -> Budget:
        if call.method not in _REPEATABLE:
            return _NEVER_AGAIN
        if isinstance(fault, _InternalError):
            # When one stayed, a thousand objects behind the same webhook are not waited for one after the other.
            return _NEVER_AGAIN if self._fails_for_good else self._brief
        return self._patience


class _Doubtful(Fault):
    """An answer that may become another one; if it does not, it says why."""

    def __init__(self, what: str, answer: Answer) -> None:
        super().__init__(f"the API server failed: {what}", what, retry_after=answer.retry_after)
        self.answer = answer


class _InternalError(_Doubtful):
    """A 500."""


def _encoded(body: JSON | Mapping[str, JSON]) -> bytes:
    """JSON that is YAML, too, because an apply is read as YAML.

    That allows no bare DEL or NEL, which are escaped with all that is not ASCII; and a character beyond U+FFFF must
    stand as it is, for it has no escape but a pair of halves.
    """
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    return _ESCAPED.sub(lambda run: json.dumps(run[0])[1:-1], text).encode()


def _is_ignorant(answer: Answer) -> bool:
    """Whether an API server answers so that has not read its tokens, roles or custom resources yet.

    It serves from the moment it listens. What it does not find then is a path, not an object: no `Status` says so.
    """
    return answer.status in (401, 403) or (answer.status == 404 and not isinstance(answer.body, dict))
