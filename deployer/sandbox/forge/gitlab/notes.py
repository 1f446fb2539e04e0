"""Notes on merge requests, and signs on them, in GitLab's API.

https://docs.gitlab.com/api/notes/#merge-requests and https://docs.gitlab.com/api/emoji_reactions/
"""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from deployer.sandbox.forge import asking, talking
from deployer.sandbox.forge.comments import Comment
from deployer.sandbox.forge.gitlab import answers
from deployer.sandbox.forge.gitlab import note_shapes as shapes
from deployer.sandbox.forge.gitlab.answers import find
from deployer.sandbox.forge.hosting import Hosting
from deployer.sandbox.forge.people import USER
from deployer.sandbox.forge.refusal import Invalid, NotFound, Taken
from deployer.sandbox.forge.repositories import Repository

_PATH = "/projects/<path:project>/merge_requests/<int:number>/notes"


def add(api: Blueprint, hosting: Hosting) -> None:
    """Add these requests to `api`."""

    @api.get(_PATH)
    def notes(project: str, number: int) -> ResponseReturnValue:
        repo = find(hosting, project)
        with repo.lock:
            there = repo.comments.on(repo.pull_request(number).number)
            newest_first = request.args.get("sort", "desc") == "desc"
            return answers.many([shapes.note(repo, one) for one in (reversed(there) if newest_first else there)])

    @api.post(_PATH)
    def say(project: str, number: int) -> ResponseReturnValue:
        repo = find(hosting, project)
        return jsonify(shapes.note(repo, talking.comment(hosting, repo, number, _body(), by=USER))), 201

    @api.get(f"{_PATH}/<int:note>")
    def one(project: str, number: int, note: int) -> ResponseReturnValue:
        repo = find(hosting, project)
        return jsonify(shapes.note(repo, _note(repo, number, note)))

    @api.put(f"{_PATH}/<int:note>")
    def edit(project: str, number: int, note: int) -> ResponseReturnValue:
        repo = find(hosting, project)
        said = talking.edit(hosting, repo, _note(repo, number, note).id, _body())
        return jsonify(shapes.note(repo, said))

    _award(api, hosting)


def _award(api: Blueprint, hosting: Hosting) -> None:
    @api.get(f"{_PATH}/<int:note>/award_emoji")
    def awards(project: str, number: int, note: int) -> ResponseReturnValue:
        repo = find(hosting, project)
        comment = _note(repo, number, note)
        return answers.many([shapes.award(repo, comment, one) for one in comment.reactions])

    @api.post(f"{_PATH}/<int:note>/award_emoji")
    def award(project: str, number: int, note: int) -> ResponseReturnValue:
        repo, name = find(hosting, project), asking.required(answers.fields(), "name")
        with repo.lock:
            comment = _note(repo, number, note)
            try:
                given = repo.comments.react(comment.id, name, by=USER, at=datetime.now(UTC))
            except Invalid:
                raise Taken("Award Emoji Name is not a valid emoji name") from None
            if given in comment.reactions:
                raise Taken("Award Emoji Name has already been taken")
        return jsonify(shapes.award(repo, comment, given)), 201


def _note(repo: Repository, number: int, note: int) -> Comment:
    found = repo.comments.get(note)
    if found.number != repo.pull_request(number).number:
        raise NotFound(f"no note {note} on merge request {number}")
    return found


def _body() -> str:
    return asking.required(answers.fields(), "body")
