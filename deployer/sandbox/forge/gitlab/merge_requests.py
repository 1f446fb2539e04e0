"""Merge requests in GitLab's API. https://docs.gitlab.com/api/merge_requests/"""

from __future__ import annotations

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from deployer.sandbox.forge import asking, branches
from deployer.sandbox.forge.branches import Terms
from deployer.sandbox.forge.git import MergeMethod
from deployer.sandbox.forge.gitlab import answers, shapes
from deployer.sandbox.forge.gitlab.answers import find
from deployer.sandbox.forge.hosting import Hosting
from deployer.sandbox.forge.people import USER


def add(api: Blueprint, hosting: Hosting) -> None:
    """Add these requests to `api`."""

    @api.get("/projects/<path:project>/merge_requests")
    def merge_requests(project: str) -> ResponseReturnValue:
        repo, wanted = find(hosting, project), request.args.get("state", "all")
        there = [shapes.merge_request(repo, one) for one in reversed(repo.all_pull_requests())]
        return answers.many([one for one in there if wanted in ("all", one["state"])])

    @api.get("/projects/<path:project>/merge_requests/<int:number>")
    def merge_request(project: str, number: int) -> ResponseReturnValue:
        repo = find(hosting, project)
        return jsonify(shapes.merge_request(repo, repo.pull_request(number)))

    @api.put("/projects/<path:project>/merge_requests/<int:number>/merge")
    def merge(project: str, number: int) -> ResponseReturnValue:
        repo, fields = find(hosting, project), answers.fields()
        method = MergeMethod.SQUASH if answers.yes(fields.get("squash")) else MergeMethod.MERGE
        title, sha = asking.text(fields, "merge_commit_message"), asking.text(fields, "sha")
        if not repo.pull_request(number).open:
            return answers.error(405, "405 Method Not Allowed")
        branches.merge(hosting, repo, number, Terms(USER, method, title, sha))
        return jsonify(shapes.merge_request(repo, repo.pull_request(number)))
