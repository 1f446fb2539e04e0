"""One way into one API server: a pool of kept-open connections and the credentials that it was made with.

A request is sent once here and its fate turned into an answer or one of the two errors. The credentials go to the
server of the settings and nowhere else: no redirect is followed.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import urllib3
from urllib3.exceptions import HTTPError, InsecureRequestWarning, InvalidHeader, LocationValueError, SSLError

from deployer.cluster.access import Access
from deployer.model import JSON, Permanent, Stage, Temporary

THREADS = 8
"""More do not help: the API server is the limit from four to eight on."""

_TIMEOUT = urllib3.Timeout(connect=5, read=30)
_QUOTED = 200
"""Characters kept of an answer that is not JSON."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request, encoded."""

    method: str
    target: str
    """Path and query."""
    body: bytes | None = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one request."""

    status: int
    body: JSON = field(repr=False)
    """Parsed; of what is not JSON, its first characters."""
    retry_after: float | None
    """Seconds."""


class Fault(Temporary):
    """No answer, or one that passes. `what` is it in a few words, without the cluster's name."""

    def __init__(self, message: str, what: str, *, retry_after: float | None = None) -> None:
        super().__init__(message, stage=Stage.APPLY, retry_after=retry_after)
        self.what = what


class Link:
    """Sends calls from several threads at once. `name` is how messages name the cluster."""

    def __init__(self, access: Access, name: str) -> None:
        self.name = name
        self._access = access
        self._pool = _pool(access, name)
        self._headers = {"User-Agent": "deployer", **access.headers}
        if access.tls is not None and access.tls.verify_mode is ssl.CERT_NONE:
            # The operator wrote insecure-skip-tls-verify; a warning for each request tells nobody anything.
            urllib3.disable_warnings(InsecureRequestWarning)

    def close(self) -> None:
        """Close the idle connections. Those in use close when they come back."""
        self._pool.clear()

    def send(self, call: Call) -> Answer:
        """Send it once.

        Raises:
            Temporary: no answer came.
            Permanent: TLS failed for good, or the server sends us elsewhere.
        """
        try:
            response = self._pool.urlopen(
                call.method,
                self._access.server + call.target,
                body=call.body,
                headers={**self._headers, **call.headers},
                redirect=False,
                retries=False,
                timeout=_TIMEOUT,
            )
        except SSLError as error:
            raise self._insecure(error) from error
        except HTTPError as error:
            raise self.fault(_reason(error)) from error
        if 300 <= response.status < 400:
            raise self.permanent(f"it redirects to another address (HTTP {response.status})", "correct the server")
        return Answer(response.status, _parsed(response.data), _retry_after(response.headers.get("Retry-After")))

    def missing_grant(self, answer: Answer) -> str | None:
        """What is missing in the cluster if the answer is that we may not act as our service account; else None."""
        return self._access.missing_grant(answer.body) if answer.status == 403 else None

    def fault(self, why: str, *, retry_after: float | None = None) -> Fault:
        """The error for something about this cluster that may pass."""
        message = f"asking {self.name}: {why}. Check that it is up and can be reached from here."
        return Fault(message, why, retry_after=retry_after)

    def permanent(self, why: str, remedy: str) -> Permanent:
        """The error for something about this cluster that its kubeconfig must cure."""
        return Permanent(f"asking {self.name}: {why}; {remedy} in its kubeconfig.", stage=Stage.APPLY)

    def _insecure(self, error: SSLError) -> Fault | Permanent:
        cause = error.args[0] if error.args else None
        if isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return self.fault("it closed the connection during TLS")
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = f"its certificate is not trusted ({cause.verify_message})"
            return self.permanent(why, "check certificate-authority and server")
        why = f"TLS failed ({getattr(cause, 'reason', None) or 'no reason given'})"
        return self.permanent(why, "check server and client-certificate")


def _pool(access: Access, name: str) -> urllib3.PoolManager:
    options: dict[str, Any] = {"maxsize": THREADS}
    if access.tls is not None:
        options |= {"ssl_context": access.tls, "server_hostname": access.server_name}
    if access.proxy is None:
        return urllib3.PoolManager(**options)
    try:
        return urllib3.ProxyManager(access.proxy, **options)
    except LocationValueError as error:
        message = f"asking {name}: its proxy must be an http or https URL; correct proxy-url in its kubeconfig."
        raise Permanent(message, stage=Stage.APPLY) from error


def _reason(error: HTTPError) -> str:
    """In a few words of ours: the library's own name our addresses and objects in memory."""
    for kind, words in _REASONS.items():
        if isinstance(error, kind):
            return words
    return f"the connection broke ({type(error).__name__})"


_REASONS: dict[type[HTTPError], str] = {
    urllib3.exceptions.NameResolutionError: "its host name is not known",
    urllib3.exceptions.NewConnectionError: "it cannot be reached (connection refused or no route)",
    urllib3.exceptions.ConnectTimeoutError: "it cannot be reached (no answer in 5 s)",
    urllib3.exceptions.ReadTimeoutError: "it took longer than 30 s to answer",
    urllib3.exceptions.ProxyError: "its proxy cannot be reached",
}


def _parsed(data: bytes) -> JSON:
    try:
        parsed: JSON = json.loads(data)
    except ValueError:
        return data[:_QUOTED].decode(errors="replace")
    return parsed


def _retry_after(header: str | None) -> float | None:
    try:
        return urllib3.Retry().parse_retry_after(header) if header else None
    except InvalidHeader:
        return None
