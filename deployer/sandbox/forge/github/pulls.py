"""Pull requests in GitHub's API. https://docs.github.com/en/rest/pulls/pulls"""

from __future__ import annotations

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from deployer.sandbox.forge import asking, branches
from deployer.sandbox.forge.branches import Terms
from deployer.sandbox.forge.git import MergeMethod
from deployer.sandbox.forge.github import shapes
from deployer.sandbox.forge.github.answers import error, many
from deployer.sandbox.forge.github.caller import caller, reach
from deployer.sandbox.forge.hosting import Hosting

_METHODS = {"merge": MergeMethod.MERGE, "squash": MergeMethod.SQUASH}


def add(api: Blueprint, hosting: Hosting) -> None:
    """Add these requests to `api`."""

    @api.get("/repos/<owner>/<name>/pulls")
    def pulls(owner: str, name: str) -> ResponseReturnValue:
        repo = reach(hosting, owner, name, "pull_requests:read")
        wanted = request.args.get("state", "open")
        there = [one for one in repo.all_pull_requests() if wanted in ("all", "open" if one.open else "closed")]
        return many([shapes.pull_request(repo, one) for one in reversed(there)])

    @api.get("/repos/<owner>/<name>/pulls/<int:number>")
    def pull(owner: str, name: str, number: int) -> ResponseReturnValue:
        repo = reach(hosting, owner, name, "pull_requests:read")
        return jsonify(shapes.pull_request(repo, repo.pull_request(number)))

    @api.put("/repos/<owner>/<name>/pulls/<int:number>/merge")
    def merge(owner: str, name: str, number: int) -> ResponseReturnValue:
        repo, fields = reach(hosting, owner, name, "contents:write"), asking.body(request)
        method = _METHODS.get(asking.text(fields, "merge_method") or "merge")
        if method is None:
            return error(405, "This merge method is not allowed on this repository.")
        title, sha = asking.text(fields, "commit_title"), asking.text(fields, "sha")
        landing = branches.merge(hosting, repo, number, Terms(caller().login, method, title, sha))
        return jsonify({"sha": landing.commit, "merged": True, "message": "Pull Request successfully merged"})
