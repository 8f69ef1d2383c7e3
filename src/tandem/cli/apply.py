"""Bring the servers to the configuration of the source, or to a stored one."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from tandem.cli._common import inventory_option, json_option, load_model
from tandem.cli._playbook import by_site_option, play, server_options, without_option


@click.command(short_help="Bring the servers to the configuration.")
@click.argument("number", type=click.IntRange(min=1), required=False)
@inventory_option
@server_options
@click.option("--plan", metavar="ID", help="Exactly this plan, as `tandem plan` named it.")
@without_option
@by_site_option
@click.option("--check", is_flag=True, help="Change nothing; tell what would change.")
@click.option("--diff", is_flag=True, help="Show the differences inside files too.")
@click.option("-m", "--comment", metavar="TEXT", help="Why, for the history.")
@click.option("--take-over", is_flag=True, help="Take the lease from another run that is still at work.")
@json_option
def command(  # noqa: PLR0913, PLR0917
    number: int | None,
    inventory: str | None,
    limit: str | None,
    without: tuple[str, ...],
    vault_password_file: Path | None,
    plan: str | None,
    comment: str | None,
    *,
    by_site: bool,
    check: bool,
    diff: bool,
    take_over: bool,
    as_json: bool,
) -> None:
    """Compile the source, or take a stored plan or the stored configuration NUMBER, and apply it wave by wave.

    A plan is refused when the active configuration or the place of a server has changed since; a configuration, when
    it was planned against another one than the active.
    """
    if number is not None and plan is not None:
        raise click.UsageError("a plan says which configuration is applied; leave NUMBER out")
    if plan is not None and not plan.strip():
        raise click.UsageError("--plan is empty; a plan that has nothing to do has no name, and need not be applied")
    away = [*without] or None
    variables = {"number": number, "plan": plan, "comment": comment, "without": away}
    variables |= {"take_over": take_over or None, "by_site": by_site or None}
    play(
        "apply",
        inventory,
        variables,
        vault_password_file=vault_password_file,
        limit=limit,
        check=check,
        diff=diff,
        as_json=as_json,
        explain=partial(load_model, inventory),
    )
