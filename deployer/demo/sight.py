"""What there is to see of a running demo: asks the forge, the store and the clusters, and changes nothing."""

from __future__ import annotations

import time

from deployer.cluster.connection import connect
from deployer.demo.screen import PENDING, Foreseen, Journey, Preview, Row, Workload
from deployer.demo.stack import Stack
from deployer.model import JSON
from deployer.sandbox import shop
from deployer.sandbox.forge import CheckRun, PullRequest

SECONDS_FOR_PODS = 3


def journey(stack: Stack, commit: str) -> Journey:
    """A commit of the shop's branch on its way through its environments."""
    rows = []
    for environment in stack.settings.environments:
        name = environment.key.environment
        deployment = stack.store.deployments.latest(environment.key, commit)
        stages = stack.store.deployments.stages(deployment.id) if deployment else ()
        rows.append(Row(name, deployment, stages, _said(_check(stack, commit, f"deploy/{name}"))))
    return Journey(_title(stack, commit), commit, rows)


def preview(stack: Stack, pull: PullRequest) -> Preview:
    """What people are told that merging a pull request would change."""
    rows = []
    for environment in stack.settings.environments:
        name = environment.key.environment
        check = _check(stack, pull.head, f"preview/{name}")
        rows.append(Foreseen(name, _said(check), check.output.title if check and check.output else "·"))
    commented = any(comment.app for comment in stack.forge.comments(shop.NAME, pull.number))
    return Preview(f"#{pull.number} {pull.title}", pull.head, rows, commented)


def settled(stack: Stack) -> dict[str, list[Workload]]:
    """What runs on each cluster, once the pods are up or a moment has passed."""
    deadline = time.monotonic() + SECONDS_FOR_PODS
    while True:
        found = {name: _workloads(stack, name) for name in stack.clusters}
        ready = all(each.ready == each.replicas for workloads in found.values() for each in workloads)
        if ready or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def _check(stack: Stack, commit: str, name: str) -> CheckRun | None:
    """The newest check run of that name."""
    return next((run for run in stack.forge.checks(shop.NAME, commit) if run.name == name), None)


def _said(check: CheckRun | None) -> str | None:
    return (check.conclusion or PENDING) if check else None


def _title(stack: Stack, commit: str) -> str:
    for pull in stack.forge.pull_requests(shop.NAME):
        if pull.landing and pull.landing.commit == commit:
            return f"#{pull.number} {pull.title}"
    return "a push"


def _workloads(stack: Stack, cluster: str) -> list[Workload]:
    with connect(stack.settings.clusters[cluster]) as connection:
        found = connection.request("GET", "/apis/apps/v1/deployments").body
    items = _mapping(found).get("items")
    return [_workload(_mapping(item)) for item in items] if isinstance(items, list) else []


def _workload(item: dict[str, JSON]) -> Workload:
    """Read what every Deployment that runs has; the paths are Kubernetes' own."""
    metadata, spec, status = (_mapping(item.get(name)) for name in ("metadata", "spec", "status"))
    containers = _mapping(_mapping(spec.get("template")).get("spec")).get("containers")
    image = _mapping(containers[0]).get("image") if isinstance(containers, list) and containers else None
    ready, replicas = status.get("readyReplicas"), spec.get("replicas")
    return Workload(
        str(metadata.get("name")),
        str(image),
        ready if isinstance(ready, int) else 0,
        replicas if isinstance(replicas, int) else 0,
    )


def _mapping(value: JSON) -> dict[str, JSON]:
    return value if isinstance(value, dict) else {}
