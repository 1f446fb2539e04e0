"""GitHub's own record of what runs where: a deployment per attempt, and a status of it for each of its states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from deployer.forges.answer import Missing, decoded
from deployer.forges.github.access import Api, Matter, Query
from deployer.forges.github.rights import DEPLOYMENTS
from deployer.forges.github.statuses import description
from deployer.forges.reading import Fields, integer
from deployer.model import JSON, DeploymentState, ForgeDeployment

TASK = "deploy"

_STATES: Final[Mapping[DeploymentState, str]] = {
    DeploymentState.QUEUED: "queued",
    DeploymentState.IN_PROGRESS: "in_progress",
    DeploymentState.SUCCESS: "success",
    DeploymentState.FAILURE: "failure",
    # GitHub knows nothing for what was given up; it is not what runs.
    DeploymentState.CANCELLED: "inactive",
    DeploymentState.INACTIVE: "inactive",
}


def record(api: Api, deployment: ForgeDeployment, *, known: str | None) -> str:
    """Tell GitHub the state of a deployment, as its deployment `known` if there is one, and give the id of that.

    Without `known` it looks for one of the same `external_id` before it makes one: an earlier answer may have been
    lost. One that GitHub does not know any more is made anew. One or three requests.

    https://docs.github.com/en/rest/deployments

    Raises:
        Permanent: GitHub refuses it.
        Temporary: GitHub is away, or wants us to wait.
    """
    doing = f"recording the deployment of {deployment.repository}@{deployment.commit[:12]} to {deployment.environment}"
    matter = Matter(f"repos/{deployment.repository}", DEPLOYMENTS, doing)
    if known is not None:
        try:
            return _say(api, matter, deployment, known)
        except Missing:
            return _say(api, matter, deployment, _create(api, matter, deployment))
    number = _found(api, matter, deployment) or _create(api, matter, deployment)
    return _say(api, matter, deployment, number)


def _found(api: Api, matter: Matter, deployment: ForgeDeployment) -> str | None:
    query: Query = {"sha": deployment.commit, "environment": deployment.environment, "task": TASK, "per_page": 100}
    for each in api.page(matter, "/deployments", query=query):
        if _external_id(each) == deployment.external_id:
            return str(integer(each, "id", matter.errand))
    return None


def _external_id(deployment: Fields) -> JSON:
    """Ours, out of the payload, which comes back as what was sent or as the text of that."""
    payload = deployment.get("payload")
    content = decoded(payload) if isinstance(payload, str) else payload
    return content.get("deployer") if isinstance(content, dict) else None


def _create(api: Api, matter: Matter, deployment: ForgeDeployment) -> str:
    body: JSON = {
        "ref": deployment.commit,
        "task": TASK,
        # It is this commit that was deployed, whatever else the forge thinks of it.
        "auto_merge": False,
        "required_contexts": [],
        "payload": {"deployer": deployment.external_id},
        "environment": deployment.environment,
        "transient_environment": False,
        "production_environment": deployment.production,
    }
    answer = api.ask(matter, "POST", "/deployments", body=body)
    return str(integer(answer, "id", matter.errand))


def _say(api: Api, matter: Matter, deployment: ForgeDeployment, known: str) -> str:
    body: dict[str, JSON] = {
        "state": _STATES[deployment.state],
        "log_url": deployment.url,
        "description": description(deployment.description),
        "auto_inactive": True,
    }
    if deployment.environment_url:
        body["environment_url"] = deployment.environment_url
    api.ask(matter, "POST", f"/deployments/{quote(known, safe='')}/statuses", body=body)
    return known
