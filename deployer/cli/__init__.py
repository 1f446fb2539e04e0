"""The command line: what an operator does by hand. Each command says what it did, or why not and what to do."""

from __future__ import annotations

import click
import structlog

from deployer.cli import act, audit, drift, prepare, show


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="deployer")
def main() -> None:
    """Push-based GitOps for Kubernetes: a merge deploys its environments, and the commit says so."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))


for command in (
    prepare.check, prepare.schema, prepare.demo,
    act.deploy, act.replay,
    show.render, show.diff, show.status, show.log, drift.drift, audit.audit,
):  # fmt: skip
    main.add_command(command)
