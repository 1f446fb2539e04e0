"""`deployer demo`: a merge, from the button to the clusters, on this machine alone."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.live import Live

from deployer.cluster.connection import connect
from deployer.demo.screen import Row, Workload, journey, running
from deployer.demo.stack import Stack
from deployer.demo.stack import running as running_stack
from deployer.model import JSON
from deployer.sandbox import shop

FIRST = 1
SECONDS_FOR_A_MERGE = 60
SECONDS_FOR_PODS = 3


def run(*, once: bool, console: Console | None = None) -> int:
    """Run the demo until Ctrl-C, or with `once` until the first merge has its checks.

    Returns:
        An exit code: 0 when the first merge got its green checks.
    """
    console = console or Console()
    with tempfile.TemporaryDirectory(prefix="deployer-demo-") as folder:
        began = time.monotonic()
        console.print("[dim]starting Redis, two clusters, a forge, web, worker and clock on this machine…[/]")
        with running_stack(Path(folder)) as stack:
            green = _merge_first(stack, console)
            console.print(f"[dim]{time.monotonic() - began:.1f} s since the start[/]\n")
            if not once:
                _follow(stack, console)
        return 0 if green else 1


def _merge_first(stack: Stack, console: Console) -> bool:
    pull = stack.forge.pull_requests(shop.NAME)[FIRST - 1]
    console.print(f"{pull.author} merges pull request #{pull.number} on {stack.forge.url}/{shop.NAME}\n")
    commit = stack.forge.merge(shop.NAME, pull.number).commit
    return _show(stack, console, commit, f"#{pull.number} {pull.title}")


def _follow(stack: Stack, console: Console) -> None:
    """Show every further merge, until Ctrl-C."""
    console.print(f"Merge the next one yourself: [bold]{stack.forge.url}/{shop.NAME}[/]   (Ctrl-C ends it all)\n")
    shown = stack.forge.tip(shop.NAME)
    try:
        while True:
            time.sleep(0.1)
            if (tip := stack.forge.tip(shop.NAME)) != shown:
                shown = tip
                _show(stack, console, tip, _title(stack, tip))
    except KeyboardInterrupt:
        console.print("\n[dim]stopping…[/]")


def _title(stack: Stack, commit: str) -> str:
    for pull in stack.forge.pull_requests(shop.NAME):
        if pull.landing and pull.landing.commit == commit:
            return f"#{pull.number} {pull.title}"
    return "a push"


def _show(stack: Stack, console: Console, commit: str, title: str) -> bool:
    """Show a merge on its way; whether it ended with green checks everywhere."""
    began = time.monotonic()
    with Live(console=console, refresh_per_second=20) as live:
        while True:
            rows, seconds = _rows(stack, commit), time.monotonic() - began
            live.update(journey(title, commit, rows, seconds=seconds))
            if all(row.check not in (None, "pending") for row in rows) or seconds > SECONDS_FOR_A_MERGE:
                break
            time.sleep(0.05)
    console.print()
    console.print(running(_settled(stack)))
    pages = [f"{stack.settings.url}/deployments/{row.deployment.id}" for row in rows if row.deployment]
    console.print("\n" + "\n".join(f"[dim]{page}[/]" for page in pages))
    return all(row.check == "success" for row in rows)


def _rows(stack: Stack, commit: str) -> list[Row]:
    statuses = stack.forge.statuses(shop.NAME, commit)
    rows = []
    for environment in stack.settings.environments:
        name = environment.key.environment
        deployment = stack.store.deployments.latest(environment.key, commit)
        stages = stack.store.deployments.stages(deployment.id) if deployment else ()
        check = next((status.state for status in statuses if status.context == f"deploy/{name}"), None)
        rows.append(Row(name, deployment, stages, check))
    return rows


def _settled(stack: Stack) -> dict[str, list[Workload]]:
    """What runs on each cluster, once the pods are up or a moment has passed."""
    deadline = time.monotonic() + SECONDS_FOR_PODS
    while True:
        found = {name: _workloads(stack, name) for name in stack.clusters}
        ready = all(each.ready == each.replicas for workloads in found.values() for each in workloads)
        if ready or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


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
