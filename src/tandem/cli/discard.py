"""Discard a candidate that was never active."""

from __future__ import annotations

from pathlib import Path

import click
from tandem_server.history import History

from tandem.cli._common import inventory_option
from tandem.cli._playbook import play
from tandem.cli._store import entry, exported, store_option


@click.command(short_help="Discard a candidate.")
@click.argument("number", type=click.IntRange(min=1))
@inventory_option
@store_option
@click.option("-m", "--comment", metavar="TEXT", help="Why, for the history.")
def command(number: int, inventory: str | None, store: Path | None, comment: str | None) -> None:
    """Remove configuration NUMBER, a candidate; one that is or was active, is marked, or that a server is on stays."""
    if store is None:
        result = play("discard", inventory, {"number": number, "comment": comment}, quiet=True)["configuration"][-1]
        changed = result["changed"]
    else:
        with exported(store) as opened:
            History(opened).discard(number, entry(comment))
            changed = True
    click.echo(f"configuration {number} is discarded" if changed else f"there is no configuration {number}")
