"""Look at the agents of the servers."""

from __future__ import annotations

import click

from tandem.cli._common import inventory_option, json_option
from tandem.cli._playbook import play


@click.group(short_help="Look at the agents of the servers.")
def command() -> None:
    """Look at the agents, which bring servers that were away to what they should be on."""


@command.command()
@inventory_option
@json_option
def status(inventory: str | None, *, as_json: bool) -> None:
    """Show for every server what it is on and should be on, and when and what its agent was heard to say."""
    found = play("agent_status", inventory, {}, as_json=as_json)["agent_info"][-1]
    if not as_json:
        click.echo("\n".join(found["report"]))
