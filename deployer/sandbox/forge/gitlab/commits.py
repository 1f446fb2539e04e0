"""Commits and their statuses in GitLab's API. https://docs.gitlab.com/api/commits/"""

from __future__ import annotations

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from deployer.sandbox.forge import asking
from deployer.sandbox.forge.gitlab import answers, shapes
from deployer.sandbox.forge.gitlab.answers import find
from deployer.sandbox.forge.hosting import Hosting
from deployer.sandbox.forge.people import USER
from deployer.sandbox.forge.refusal import Invalid, NotFound
from deployer.sandbox.forge.repositories import Repository
from deployer.sandbox.forge.statuses import GITLAB_STATES, Post


def add(api: Blueprint, hosting: Hosting) -> None:
    """Add these requests to `api`."""

    @api.post("/projects/<path:project>/statuses/<sha>")
    def post_status(project: str, sha: str) -> ResponseReturnValue:
        repo = find(hosting, project)
        status = hosting.post_status(repo, _post(repo, answers.commit(repo, sha)), creator=USER)
        return jsonify(shapes.status(repo, status)), 201

    @api.get("/projects/<path:project>/repository/commits/<path:sha>/statuses")
    def statuses(project: str, sha: str) -> ResponseReturnValue:
        repo = find(hosting, project)
        commit, name = answers.commit(repo, sha), request.args.get("name")
        everything = answers.yes(request.args.get("all"))
        there = repo.statuses.of(commit) if everything else repo.statuses.latest(commit)
        return answers.many([shapes.status(repo, one) for one in there if name in (None, one.context)])

    @api.get("/projects/<path:project>/repository/commits/<path:sha>")
    def commit(project: str, sha: str) -> ResponseReturnValue:
        repo = find(hosting, project)
        return jsonify(shapes.commit(repo, repo.git.show(answers.commit(repo, sha))))


def _post(repo: Repository, sha: str) -> Post:
    """Without a branch it is for one that has the commit, or for that of an earlier status. Raises NotFound."""
    fields = answers.fields()
    state = asking.text(fields, "state")
    if state is None:
        raise Invalid("state", "is missing")
    if state not in GITLAB_STATES:
        raise Invalid("state", "does not have a valid value")
    context = asking.text(fields, "name") or asking.text(fields, "context") or "default"
    ref = asking.text(fields, "ref")
    if ref is None and not (repo.statuses.of(sha) or repo.git.on_a_branch(sha)):
        raise NotFound("404 References for commit Not Found")
    return Post(
        sha, context, state, asking.text(fields, "description"), asking.text(fields, "target_url"), ref or repo.branch
    )
