"""The command that shows the audit, and says whether it is still what was written."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import click

from deployer.cli.terminal import explained
from deployer.forges.report import line as printable


def _time(_: click.Context, __: click.Parameter, written: str | None) -> datetime | None:
    try:
        at = datetime.fromisoformat(written) if written else None
    except ValueError:
        raise click.BadParameter("expected a date or a time, as in 2026-11-23 or 2026-11-23T10:00:00Z") from None
    return at.replace(tzinfo=UTC) if at and at.tzinfo is None else at


def _head(_: click.Context, __: click.Parameter, written: str | None) -> str | None:
    from deployer.store.chain import HEAD

    if written and not HEAD.fullmatch(written):
        raise click.BadParameter("expected NUMBER:HASH, as --verify prints it and the clock logs it")
    return written


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object per row.")
@click.option("--since", callback=_time, metavar="TIME", help="Rows from then on; UTC unless it says otherwise.")
@click.option("--repository", metavar="NAME", help="Rows about a repository.")
@click.option("--environment", metavar="NAME", help="Rows about the environments of that name.")
@click.option("--deployment", metavar="ID", help="Rows about a deployment.")
@click.option("--verify", is_flag=True, help="Check that all rows are as they were written; exit 1 unless they are.")
@click.option("--head", callback=_head, metavar="NUMBER:HASH", help="With --verify: what was noted earlier.")
def audit(*, as_json: bool, since: datetime | None, verify: bool, head: str | None, **about: str | None) -> None:
    """Everything that was asked, decided and done, oldest first."""
    wanted = {name: value for name, value in about.items() if value is not None}
    if verify and (as_json or since or wanted):
        raise click.UsageError("--verify is about all rows: only --head goes with it")
    if head and not verify:
        raise click.UsageError("--head goes with --verify")
    with explained():
        if verify:
            _verify(head)
        else:
            _show(since, wanted, as_json=as_json)


def _show(since: datetime | None, wanted: Mapping[str, str], *, as_json: bool) -> None:
    from deployer import tables
    from deployer.store.chain import Broken
    from jobs.resources import resources

    try:
        for row in resources().store.audit.rows():
            if (since is None or row.at >= since) and wanted.items() <= row.fields.items():
                click.echo(tables.audit_json(row) if as_json else printable(tables.audit(row)))
    except Broken as broken:
        raise click.ClickException(f"{broken}; see: deployer audit --verify") from broken


def _verify(head: str | None) -> None:
    from deployer.store.chain import Broken
    from jobs.resources import resources

    try:
        whole = resources().store.audit.verify(noted=head)
    except Broken as broken:
        raise click.ClickException(f"the audit is not as it was written: {broken}") from broken
    if not whole.head:
        click.echo("no row was written yet")
        return
    click.echo(f"all rows are as they were written, from number {whole.first} on; to note: --head {whole.head}")
