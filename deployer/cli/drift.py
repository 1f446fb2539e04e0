"""The command that compares environments with git now, without waiting for the clock."""

from __future__ import annotations

import sys

import click

from deployer.cli.terminal import environment_of, explained


@click.command()
@click.argument("repository", required=False)
@click.argument("environment", required=False)
@click.option("--json", "as_json", is_flag=True, help="As JSON, like the API's environments.")
def drift(repository: str | None, environment: str | None, *, as_json: bool) -> None:
    """Compare clusters with git now; exit 1 if one could not be compared, whatever was found in the others.

    What follows is what each environment's `drift` says; with `ignore` nothing does.
    """
    from deployer import tables
    from deployer.holding import DriftState
    from jobs.drift import check_now
    from jobs.resources import resources

    with explained():
        given = resources()
        if repository is not None and environment is not None:
            chosen = [environment_of(repository, environment)]
        else:
            known = given.settings.environments
            chosen = [each for each in known if repository in (None, each.key.repository)]
        if not chosen:
            raise click.ClickException(f"no environments of {repository} in the settings")
        begun = given.clock()
        check_now(given, chosen)
        store = given.store
        looks = [(each, store.environments.get(each.key), store.drift.get(each.key)) for each in chosen]
        click.echo(tables.drift_json(looks) if as_json else tables.drift(looks))
        missed = [each.key for each, state, last in looks if state.deployed and not last.newer_than(begun)]
        for key in missed:
            click.echo(f"{key}: not compared now, since it is being deployed or compared by somebody else", err=True)
        sys.exit(1 if missed or any(last.state is DriftState.UNKNOWN for _, _, last in looks) else 0)
