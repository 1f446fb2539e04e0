"""The command line: what an operator does by hand. Each command says what it did, or why not and what to do."""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import click
import structlog
from redis.exceptions import RedisError

from deployer.forges.report import line as printable
from deployer.model import Deployment, Environment, Failure, State, Trigger

POLL_SECONDS = 0.2


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="deployer")
def main() -> None:
    """Push-based GitOps for Kubernetes: a merge deploys its environments, and the commit says so."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))


@main.command()
def check() -> None:
    """Check settings and connections; exit 1 with every mistake."""
    from deployer.check import check_connections
    from deployer.settings import SettingsError, load, surroundings

    try:
        around = surroundings()
        settings = load(around.config)
    except SettingsError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    click.echo(f"ok    {around.config}")
    failed = False
    for finding in check_connections(settings, around):
        failed = failed or not finding.ok
        click.echo(f"{'ok   ' if finding.ok else 'FAIL '} {finding.what}: {finding.message}", err=not finding.ok)
    sys.exit(1 if failed else 0)


@main.command()
def schema() -> None:
    """Print the JSON schema of the settings file, for editors."""
    from deployer.settings import schema as settings_schema

    click.echo(json.dumps(settings_schema(), indent=2))


@main.command()
@click.option("--once", is_flag=True, help="End after the first merge; exit 0 only if its commit got green checks.")
def demo(once: bool) -> None:
    """The whole thing on this machine: no account and no cluster needed."""
    from deployer.demo import run

    sys.exit(run(once=once))


@main.command()
@click.argument("repository")
@click.argument("environment")
@click.option("--commit", help="A full hash; the tip of the branch when left out.")
@click.option("--allow-rollback", is_flag=True, help="Go back to an older commit if that is what --commit names.")
@click.option("--wait", is_flag=True, help="Wait for the end; exit 1 unless it succeeded.")
def deploy(repository: str, environment: str, commit: str | None, *, allow_rollback: bool, wait: bool) -> None:
    """Deploy a commit to an environment."""
    from deployer.intake import Intake, Request
    from jobs.resources import resources

    with _explained():
        given = resources()
        found = _environment(repository, environment)
        mirror = given.mirror(found)
        wanted = commit or mirror.fetch(found.branch)
        mirror.ensure(wanted, branch=found.branch)
        trigger = Trigger.ROLLBACK if allow_rollback else Trigger.MANUAL
        request = Request(found.key, wanted, trigger, actor=_user())
        deployment = Intake(given.store, given.queues, given.clock).accept(request)
        given.queues.deploy(found.key)
        click.echo(f"{deployment.id}  {found.key}  {wanted[:12]}  {given.settings.url}/deployments/{deployment.id}")
        if wait:
            sys.exit(0 if _wait(deployment).state is State.SUCCEEDED else 1)


@main.command()
@click.argument("repository")
@click.argument("environment")
@click.option("--commit", help="A full hash; the tip of the branch when left out.")
def render(repository: str, environment: str, commit: str | None) -> None:
    """Print the manifests of an environment, as they would be applied."""
    from deployer.source import overlay
    from jobs.resources import resources

    with _explained():
        given, found = resources(), _environment(repository, environment)
        mirror = given.mirror(found)
        wanted = commit or mirror.fetch(found.branch)
        mirror.ensure(wanted, branch=found.branch)
        sys.stdout.buffer.write(overlay.render(found, wanted, mirror=mirror, cache=given.renders).manifests)


@main.command()
@click.argument("repository")
@click.argument("environment")
@click.option("--commit", help="A full hash; the tip of the branch when left out.")
def diff(repository: str, environment: str, commit: str | None) -> None:
    """Show what deploying would change; exit 0 if nothing, 1 if something, 2 on an error."""
    from deployer.cluster.applyset import Scope
    from deployer.cluster.unified import summary, unified
    from deployer.preview import preview
    from jobs.resources import resources

    with _explained(exit_code=2):
        given, found = resources(), _environment(repository, environment)
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


@main.command()
@click.argument("repository", required=False)
@click.argument("environment", required=False)
@click.option("--json", "as_json", is_flag=True, help="As JSON, like the API's environments.")
def status(repository: str | None, environment: str | None, *, as_json: bool) -> None:
    """What each environment runs, and how its last deployment went."""
    from deployer import tables
    from jobs.resources import resources

    with _explained():
        given = resources()
        if repository is not None and environment is not None:
            _environment(repository, environment)
        rows = [
            (found, given.store.environments.get(found.key), given.store.deployments.newest(found.key, most=1))
            for found in given.settings.environments
            if repository in (None, found.key.repository) and environment in (None, found.key.environment)
        ]
        left = given.store.places.left_behind(given.settings.environments) if repository is None else {}
        click.echo(tables.status_json(rows, left) if as_json else tables.status(rows, left))


@main.command()
@click.argument("forge")
@click.argument("delivery")
def replay(forge: str, delivery: str) -> None:
    """Send a recorded delivery through again."""
    from jobs.resources import resources

    with _explained():
        given = resources()
        recorded = given.store.deliveries.get(forge, delivery)
        if recorded is None:
            raise click.ClickException(f"no delivery {delivery} of {forge} on record; they are kept for 30 days")
        again = replace(recorded, received_at=given.clock())
        given.store.arrivals.take(again, owed=True, what="replayed", again_by=_user(), actor=_user())
        given.queues.plan()
        click.echo("planned again; see: deployer audit, deployer status")


@main.command()
@click.argument("deployment")
def log(deployment: str) -> None:
    """The log of a deployment."""
    from jobs.resources import resources

    with _explained():
        records = resources().store.deployments
        found = records.get(deployment)
        if found is None:
            raise click.ClickException(
                f"no deployment {deployment}; deployer status shows the last of each environment"
            )
        for line in records.log_lines(deployment):
            click.echo(printable(line))
        click.echo(f"{found.key} {found.commit[:12]}: {found.state}: {found.summary}", err=True)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object per row.")
def audit(*, as_json: bool) -> None:
    """Everything that was asked, decided and done, oldest first."""
    from deployer import tables
    from jobs.resources import resources

    with _explained():
        for row in resources().store.audit.rows():
            click.echo(tables.audit_json(row) if as_json else printable(tables.audit(row)))


def _environment(repository: str, name: str) -> Environment:
    from jobs.resources import resources

    known = resources().settings.environments
    found = [
        each
        for each in known
        if each.key.environment == name
        and repository in (each.key.repository, f"{each.key.forge}/{each.key.repository}")
    ]
    if len(found) == 1:
        return found[0]
    if found:
        choices = ", ".join(f"{each.key.forge}/{each.key.repository}" for each in found)
        raise click.ClickException(f"{repository} {name} is on more than one forge; say which: {choices}")
    names = ", ".join(f"{each.key.repository} {each.key.environment}" for each in known)
    raise click.ClickException(f"no environment {name} of {repository} in the settings; there are: {names}")


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


def _user() -> str:
    import getpass

    return f"{getpass.getuser()} (command line)"


@contextmanager
def _explained(*, exit_code: int = 1) -> Iterator[None]:
    """Turn what can go wrong into one line for the person at the terminal."""
    from deployer.settings import SettingsError

    try:
        yield
    except click.ClickException as error:
        sys.exit(_said(error.message, exit_code))
    except (Failure, SettingsError) as error:
        sys.exit(_said(str(error), exit_code))
    except RedisError as error:
        sys.exit(_said(f"Redis does not answer ({error}); is REDIS_URL right?", exit_code))
    except KeyboardInterrupt:
        sys.exit(_said("interrupted", exit_code))
    except Exception as error:  # a script that asks for a difference must not take this for one
        sys.exit(_said(f"internal error: {error!r}\n{traceback.format_exc()}", exit_code))


def _said(message: str, exit_code: int) -> int:
    click.echo(f"Error: {message}", err=True)
    return exit_code


if __name__ == "__main__":
    main()
