"""Deployments and their statuses in GitHub's API. https://docs.github.com/en/rest/deployments"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from deployer.sandbox.forge import asking
from deployer.sandbox.forge.deployments import Deployment, Plan, Report
from deployer.sandbox.forge.github import deployment_shapes as shapes
from deployer.sandbox.forge.github.answers import error, invalid, many
from deployer.sandbox.forge.github.caller import caller, reach
from deployer.sandbox.forge.hosting import Hosting
from deployer.sandbox.forge.refusal import Invalid, NotFound

_PATH = "/repos/<owner>/<name>/deployments"


def add(api: Blueprint, hosting: Hosting) -> None:
    """Add these requests to `api`."""

    @api.get(_PATH)
    def deployments(owner: str, name: str) -> ResponseReturnValue:
        repo = reach(hosting, owner, name, "deployments:read")
        with repo.lock:
            return many([shapes.deployment(repo, one) for one in repo.deployments.all() if _wanted(one)])

    @api.get(f"{_PATH}/<int:number>")
    def deployment(owner: str, name: str, number: int) -> ResponseReturnValue:
        repo = reach(hosting, owner, name, "deployments:read")
        return jsonify(shapes.deployment(repo, repo.deployments.get(number)))

    @api.post(_PATH)
    def plan(owner: str, name: str) -> ResponseReturnValue:
        repo, fields = reach(hosting, owner, name, "deployments:write"), asking.body(request)
        ref = asking.required(fields, "ref")
        with repo.lock:
            try:
                wanted = _plan(fields, ref, repo.git.full(ref))
                made = repo.deployments.plan(wanted, creator=caller().login, at=datetime.now(UTC))
            except NotFound:
                return error(422, f"No ref found for: {ref}")
            except Invalid as refused:
                return invalid("Deployment", refused)
        return jsonify(shapes.deployment(repo, made)), 201

    _statuses(api, hosting)


def _statuses(api: Blueprint, hosting: Hosting) -> None:
    @api.get(f"{_PATH}/<int:number>/statuses")
    def deployment_statuses(owner: str, name: str, number: int) -> ResponseReturnValue:
        repo = reach(hosting, owner, name, "deployments:read")
        of = repo.deployments.get(number)
        return many([shapes.status(repo, of, one) for one in reversed(of.statuses)])

    @api.post(f"{_PATH}/<int:number>/statuses")
    def report(owner: str, name: str, number: int) -> ResponseReturnValue:
        repo, fields = reach(hosting, owner, name, "deployments:write"), asking.body(request)
        with repo.lock:
            try:
                said, supersede = _report(fields), asking.flag(fields, "auto_inactive", default=True)
                added = repo.deployments.add(
                    number, said, creator=caller().login, at=datetime.now(UTC), supersede=supersede
                )
            except Invalid as refused:
                return invalid("DeploymentStatus", refused)
        return jsonify(shapes.status(repo, repo.deployments.get(number), added)), 201


def _wanted(one: Deployment) -> bool:
    has = {"sha": one.commit, "ref": one.plan.ref, "task": one.plan.task, "environment": one.environment}
    return all(request.args.get(name, value) == value for name, value in has.items())


def _plan(fields: Mapping[str, object], ref: str, commit: str) -> Plan:
    environment = asking.text(fields, "environment") or "production"
    return Plan(
        commit=commit,
        ref=ref,
        environment=environment,
        task=asking.text(fields, "task") or "deploy",
        payload=fields.get("payload", {}),
        description=asking.text(fields, "description") or "",
        production=asking.flag(fields, "production_environment", default=environment == "production"),
        transient=asking.flag(fields, "transient_environment", default=False),
    )


def _report(fields: Mapping[str, object]) -> Report:
    return Report(
        state=asking.required(fields, "state"),
        description=asking.text(fields, "description") or "",
        environment_url=asking.text(fields, "environment_url") or "",
        log_url=asking.text(fields, "log_url") or "",
    )
