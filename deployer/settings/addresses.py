"""What addresses in the settings may look like. No message shows the address: people put passwords into them."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, WithJsonSchema

REPOSITORY = "{repository}"
"""Stands in a clone URL for the full name of the repository."""

_HTTP = ("http", "https")
_CLONE = ("https", "http", "ssh", "file")
_REMOTE = ("https", "http", "ssh", "oci")
_HOST = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_IPV6 = r"[0-9A-Fa-f:.]+"
_SCP_LIKE = re.compile(rf"(?!(https?|ssh|file|git):)([A-Za-z0-9_.-]+@)?({_HOST}|\[{_IPV6}\]):(?!:)[^@\s]+")
_NO_CREDENTIALS = "credentials do not belong into an address; use token or app"


def _http(text: str) -> str:
    """Take an http(s) address of a host, perhaps with a path, and return it without slashes at its end."""
    parts = _split(text)
    if parts.scheme not in _HTTP or not text.startswith(f"{parts.scheme}://") or not _is_host(parts.hostname):
        raise ValueError("expected an address that starts with https:// or http://")
    if "@" in parts.netloc:
        raise ValueError(_NO_CREDENTIALS)
    if "?" in text or "#" in text:
        raise ValueError('expected an address without "?" and "#"')
    return text.rstrip("/")


def _api(text: str) -> str:
    address = _http(text)
    if address.endswith("/api/v4"):
        raise ValueError("expected the address of the GitLab itself, without /api/v4")
    return address


def _clone(text: str) -> str:
    """Take what git may fetch from. `ext::` and its like are not. See https://git-scm.com/docs/git-clone#_git_urls."""
    if text.count(REPOSITORY) != 1 or re.search(r"[{}]", text.replace(REPOSITORY, "")):
        raise ValueError(f"expected {REPOSITORY} once, in the place of the full name, and no other braces")
    if "://" in text:
        _clone_url(text)
    elif text.startswith("-") or not text.isprintable() or not _SCP_LIKE.fullmatch(text):
        raise ValueError("expected https://…, http://…, ssh://…, file:///… or user@host:path")
    return text


def _clone_url(text: str) -> None:
    parts = _split(text.replace(" ", "%20") if text.startswith("file://") else text)
    if parts.scheme not in _CLONE or not text.startswith(f"{parts.scheme}://"):
        raise ValueError("expected https://…, http://…, ssh://…, file:///… or user@host:path")
    if parts.password is not None or ("@" in parts.netloc and parts.scheme != "ssh"):
        raise ValueError(_NO_CREDENTIALS)
    if parts.scheme != "file" and ("?" in text or "#" in text):
        raise ValueError('expected an address without "?" and "#"')
    if bool(parts.netloc) if parts.scheme == "file" else not _is_host(parts.hostname):
        raise ValueError("expected a host after ://, except in file:///…, which has none")
    if REPOSITORY not in parts.path:
        raise ValueError(f"expected {REPOSITORY} in the path, behind the host")


def _remote(text: str) -> str:
    """Take the beginning of addresses to fetch from; return it in one spelling, without slashes at its end.

    `user@host:path` becomes `ssh://user@host/path`, and the host is in lower case.
    """
    if "*" in text:
        raise ValueError("expected an address without wildcards: all that is below it is allowed anyway")
    address = _as_ssh(text)
    parts = _split(address)
    known = parts.scheme in _REMOTE and address.startswith(f"{parts.scheme}://")
    if not known or parts.netloc.startswith("-") or not _is_host(parts.hostname):
        raise ValueError("expected https://HOST/PATH, http://…, ssh://…, oci://… or user@host:path")
    if parts.password is not None or ("@" in parts.netloc and parts.scheme != "ssh"):
        raise ValueError("credentials do not belong into an address")
    path = parts.path.rstrip("/")
    if re.search(r"[?#%]", text) or {"", ".", ".."} & set(path.split("/")[1:]):
        raise ValueError('expected an address with a plain path, without "?", "#", "%", "//" and ".."')
    user, at, host = parts.netloc.rpartition("@")
    return f"{parts.scheme}://{user}{at}{host.lower()}{path}"


def _as_ssh(text: str) -> str:
    found = _SCP_LIKE.fullmatch(text) if "://" not in text else None
    return f"ssh://{text[: found.end(3)]}/{text[found.end(3) + 1 :].lstrip('/')}" if found else text


def _is_host(host: str | None) -> bool:
    return host is not None and re.fullmatch(f"{_HOST}|{_IPV6}", host) is not None


def _split(text: str) -> SplitResult:
    if not text.isprintable() or re.search(r'[\s\\<>"]', text):
        raise ValueError("expected an address, without spaces or other characters that need escaping")
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        # Not chained: the error carries a piece of the address.
        raise ValueError("expected an address; its host or port cannot be understood") from None
    return parts


HttpUrl = Annotated[str, AfterValidator(_http), WithJsonSchema({"type": "string", "pattern": "^https?://[^@?#]+$"})]
"""Becomes the address without a slash at its end."""

ApiUrl = Annotated[str, AfterValidator(_api), WithJsonSchema({"type": "string", "pattern": "^https?://[^@?#]+$"})]

CloneUrl = Annotated[str, AfterValidator(_clone), WithJsonSchema({"type": "string", "pattern": r"\{repository\}"})]
"""Holds `{repository}`."""

RemoteUrl = Annotated[
    str, AfterValidator(_remote), WithJsonSchema({"type": "string", "pattern": r"^[^*?#%\s]*:[^*?#%\s]+$"})
]
"""Becomes `scheme://host/path` without a slash at its end."""
