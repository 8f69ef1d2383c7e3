"""Make an older configuration active again: the stored bytes return."""

from __future__ import annotations

from pathlib import Path

import click

from tandem.cli._common import inventory_option, json_option
from tandem.cli._playbook import by_site_option, play, server_options, without_option


@click.command(short_help="Make an older configuration active again.")
@click.argument("number", type=click.IntRange(min=1))
@inventory_option
@server_options
@without_option
@by_site_option
@click.option("--check", is_flag=True, help="Change nothing; tell what would change.")
@click.option("--diff", is_flag=True, help="Show the differences inside files too.")
@click.option("-m", "--comment", metavar="TEXT", help="Why, for the history.")
@click.option("--take-over", is_flag=True, help="Take the lease from another run that is still at work.")
@json_option
def command(  # noqa: PLR0913
    number: int,
    inventory: str | None,
    limit: str | None,
    without: tuple[str, ...],
    vault_password_file: Path | None,
    comment: str | None,
    *,
    by_site: bool,
    check: bool,
    diff: bool,
    take_over: bool,
    as_json: bool,
) -> None:
    """Apply the stored configuration NUMBER; the source in git stays as it is."""
    variables = {"number": number, "comment": comment, "without": [*without]}
    variables |= {"take_over": take_over or None, "by_site": by_site or None}
    play(
        "rollback",
        inventory,
        variables,
        vault_password_file=vault_password_file,
        limit=limit,
        check=check,
        diff=diff,
        as_json=as_json,
    )
