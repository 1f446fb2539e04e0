"""Commands that have something done: a deployment, a recorded delivery once more."""

from __future__ import annotations

import sys
import time
from dataclasses import replace

import click

from deployer.cli.terminal import environment_of, explained, user
from deployer.forges.report import line as printable
from deployer.model import Deployment, State, Trigger

POLL_SECONDS = 0.2


@click.command()
@click.argument("repository")
@click.argument("environment")
@click.option("--commit", help="A full hash; the tip of the branch when left out.")
@click.option("--allow-rollback", is_flag=True, help="Go back to an older commit if that is what --commit names.")
@click.option("--wait", is_flag=True, help="Wait for the end; exit 1 unless it succeeded.")
def deploy(repository: str, environment: str, commit: str | None, *, allow_rollback: bool, wait: bool) -> None:
    """Deploy a commit to an environment."""
    from deployer.intake import Intake, Request
    from jobs.resources import resources

    with explained():
        given = resources()
        found = environment_of(repository, environment)
        mirror = given.mirror(found)
        wanted = commit or mirror.fetch(found.branch)
        mirror.ensure(wanted, branch=found.branch)
        intake = Intake(given.store, given.queues, given.clock)
        if allow_rollback:
            deployment = intake.go_back(found, wanted, actor=user())
        else:
            deployment = intake.accept(Request(found.key, wanted, Trigger.MANUAL, actor=user()))
        given.queues.deploy()
        click.echo(f"{deployment.id}  {found.key}  {wanted[:12]}  {given.settings.url}/deployments/{deployment.id}")
        if wait:
            sys.exit(0 if _wait(deployment).state is State.SUCCEEDED else 1)


@click.command()
@click.argument("forge")
@click.argument("delivery")
def replay(forge: str, delivery: str) -> None:
    """Send a recorded delivery through again."""
    from jobs.resources import resources

    with explained():
        given = resources()
        recorded = given.store.deliveries.get(forge, delivery)
        if recorded is None:
            raise click.ClickException(f"no delivery {delivery} of {forge} on record; they are kept for 30 days")
        again = replace(recorded, received_at=given.clock())
        given.store.arrivals.take(again, owed=True, what="replayed", again_by=user(), actor=user())
        given.queues.plan()
        click.echo("planned again; see: deployer audit, deployer status")


def _wait(deployment: Deployment) -> Deployment:
    """Show what is said of a deployment until it ends."""
    from jobs.resources import resources

    records, said = resources().store.deployments, 0
    while True:
        now = records.get(deployment.id) or deployment
        lines = records.log_lines(deployment.id)
        for line in lines[said:]:
            click.echo(printable(line))
        said = len(lines)
        if now.state.final:
            return now
        time.sleep(POLL_SECONDS)
