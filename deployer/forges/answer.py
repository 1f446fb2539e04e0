"""What a forge's answer means when it is not a plain yes: try again, and when; or give up, and what to change.

Pure: an answer or an error in, a failure out. Speaks to no forge and knows neither client library.
"""

from __future__ import annotations

import json
import math
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import requests

from deployer.forges.report import cut, line
from deployer.model import JSON, Failure, Permanent, Stage, Temporary

LONGEST_WAIT = 3600.0
"""Seconds. GitHub's and GitLab's windows are an hour at most; a clock is wrong when it comes out longer."""

MESSAGE_LENGTH = 300

_RATES = ("rate limit", "abuse detection")
"""Part of what a refusal says that is about the rate; the second is how older GitHub Enterprise servers put it."""

_WORTH_ANOTHER_TRY = (408, 409, 423, 425, 429)
"""A time-out, a lock, or too many requests; and everything from 500 on."""


class Unrecognized(Temporary):
    """The forge does not take our token for one, or not any more. It may be just being rotated."""


class Missing(Permanent):
    """The forge does not have what was named, or does not let us see it."""


_KINDS: Mapping[int, type[Failure]] = {401: Unrecognized, 404: Missing, 410: Missing}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is not a plain yes."""

    status: int
    headers: Mapping[str, str]
    """Lower-case names."""
    message: str
    """What the forge said about it, empty when it said nothing that a program can read."""
    received_at: float
    """Seconds since 1970."""

    @property
    def limited(self) -> bool:
        """Whether this refuses the rate of our requests and not the request itself.

        https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
        """
        words = self.message.lower()
        if self.status == 422:  # GitHub's word when comments follow each other too closely
            return "submitted too quickly" in words
        hinted = "retry-after" in self.headers or self._used_up or any(each in words for each in _RATES)
        return self.status == 429 or (self.status == 403 and hinted)

    @property
    def wait(self) -> float | None:
        """Seconds to wait before asking again, if the forge says or documents how long."""
        seconds = self._retry_after()
        if seconds is None and self.limited:
            seconds = self._until_reset() if self._used_up else None
            # GitHub: without either header, wait at least a minute.
            seconds = 60.0 if seconds is None else seconds
        return None if seconds is None else min(max(seconds, 0.0), LONGEST_WAIT)

    @property
    def _used_up(self) -> bool:
        return self._rate_limit("remaining") == 0

    def _until_reset(self) -> float | None:
        reset = self._rate_limit("reset")
        return None if reset is None else reset - self.received_at + 1

    def _rate_limit(self, name: str) -> float | None:
        return _number(self.headers.get(f"x-ratelimit-{name}", self.headers.get(f"ratelimit-{name}", "")))

    def _retry_after(self) -> float | None:
        """https://www.rfc-editor.org/rfc/rfc9110#field.retry-after: seconds or a date."""
        value = self.headers.get("retry-after", "")
        if value[:1].isdigit():
            return _number(value)
        try:
            return parsedate_to_datetime(value).timestamp() - self.received_at
        except (ValueError, OverflowError):
            return None


@dataclass(frozen=True, slots=True)
class Errand:
    """One thing that is asked of a forge, for the message when nothing comes of it."""

    forge: str
    doing: str
    stage: Stage
    hints: Mapping[int, str]
    """What to do about an answer, by its HTTP status."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """What must not be in a message, even if the forge repeats it to us."""

    def refused(self, answer: Answer) -> Failure:
        """The failure that `answer` means."""
        said = f"{self.forge} answered {answer.status}{f': {words}' if (words := self._words(answer)) else ''}"
        if answer.limited or answer.status in _WORTH_ANOTHER_TRY or answer.status >= 500:
            return Temporary(f"{self.doing}: {said}", stage=self.stage, retry_after=answer.wait)
        hint = self.hints.get(answer.status) or (_MOVED if 300 <= answer.status < 400 else "")
        kind = _KINDS.get(answer.status, Permanent)
        return kind(f"{self.doing}: {said}{f' ({hint})' if hint else ''}", stage=self.stage)

    def unreachable(self, error: requests.RequestException) -> Temporary:
        """The failure that an error on the way to the forge means."""
        return Temporary(f"{self.doing}: {self.forge} cannot be reached: {_obstacle(error)}", stage=self.stage)

    def garbled(self) -> Temporary:
        """The failure that an answer means in which is not what the forge documents, as from a page in its place."""
        what = f"{self.forge} answered something that is not its API's; if that stays so, check api_url"
        return Temporary(f"{self.doing}: {what}", stage=self.stage)

    def _words(self, answer: Answer) -> str:
        words = answer.message
        for secret in filter(None, self.secrets):
            words = words.replace(secret, "[redacted]")
        return cut(line(words), MESSAGE_LENGTH) or _phrase(answer.status)


_MOVED = "it sends us elsewhere: check api_url, and whether the repository has another name by now"


def decoded(text: str) -> JSON:
    """The value that a JSON text is; None when it is none."""
    try:
        value: JSON = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value


def said(body: object) -> str:
    """The message in the decoded body of an error, in either forge's form; empty when there is none."""
    if not isinstance(body, dict):
        return ""
    parts = (body.get(key) for key in ("message", "error", "error_description", "errors"))
    return ": ".join(filter(None, (", ".join(_flat(part)) for part in parts)))


def _flat(part: object) -> Iterator[str]:
    """GitLab gives `{"field": ["what is wrong"]}`, GitHub `[{"field": …, "code": …, "message": …}]`, both also text."""
    if isinstance(part, str):
        yield part
    elif isinstance(part, list):
        for each in part:
            yield from _flat(each)
    elif isinstance(part, dict):
        if "code" in part:
            yield str(part.get("message") or f"{part.get('field')} {part['code']}")
        else:
            yield from (f"{key} {words}" for key, value in part.items() for words in _flat(value))


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _obstacle(error: requests.RequestException) -> str:
    """What was in the way, in a few words: the libraries' own messages bury it under addresses of objects."""
    causes = list(_causes(error))
    untrusted = next((cause for cause in causes if isinstance(cause, ssl.SSLCertVerificationError)), None)
    if untrusted is not None:
        return f"its certificate is not trusted: {untrusted.verify_message} (REQUESTS_CA_BUNDLE can name its authority)"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    reasons = [cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror]
    reason = reasons[-1] if reasons else "the connection broke off"
    return f"through the proxy: {reason}" if isinstance(error, requests.exceptions.ProxyError) else reason


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
