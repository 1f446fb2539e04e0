"""Proof that a request comes from the forge, over the raw bytes of its body.

Nothing here reads what a body says. Each function returns when the request is authentic and raises `Unverified` for
anything else, whatever the headers hold. All comparisons are of bytes and in constant time, and an empty secret
verifies nothing. Header names are lower case; time is passed in.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from deployer.webhooks.refusal import Unverified

TOLERANCE = 300
"""Seconds that a signed timestamp may lie in the past or the future."""

SIGNING_PREFIX = b"whsec_"

_NO_TOKEN = "there is no X-Gitlab-Token header"  # noqa: S105 - a message
_NO_SIGNATURE = "there is no webhook-signature header"


def verify_github(headers: Mapping[str, str], body: bytes, *, secrets: Sequence[bytes]) -> None:
    """Check `X-Hub-Signature-256`; any of `secrets` may have made it. A SHA-1 signature is not looked at.

    https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries

    Raises:
        Unverified: it is missing, or none of the secrets made it.
    """
    given = headers.get("x-hub-signature-256")
    if given is None:
        raise Unverified("there is no X-Hub-Signature-256 header; SHA-1 alone is not accepted")
    if not any(_same(_github_signature(secret, body), given) for secret in secrets if secret):
        raise Unverified("X-Hub-Signature-256 is not the signature of this body by any webhook secret")


def verify_gitlab(
    headers: Mapping[str, str],
    body: bytes,
    *,
    tokens: Sequence[bytes],
    signing_secrets: Sequence[bytes],
    now: float,
) -> None:
    """Check the token, the signature or both: every proof that the request brings and that we can check must be right.

    A kind of proof of which nothing is configured is not looked at: with signing secrets alone only signatures count,
    with tokens alone only tokens. With both configured either one is enough, because a hook may have only the one; but
    a request that brings both must have both right, so a wrong, stale or altered signature is never saved by a token.

    A forge moves from token to signature without a gap: configure both here, add the signing token in GitLab, then
    take the webhook secrets away here. Until that last step whoever knows the token can leave the signature out, and
    a token travels in every request and says nothing about the body.

    GitLab sends `webhook-id` and `webhook-timestamp` with hooks that sign nothing, so `webhook-signature` alone means
    that a request brings a signature. https://docs.gitlab.com/user/project/integrations/webhooks/

    Raises:
        Unverified: no such proof is there, or one is wrong.
    """
    brings_token = bool(tokens) and "x-gitlab-token" in headers
    brings_signature = bool(signing_secrets) and "webhook-signature" in headers
    if not (brings_token or brings_signature):
        reasons = [_NO_TOKEN] * bool(tokens) + [_NO_SIGNATURE] * bool(signing_secrets)
        raise Unverified(" and ".join(reasons) or "no secret is configured")
    if brings_signature:
        verify_standard(headers, body, secrets=signing_secrets, now=now)
    if brings_token and not any(_same(token, headers["x-gitlab-token"]) for token in tokens if token):
        raise Unverified("X-Gitlab-Token is none of the webhook secrets")


def verify_standard(headers: Mapping[str, str], body: bytes, *, secrets: Sequence[bytes], now: float) -> None:
    """Check a Standard Webhooks signature; any of `secrets` may have made any of the signatures in the header.

    `now` is in seconds since 1970. https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

    Raises:
        Unverified: a header is missing, the time is not a number or too far away, or no signature is right.
    """
    identity, timestamp, given = (headers.get(f"webhook-{part}", "") for part in ("id", "timestamp", "signature"))
    if not (identity and timestamp and given):
        raise Unverified("a signature comes with the headers webhook-id, webhook-timestamp and webhook-signature")
    _check_time(timestamp, now)
    signed = b".".join((_bytes(identity), timestamp.encode(), body))
    candidates = given.split(" ")
    for key in _signing_keys(secrets):
        expected = _standard_signature(key, signed)
        if any(_same(expected, candidate) for candidate in candidates):
            return
    raise Unverified("webhook-signature holds no signature of this body by any signing secret")


def signing_key(secret: bytes) -> bytes:
    """The key within a signing secret, `whsec_` and base64. The settings use it to refuse a secret that is none.

    Raises:
        ValueError: it has no such prefix, is not base64 or holds nothing. The message does not repeat it.
    """
    if not secret.startswith(SIGNING_PREFIX):
        raise ValueError("a signing secret starts with whsec_")
    encoded = secret.removeprefix(SIGNING_PREFIX).rstrip(b"=")
    try:
        key = base64.b64decode(encoded + b"=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        raise ValueError("a signing secret is whsec_ and base64") from None
    if not key:
        raise ValueError("a signing secret holds a key after whsec_")
    return key


def _signing_keys(secrets: Sequence[bytes]) -> Iterator[bytes]:
    for secret in secrets:
        with suppress(ValueError):  # refused at the start; here it verifies nothing
            yield signing_key(secret)


def _github_signature(secret: bytes, body: bytes) -> bytes:
    return b"sha256=" + hmac.digest(secret, body, "sha256").hex().encode()


def _standard_signature(key: bytes, signed: bytes) -> bytes:
    return b"v1," + base64.b64encode(hmac.digest(key, signed, "sha256"))


def _check_time(timestamp: str, now: float) -> None:
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise Unverified("webhook-timestamp is not a whole number of seconds")
    if abs(now - int(timestamp)) > TOLERANCE:
        raise Unverified(f"webhook-timestamp is more than {TOLERANCE} seconds away from this server's clock")


def _same(expected: bytes, given: str) -> bool:
    return hmac.compare_digest(expected, _bytes(given))


def _bytes(value: str) -> bytes:
    """The bytes of a header as they were on the wire; WSGI hands them over as Latin-1 (PEP 3333).

    A text that cannot have come that way becomes bytes that no secret and no signature consists of.
    """
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return b""
