"""Comments on pull requests, and signs on them, in GitHub's API. https://docs.github.com/en/rest/issues/comments"""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from deployer.sandbox.forge import asking, talking
from deployer.sandbox.forge.github import comment_shapes as shapes
from deployer.sandbox.forge.github.answers import error, invalid, many
from deployer.sandbox.forge.github.caller import caller, reach
from deployer.sandbox.forge.hosting import Hosting
from deployer.sandbox.forge.refusal import Invalid

_PATH = "/repos/<owner>/<name>/issues"
_READING = ("issues:read", "pull_requests:read")
_WRITING = ("issues:write", "pull_requests:write")
"""Either will do, because the issue is a pull request."""


def add(api: Blueprint, hosting: Hosting) -> None:
    """Add these requests to `api`."""

    @api.get(f"{_PATH}/<int:number>/comments")
    def comments(owner: str, name: str, number: int) -> ResponseReturnValue:
        repo = reach(hosting, owner, name, *_READING)
        pull = repo.pull_request(number)
        with repo.lock:
            return many([shapes.comment(repo, one) for one in repo.comments.on(pull.number)])

    @api.post(f"{_PATH}/<int:number>/comments")
    def say(owner: str, name: str, number: int) -> ResponseReturnValue:
        repo, who = reach(hosting, owner, name, *_WRITING), caller()
        try:
            said = talking.comment(hosting, repo, number, _body(), by=who.login, app=who.app)
        except Invalid as refused:
            return invalid("IssueComment", refused)
        return jsonify(shapes.comment(repo, said)), 201

    @api.get(f"{_PATH}/comments/<int:comment_id>")
    def comment(owner: str, name: str, comment_id: int) -> ResponseReturnValue:
        repo = reach(hosting, owner, name, *_READING)
        return jsonify(shapes.comment(repo, repo.comments.get(comment_id)))

    @api.patch(f"{_PATH}/comments/<int:comment_id>")
    def edit(owner: str, name: str, comment_id: int) -> ResponseReturnValue:
        repo = reach(hosting, owner, name, *_WRITING)
        try:
            return jsonify(shapes.comment(repo, talking.edit(hosting, repo, comment_id, _body())))
        except Invalid as refused:
            return invalid("IssueComment", refused)

    _react(api, hosting)


def _react(api: Blueprint, hosting: Hosting) -> None:
    """https://docs.github.com/en/rest/reactions/reactions#create-reaction-for-an-issue-comment"""

    @api.get(f"{_PATH}/comments/<int:comment_id>/reactions")
    def reactions(owner: str, name: str, comment_id: int) -> ResponseReturnValue:
        repo = reach(hosting, owner, name, "issues:read")
        return many([shapes.reaction(repo, one) for one in repo.comments.get(comment_id).reactions])

    @api.post(f"{_PATH}/comments/<int:comment_id>/reactions")
    def react(owner: str, name: str, comment_id: int) -> ResponseReturnValue:
        repo, content = reach(hosting, owner, name, "issues:write"), asking.required(asking.body(request), "content")
        with repo.lock:
            before = repo.comments.get(comment_id).reactions
            try:
                reaction = repo.comments.react(comment_id, content, by=caller().login, at=datetime.now(UTC))
            except Invalid as refused:
                return error(422, f"Invalid request.\n\n{refused}")
        return jsonify(shapes.reaction(repo, reaction)), 200 if reaction in before else 201


def _body() -> str:
    return asking.required(asking.body(request), "body")
