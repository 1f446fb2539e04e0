"""/api/v1: environments and deployments as JSON, for programs that hold a token."""

from __future__ import annotations

import hmac

from flask import Blueprint, abort, current_app, request
from flask.typing import ResponseReturnValue

from deployer.views import shapes
from deployer.views.context import context

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")

_MOST = 100


@blueprint.before_request
def authorize() -> ResponseReturnValue | None:
    """Let nobody in without one of the tokens of the settings; without any, let nobody in at all."""
    tokens = [token.reveal().encode() for token in context(current_app).settings.api_tokens]
    if not tokens:
        return {"error": "the settings name no api_tokens"}, 403
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    proof = given.strip().encode("utf-8", "surrogateescape")
    matches = [hmac.compare_digest(token, proof) for token in tokens]
    if scheme.lower() != "bearer" or not any(matches):
        return {"error": "a valid bearer token is needed"}, 401, {"WWW-Authenticate": "Bearer"}
    return None


@blueprint.get("/environments")
def environments() -> ResponseReturnValue:
    """Every environment, and what it runs."""
    here = context(current_app)
    checks = here.store.drift.several([environment.key for environment in here.settings.environments])
    return {
        "environments": [
            shapes.environment(environment, here.store.environments.get(environment.key), checked)
            for environment, checked in zip(here.settings.environments, checks, strict=True)
        ]
    }


@blueprint.get("/deployments")
def deployments() -> ResponseReturnValue:
    """The newest deployments, of one repository or environment if asked for."""
    here = context(current_app)
    repository, name = request.args.get("repository"), request.args.get("environment")
    if repository is None and name is None:
        found = list(here.store.deployments.newest(most=_MOST))
    else:
        found = [
            deployment
            for environment in here.settings.environments
            if repository in (None, environment.key.repository) and name in (None, environment.key.environment)
            for deployment in here.store.deployments.newest(environment.key, most=_MOST)
        ]
        found.sort(key=lambda deployment: deployment.created_at, reverse=True)
    return {"deployments": [shapes.deployment(deployment) for deployment in found[:_MOST]]}


@blueprint.get("/deployments/<deployment_id>")
def deployment(deployment_id: str) -> ResponseReturnValue:
    """One deployment with its stages, objects and log."""
    records = context(current_app).store.deployments
    found = records.get(deployment_id)
    if found is None:
        abort(404)
    return shapes.deployment(found) | {
        "stages": [shapes.stage(record) for record in records.stages(deployment_id)],
        "objects": [shapes.result(result) for result in records.objects(deployment_id)],
        "log": list(records.log_lines(deployment_id)),
    }
