"""What GitHub's REST API calls deployments and their statuses, as JSON values. Pure."""

from __future__ import annotations

from deployer.sandbox.forge.deployments import Deployment, Status
from deployer.sandbox.forge.github.shapes import Json, api_url, node, timestamp, user
from deployer.sandbox.forge.repositories import Repository


def deployment(repo: Repository, one: Deployment) -> Json:
    """A deployment; its state is in its statuses."""
    url = f"{api_url(repo)}/deployments/{one.id}"
    plan = one.plan
    return {
        "id": one.id, "node_id": node("Deployment", one.id), "url": url, "sha": plan.commit, "ref": plan.ref,
        "task": plan.task, "payload": plan.payload, "environment": plan.environment,
        "original_environment": plan.environment, "description": plan.description or None,
        "creator": user(one.creator, repo.forge_url), "created_at": timestamp(one.created_at),
        "updated_at": timestamp(one.updated_at), "statuses_url": f"{url}/statuses", "repository_url": api_url(repo),
        "transient_environment": plan.transient, "production_environment": plan.production,
        "performed_via_github_app": None,
    }  # fmt: skip


def status(repo: Repository, of: Deployment, one: Status) -> Json:
    """One thing that was said of a deployment."""
    url, made = f"{api_url(repo)}/deployments/{of.id}", timestamp(one.created_at)
    return {
        "id": one.id, "node_id": node("DeploymentStatus", one.id), "url": f"{url}/statuses/{one.id}",
        "state": one.report.state, "description": one.report.description, "environment": of.environment,
        "creator": user(one.creator, repo.forge_url), "target_url": one.report.log_url,
        "log_url": one.report.log_url, "environment_url": one.report.environment_url, "deployment_url": url,
        "repository_url": api_url(repo), "created_at": made, "updated_at": made, "performed_via_github_app": None,
    }  # fmt: skip
