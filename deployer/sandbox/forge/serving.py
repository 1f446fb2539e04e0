"""The forge's web side: both APIs and the pages as one application, and the server that listens for it."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, cast

from flask import Flask, Response, abort, request
from werkzeug.local import LocalProxy
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from deployer.sandbox.forge import pages
from deployer.sandbox.forge.access import comes_to_loopback
from deployer.sandbox.forge.github import api as github
from deployer.sandbox.forge.gitlab import api as gitlab
from deployer.sandbox.forge.hosting import Hosting

_LARGEST_REQUEST = 8 * 1024 * 1024
"""The longest comment that GitLab takes, in the longest form that JSON has for it."""

_HOSTING, _TOKEN = "deployer.sandbox.hosting", "deployer.sandbox.token"
"""Where a request's environment has which forge it is for."""

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)


class _QuietHandler(WSGIRequestHandler):
    """Logs requests where the rest of the program can see or silence them, and sends small answers at once."""

    disable_nagle_algorithm = True

    def log(self, type: str, message: str, *args: object) -> None:
        log.log(logging.ERROR if type == "error" else logging.DEBUG, message, *args)


def site(hosting: Hosting, token: str) -> WSGIApplication:
    """A forge's web side: both APIs, for those who show `token` (or an App's), and the pages."""

    def serve(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return _application()({**environ, _HOSTING: hosting, _TOKEN: token}, start_response)

    return serve


def listening(host: str, port: int, served: WSGIApplication, *, descriptor: int) -> BaseWSGIServer:
    """A server on a socket that listens already."""
    return make_server(host, port, served, threaded=True, request_handler=_QuietHandler, fd=descriptor)


@cache
def _application() -> Flask:
    """One for all forges of a process: to compile its routes takes longer than everything else that a forge is."""
    hosting = cast(Hosting, LocalProxy(lambda: request.environ[_HOSTING]))
    token = cast(str, LocalProxy(lambda: request.environ[_TOKEN]))
    app = Flask(__name__, static_folder="static", static_url_path="/static")
    app.config["MAX_CONTENT_LENGTH"] = _LARGEST_REQUEST
    app.json.sort_keys = False  # type: ignore[attr-defined]  # of the provider that Flask makes
    app.before_request(_refuse_other_hosts)
    app.after_request(_harden)
    github.register(app, hosting, token)
    gitlab.register(app, hosting, token)
    app.register_blueprint(pages.blueprint(hosting))
    return app


def _refuse_other_hosts() -> None:
    if not comes_to_loopback(request):
        abort(400, "the sandbox forge answers to names of this machine only")


def _harden(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"
    return response
