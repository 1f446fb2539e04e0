"""Commands from before the first deployment: settings, connections, the demo."""

from __future__ import annotations

import json
import sys

import click


@click.command()
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


@click.command()
def schema() -> None:
    """Print the JSON schema of the settings file, for editors."""
    from deployer.settings import schema as settings_schema

    click.echo(json.dumps(settings_schema(), indent=2))


@click.command()
@click.option("--once", is_flag=True, help="Merge everything without asking and end; exit 0 only if all went well.")
def demo(once: bool) -> None:
    """The whole thing on this machine: no account and no cluster needed."""
    from deployer.demo import run

    sys.exit(run(once=once))
