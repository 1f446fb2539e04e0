"""What an App asks as itself: who it is, where it is installed, and for tokens."""

from __future__ import annotations

from flask import Blueprint, g, jsonify, request
from flask.typing import ResponseReturnValue

from deployer.model import ForgeKind
from deployer.sandbox.forge import asking
from deployer.sandbox.forge.access import github_token
from deployer.sandbox.forge.apps import App
from deployer.sandbox.forge.github import answers
from deployer.sandbox.forge.github import check_shapes as shapes
from deployer.sandbox.forge.github.caller import on_github
from deployer.sandbox.forge.github.shapes import API
from deployer.sandbox.forge.hosting import Hosting
from deployer.sandbox.forge.refusal import Invalid, NotFound, Unauthenticated


def blueprint(hosting: Hosting) -> Blueprint:
    """The requests that are signed with an App's key. https://docs.github.com/en/rest/apps/apps"""
    api = Blueprint("github_apps", __name__, url_prefix=API)
    answers.worded(api)

    @api.before_request
    def authenticate() -> None:
        shown = github_token(request)
        if shown is None:
            raise Unauthenticated("A JSON web token could not be decoded")
        g.github_app = hosting.apps.proved(shown)

    _answer(api, hosting)
    return api


def _answer(api: Blueprint, hosting: Hosting) -> None:
    @api.get("/app")
    def whoami() -> ResponseReturnValue:
        return jsonify(shapes.app(_app(), _url()))

    @api.get("/repos/<owner>/<name>/installation")
    def on_repository(owner: str, name: str) -> ResponseReturnValue:
        repo = on_github(hosting, owner, name)
        return jsonify(shapes.installation(hosting.apps.installed(_app(), repo.owner), _url()))

    @api.get("/orgs/<account>/installation")
    @api.get("/users/<account>/installation")
    def on_account(account: str) -> ResponseReturnValue:
        if account not in {one.owner for one in hosting.repositories if one.kind is ForgeKind.GITHUB}:
            raise NotFound(f"no account {account!r}")
        return jsonify(shapes.installation(hosting.apps.installed(_app(), account), _url()))

    @api.post("/app/installations/<int:number>/access_tokens")
    def token(number: int) -> ResponseReturnValue:
        return jsonify(shapes.token(*hosting.apps.issue(_app(), number, _permissions()))), 201


def _permissions() -> dict[str, str]:
    wanted = asking.inner(asking.body(request), "permissions") or {}
    permissions = {name: level for name, level in wanted.items() if isinstance(level, str)}
    if len(permissions) < len(wanted):
        raise Invalid("permissions", "are not strings.")
    return permissions


def _app() -> App:
    found: App = g.github_app
    return found


def _url() -> str:
    return request.host_url.rstrip("/")
