"""Commits and their statuses in GitHub's API. https://docs.github.com/en/rest/commits"""

from __future__ import annotations

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from deployer.sandbox.forge import asking
from deployer.sandbox.forge.github import shapes
from deployer.sandbox.forge.github.answers import error, invalid, many
from deployer.sandbox.forge.github.caller import caller, reach
from deployer.sandbox.forge.hosting import Hosting
from deployer.sandbox.forge.refusal import Invalid, NotFound, Refused
from deployer.sandbox.forge.repositories import Repository
from deployer.sandbox.forge.statuses import Post


def add(api: Blueprint, hosting: Hosting) -> None:
    """Add these requests to `api`."""

    @api.post("/repos/<owner>/<name>/statuses/<sha>")
    def post_status(owner: str, name: str, sha: str) -> ResponseReturnValue:
        repo = reach(hosting, owner, name, "statuses:write")
        try:
            status = hosting.post_status(repo, _post(sha), creator=caller().login)
        except NotFound:
            return error(422, f"No commit found for SHA: {sha}")
        except Invalid as refused:
            return invalid("Status", refused)
        return jsonify(shapes.status(repo, status)), 201

    @api.get("/repos/<owner>/<name>/statuses/<path:ref>")
    @api.get("/repos/<owner>/<name>/commits/<path:ref>/statuses")
    def statuses(owner: str, name: str, ref: str) -> ResponseReturnValue:
        repo = reach(hosting, owner, name, "statuses:read")
        return many([shapes.status(repo, one) for one in repo.statuses.of(resolve(repo, ref))])

    @api.get("/repos/<owner>/<name>/commits/<path:ref>/status")
    def combined_status(owner: str, name: str, ref: str) -> ResponseReturnValue:
        repo = reach(hosting, owner, name, "statuses:read")
        return jsonify(shapes.combined_status(repo, resolve(repo, ref)))

    @api.get("/repos/<owner>/<name>/commits/<path:ref>")
    def commit(owner: str, name: str, ref: str) -> ResponseReturnValue:
        repo = reach(hosting, owner, name, "contents:read")
        return jsonify(shapes.commit(repo, repo.git.show(resolve(repo, ref))))


def resolve(repo: Repository, ref: str) -> str:
    """The commit that a request means. Raises Refused."""
    try:
        return repo.git.full(ref)
    except NotFound as missing:
        raise Refused(f"No commit found for SHA: {ref}") from missing


def _post(sha: str) -> Post:
    fields = asking.body(request)
    return Post(
        sha, asking.text(fields, "context") or "default", asking.text(fields, "state") or "",
        asking.text(fields, "description"), asking.text(fields, "target_url"),
    )  # fmt: skip
