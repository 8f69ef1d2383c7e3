"""Compare the servers with the configuration that each is on, and change nothing."""

from __future__ import annotations

import sys

import click

from tandem.cli._common import inventory_option, json_option
from tandem.cli._playbook import play

DIFFERENCES = 3


@click.command(short_help="Show what is not as it was applied.")
@inventory_option
@click.option("-l", "--limit", metavar="PATTERN", help="Only these servers, clusters or sites.")
@click.option("--diff", is_flag=True, help="Show the differences inside files too.")
@click.option("--exit-code", is_flag=True, help=f"Exit with {DIFFERENCES} where something differs.")
@json_option
def command(inventory: str | None, limit: str | None, *, diff: bool, exit_code: bool, as_json: bool) -> None:
    """Look at every server: files changed by hand, units stopped or running on old files, addresses missing."""
    results = play("drift", inventory, {}, limit=limit, diff=diff, as_json=as_json)
    found = results["drift_info"][-1]
    if not as_json:
        servers = sorted(found["changes"])
        click.echo(f"{', '.join(servers)} differ from what was applied to them" if servers else "no drift")
    if exit_code and found["changes"]:
        sys.exit(DIFFERENCES)
