"""What the headers of a delivery say, and which of them are kept.

Header names are lower case everywhere below `lower_case`. No value of a header that authenticates leaves here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence

from deployer.webhooks.payload import one_line
from deployer.webhooks.refusal import Malformed, UnsupportedMediaType

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

KEPT = frozenset(
    {
        "content-type",
        "user-agent",
        "x-github-event",
        "x-github-delivery",
        "x-github-hook-id",
        "x-github-hook-installation-target-id",
        "x-github-hook-installation-target-type",
        "x-github-enterprise-host",
        "x-github-enterprise-version",
        "x-gitlab-event",
        "x-gitlab-event-uuid",
        "x-gitlab-webhook-uuid",
        "x-gitlab-instance",
        "idempotency-key",
        "webhook-id",
        "webhook-timestamp",
    }
)
"""An allow list: a header that nobody has thought of yet may be a credential."""

KEPT_LENGTH = 256
"""Characters of one kept value."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")


def lower_case(headers: Mapping[str, str]) -> dict[str, str]:
    """The same headers with lower-case names; two names that differ in case alone are one header.

    Their values are joined as HTTP joins a repeated field (RFC 9110, 5.3), so a second signature that was smuggled in
    makes a value that matches nothing, instead of a choice of which one counts.
    """
    lowered: dict[str, str] = {}
    for name, value in headers.items():
        key = name.lower()
        lowered[key] = f"{lowered[key]}, {value}" if key in lowered else value
    return lowered


def media_type(headers: Mapping[str, str], *, accepted: Sequence[str]) -> str:
    """The body's media type, without its parameters.

    Raises:
        UnsupportedMediaType: it is none of `accepted`.
    """
    found = headers.get("content-type", "").partition(";")[0].strip().lower()
    if found not in accepted:
        expected = " or ".join(accepted)
        raise UnsupportedMediaType(f"the content type is {one_line(found) or 'missing'}; send {expected}")
    return found


def event_name(headers: Mapping[str, str], header: str) -> str:
    """What kind of event `header` names.

    Raises:
        Malformed: it names none.
    """
    name = one_line(headers.get(header, ""))
    if not name:
        raise Malformed(f"there is no {header} header, so nobody knows what this delivery is")
    return name


def delivery_id(headers: Mapping[str, str], body: bytes, *, names: Sequence[str]) -> str:
    """The first of `names` that is there; when none is, the digest of the body, so that a repeat is still recognised.

    Raises:
        Malformed: it is not an id. It becomes part of keys and command lines, so only letters, digits and `._:-` pass.
    """
    for name in names:
        if value := headers.get(name):
            if not _ID.fullmatch(value):
                raise Malformed(f"the {name} header is not an id of at most 128 letters, digits and ._:-")
            return value
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def kept(headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The headers that say what the delivery is, in order of their names; never a signature or a token."""
    return tuple((name, one_line(value, KEPT_LENGTH)) for name, value in sorted(headers.items()) if name in KEPT)
