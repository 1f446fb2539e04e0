"""Commands that show something and change nothing."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from deployer.cli.terminal import environment_of, explained
from deployer.forges.report import line as printable

if TYPE_CHECKING:
    from deployer.tables import Sweep
    from jobs.resources import Resources


@click.command()
@click.argument("repository")
@click.argument("environment")
@click.option("--commit", help="A full hash; the tip of the branch when left out.")
def render(repository: str, environment: str, commit: str | None) -> None:
    """Print the manifests of an environment, as they would be applied."""
    from deployer.source import overlay
    from jobs.resources import resources

    with explained():
        given, found = resources(), environment_of(repository, environment)
        mirror = given.mirror(found)
        wanted = commit or mirror.fetch(found.branch)
        mirror.ensure(wanted, branch=found.branch)
        sys.stdout.buffer.write(overlay.render(found, wanted, mirror=mirror, cache=given.renders).manifests)


@click.command()
@click.argument("repository")
@click.argument("environment")
@click.option("--commit", help="A full hash; the tip of the branch when left out.")
def diff(repository: str, environment: str, commit: str | None) -> None:
    """Show what deploying would change; exit 0 if nothing, 1 if something, 2 on an error."""
    from deployer.cluster.applyset import Scope
    from deployer.cluster.unified import summary, unified
    from deployer.preview import preview
    from jobs.resources import resources

    with explained(exit_code=2):
        given, found = resources(), environment_of(repository, environment)
        mirror = given.mirror(found)
        wanted = commit or mirror.fetch(found.branch)
        mirror.ensure(wanted, branch=found.branch)
        cluster = given.settings.clusters[found.cluster]
        plan = preview(found, wanted, cluster=cluster, mirror=mirror, renders=given.renders)
        for change in plan.changes:
            click.echo(unified(change, color=True), nl=False)
        click.echo(summary(plan.changes))
        plan.refuse_over_budget(Scope.of(found))
        sys.exit(1 if any(change.differs for change in plan.changes) else 0)


@click.command()
@click.argument("repository", required=False)
@click.argument("environment", required=False)
@click.option("--json", "as_json", is_flag=True, help="As JSON, like the API's environments.")
def status(repository: str | None, environment: str | None, *, as_json: bool) -> None:
    """What each environment runs, and how its last deployment went."""
    from deployer import tables
    from jobs.resources import resources

    with explained():
        given = resources()
        if repository is not None and environment is not None:
            environment_of(repository, environment)
        store = given.store
        rows = [
            (
                found,
                store.environments.get(found.key),
                store.deployments.newest(found.key, most=1),
                store.drift.get(found.key),
            )
            for found in given.settings.environments
            if repository in (None, found.key.repository) and environment in (None, found.key.environment)
        ]
        left = given.store.places.left_behind(given.settings.environments) if repository is None else {}
        swept = _swept(given, repository)
        click.echo(tables.status_json(rows, left, swept) if as_json else tables.status(rows, left, swept))


def _swept(given: Resources, repository: str | None) -> Sweep:
    """What our own looks at the branches found, of one repository or of all."""
    from deployer.tables import Sweep

    counts = {
        (labels["forge"], labels["repository"]): count
        for name, labels, count in given.store.counters.all()
        if name == "webhooks_missed"
    }
    last = given.store.tips.last_missed()
    missed = [(*name, counts.get(name, 0), at) for name, at in last.items() if repository in (None, name[1])]
    branches = [branch for branch in given.settings.branches if repository in (None, branch.repository)]
    return Sweep(missed, given.store.tips.troubles(branches))


@click.command()
@click.argument("deployment")
def log(deployment: str) -> None:
    """The log of a deployment."""
    from jobs.resources import resources

    with explained():
        records = resources().store.deployments
        found = records.get(deployment)
        if found is None:
            raise click.ClickException(
                f"no deployment {deployment}; deployer status shows the last of each environment"
            )
        for line in records.log_lines(deployment):
            click.echo(printable(line))
        click.echo(f"{found.key} {found.commit[:12]}: {found.state}: {found.summary}", err=True)
