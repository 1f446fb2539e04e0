"""What GitLab's REST API calls deployments and environments, as JSON values. Pure."""

from __future__ import annotations

from deployer.sandbox.forge.deployments import Deployment, Environment
from deployer.sandbox.forge.gitlab.shapes import Json, timestamp, user
from deployer.sandbox.forge.repositories import Repository


def deployment(repo: Repository, one: Deployment) -> Json:
    """A deployment that was made over the API; no job belongs to it."""
    there = repo.deployments.environments[one.environment]
    return {
        "id": one.id, "iid": one.id, "ref": one.plan.ref, "sha": one.commit, "status": one.state,
        "created_at": timestamp(one.created_at), "updated_at": timestamp(one.updated_at),
        "user": user(one.creator, repo.forge_url), "environment": _brief(there), "deployable": None,
    }  # fmt: skip


def environment(repo: Repository, one: Environment) -> Json:
    """A place to deploy to, with what was deployed there last."""
    there = [each for each in repo.deployments.all() if (each.environment, each.state) == (one.name, "success")]
    return {
        **_brief(one), "state": "available", "tier": "production" if one.name == "production" else "other",
        "last_deployment": deployment(repo, there[0]) if there else None,
    }  # fmt: skip


def _brief(one: Environment) -> Json:
    return {"id": one.id, "name": one.name, "slug": one.name.lower(), "external_url": one.external_url or None}
