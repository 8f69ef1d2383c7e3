"""Prepare servers that have Debian and Python: the packages of all applications."""

from __future__ import annotations

from pathlib import Path

import click

from tandem.cli._common import inventory_option, json_option, load_model
from tandem.cli._playbook import play, server_options


@click.command(short_help="Prepare servers, once.")
@inventory_option
@server_options
@click.option("--check", is_flag=True, help="Change nothing.")
@json_option
def command(
    inventory: str | None, limit: str | None, vault_password_file: Path | None, *, check: bool, as_json: bool
) -> None:
    """Install the packages of all applications on every server, without starting what they bring."""
    load_model(inventory)
    play("bootstrap", inventory, {}, vault_password_file=vault_password_file, limit=limit, check=check, as_json=as_json)
    if not as_json:
        click.echo("The servers are prepared." if not check else "Nothing was changed.")
