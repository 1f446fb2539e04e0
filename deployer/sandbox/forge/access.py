"""Who may ask the forge for what: a Host header of this machine for everything, the token for the APIs, a form's own
token for whatever the pages change."""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from flask import Request

from deployer.sandbox.forge.loopback import is_loopback

FORM_FIELD = "form_token"


def comes_to_loopback(request: Request) -> bool:
    """Whether the Host header names this machine. A page elsewhere whose name was rebound to 127.0.0.1 does not."""
    try:
        return is_loopback(urlsplit(f"//{request.host}").hostname or "")
    except ValueError:
        return False


def github_token(request: Request) -> str | None:
    """What a client of GitHub's API shows: `Authorization: Bearer …` or `token …`."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() in ("bearer", "token") else None


def gitlab_token(request: Request) -> str | None:
    """What a client of GitLab's API shows: `PRIVATE-TOKEN: …` or `Authorization: Bearer …`."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return request.headers.get("PRIVATE-TOKEN") or (token.strip() if scheme.lower() == "bearer" else None)


def form_token(request: Request) -> str | None:
    """What a form of our own pages brings; a form on any other page cannot know it."""
    return request.form.get(FORM_FIELD)


def same(shown: str | None, expected: str) -> bool:
    """Whether the two are equal, in constant time and whatever characters came in."""
    return hmac.compare_digest((shown or "").encode(errors="replace"), expected.encode())
