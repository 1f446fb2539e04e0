"""GitLab's own record of what runs where: deployments, and the environments that they make by being recorded.

What ran before needs no word: GitLab shows the newest success as what runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from deployer.forges.answer import Errand, Missing
from deployer.forges.gitlab.access import Api, Query, project
from deployer.forges.reading import Fields, integer, text
from deployer.model import JSON, DeploymentState, ForgeDeployment

_RUNNING = "running"

_STATES: Final[Mapping[DeploymentState, str]] = {
    # GitLab has no word for one that waits, other than for its own jobs.
    DeploymentState.QUEUED: _RUNNING,
    DeploymentState.IN_PROGRESS: _RUNNING,
    DeploymentState.SUCCESS: "success",
    DeploymentState.FAILURE: "failed",
    DeploymentState.CANCELLED: "canceled",
}


def record(api: Api, deployment: ForgeDeployment, *, known: str | None) -> str:
    """Tell GitLab the state of a deployment, as its deployment `known` if there is one, and give the id of that.

    Without `known` it goes on with one of ours of the same commit and environment that is not over, because an earlier
    answer may have been lost: GitLab keeps no id of ours. One that it does not know any more is made anew. Two
    requests, and at a success up to two for the environment's URL. What became inactive needs none.

    https://docs.gitlab.com/api/deployments/

    Raises:
        Permanent: GitLab refuses it.
        Temporary: GitLab is away, or wants us to wait.
    """
    doing = f"recording the deployment of {deployment.repository}@{deployment.commit[:12]} to {deployment.environment}"
    errand = api.errand(doing)
    if deployment.state is DeploymentState.INACTIVE and known is not None:
        return known
    there = _known(api, errand, deployment, known) if known is not None else _found(api, errand, deployment)
    number = _create(api, errand, deployment) if there is None else _update(api, errand, deployment, there)
    if deployment.state is DeploymentState.SUCCESS and deployment.environment_url:
        _link(api, errand, deployment)
    return str(number)


def _known(api: Api, errand: Errand, deployment: ForgeDeployment, known: str) -> Fields | None:
    try:
        return api.ask(errand, "get", f"{_path(deployment)}/{quote(known, safe='')}")
    except Missing:
        return None


def _found(api: Api, errand: Errand, deployment: ForgeDeployment) -> Fields | None:
    us = api.user_id(errand)
    query: Query = {
        "environment": deployment.environment,
        "status": _RUNNING,
        "order_by": "id",
        "sort": "desc",
        "per_page": 100,
    }
    for each in api.page(errand, _path(deployment), query=query):
        if each.get("sha") == deployment.commit and _owner(each) == us:
            return each
    return None


def _owner(deployment: Fields) -> JSON:
    """The number of whoever made it over the API; a job's deployment is nobody's here, because GitLab changes it."""
    user = deployment.get("user")
    return user.get("id") if isinstance(user, dict) and not deployment.get("deployable") else None


def _create(api: Api, errand: Errand, deployment: ForgeDeployment) -> int:
    body: JSON = {
        "environment": deployment.environment,
        "sha": deployment.commit,
        "ref": deployment.branch,
        "tag": False,
        "status": _state(deployment),
    }
    return integer(api.ask(errand, "post", _path(deployment), body=body), "id", errand)


def _update(api: Api, errand: Errand, deployment: ForgeDeployment, there: Fields) -> int:
    """GitLab refuses the state that it is in already, so that one is not sent."""
    number = integer(there, "id", errand)
    if text(there, "status", errand) != _state(deployment):
        api.ask(errand, "put", f"{_path(deployment)}/{number}", body={"status": _state(deployment)})
    return number


def _link(api: Api, errand: Errand, deployment: ForgeDeployment) -> None:
    """Let the environment's page lead to what runs there. https://docs.gitlab.com/api/environments/"""
    path = f"{project(deployment.repository)}/environments"
    for each in api.page(errand, path, query={"name": deployment.environment}):
        if each.get("external_url") != deployment.environment_url:
            url = f"{path}/{integer(each, 'id', errand)}"
            api.ask(errand, "put", url, body={"external_url": deployment.environment_url})


def _state(deployment: ForgeDeployment) -> str:
    return _STATES.get(deployment.state, "canceled")


def _path(deployment: ForgeDeployment) -> str:
    return f"{project(deployment.repository)}/deployments"
