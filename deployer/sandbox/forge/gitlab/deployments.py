"""Deployments and environments in GitLab's API.

https://docs.gitlab.com/api/deployments/ and https://docs.gitlab.com/api/environments/
"""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from deployer.sandbox.forge import asking
from deployer.sandbox.forge.deployments import GITLAB_STATES, Deployment, Environment, Plan
from deployer.sandbox.forge.gitlab import answers
from deployer.sandbox.forge.gitlab import deployment_shapes as shapes
from deployer.sandbox.forge.gitlab.answers import find
from deployer.sandbox.forge.hosting import Hosting
from deployer.sandbox.forge.people import USER
from deployer.sandbox.forge.refusal import Invalid, NotFound, TransitionRefused
from deployer.sandbox.forge.repositories import Repository

_PATH = "/projects/<path:project>/deployments"


def add(api: Blueprint, hosting: Hosting) -> None:
    """Add these requests to `api`."""

    @api.get(_PATH)
    def deployments(project: str) -> ResponseReturnValue:
        repo, oldest_first = find(hosting, project), request.args.get("sort", "asc") == "asc"
        with repo.lock:
            there = [one for one in repo.deployments.all() if _wanted(one)]
            return answers.many([shapes.deployment(repo, one) for one in (reversed(there) if oldest_first else there)])

    @api.get(f"{_PATH}/<int:number>")
    def deployment(project: str, number: int) -> ResponseReturnValue:
        repo = find(hosting, project)
        return jsonify(shapes.deployment(repo, repo.deployments.get(number)))

    _write(api, hosting)
    _environments(api, hosting)


def _write(api: Blueprint, hosting: Hosting) -> None:
    @api.post(_PATH)
    def plan(project: str) -> ResponseReturnValue:
        repo, fields = find(hosting, project), answers.fields()
        commit, now = answers.commit(repo, asking.required(fields, "sha")), datetime.now(UTC)
        ref, name = asking.required(fields, "ref"), asking.required(fields, "environment")
        state = _state()
        with repo.lock:
            made = repo.deployments.plan(Plan(commit, ref, name), creator=USER, at=now)
            return jsonify(shapes.deployment(repo, repo.deployments.move(made.id, state, by=USER, at=now))), 201

    @api.put(f"{_PATH}/<int:number>")
    def update(project: str, number: int) -> ResponseReturnValue:
        repo, state = find(hosting, project), _state()
        with repo.lock:
            try:
                moved = repo.deployments.move(number, state, by=USER, at=datetime.now(UTC))
            except TransitionRefused as refused:
                return answers.error(400, {"status": [str(refused)]})
        return jsonify(shapes.deployment(repo, moved))


def _environments(api: Blueprint, hosting: Hosting) -> None:
    @api.get("/projects/<path:project>/environments")
    def environments(project: str) -> ResponseReturnValue:
        repo, name = find(hosting, project), request.args.get("name")
        with repo.lock:
            there = [one for one in repo.deployments.environments.values() if name in (None, one.name)]
            return answers.many([shapes.environment(repo, one) for one in there])

    @api.get("/projects/<path:project>/environments/<int:number>")
    def environment(project: str, number: int) -> ResponseReturnValue:
        repo = find(hosting, project)
        with repo.lock:
            return jsonify(shapes.environment(repo, _environment(repo, number)))

    @api.put("/projects/<path:project>/environments/<int:number>")
    def link(project: str, number: int) -> ResponseReturnValue:
        repo, url = find(hosting, project), asking.text(answers.fields(), "external_url") or ""
        with repo.lock:
            changed = repo.deployments.visit_at(_environment(repo, number), url)
            return jsonify(shapes.environment(repo, changed))


def _environment(repo: Repository, number: int) -> Environment:
    for one in repo.deployments.environments.values():
        if one.id == number:
            return one
    raise NotFound("404 Environment Not Found")


def _wanted(one: Deployment) -> bool:
    has = {"environment": one.environment, "status": one.state}
    return all(request.args.get(name, value) == value for name, value in has.items())


def _state() -> str:
    state = asking.text(answers.fields(), "status")
    if state not in GITLAB_STATES:
        raise Invalid("status", "is missing" if state is None else "does not have a valid value")
    return state
