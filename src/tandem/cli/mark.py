"""Mark a stored configuration, so that pruning keeps it."""

from __future__ import annotations

from pathlib import Path

import click
from tandem_server.history import History

from tandem.cli._common import inventory_option
from tandem.cli._playbook import play
from tandem.cli._store import entry, exported, store_option


@click.command(short_help="Let pruning keep a configuration.")
@click.argument("number", type=click.IntRange(min=1))
@inventory_option
@store_option
@click.option("--remove", is_flag=True, help="Remove the mark.")
@click.option("-m", "--comment", metavar="TEXT", help="Why, for the history.")
def command(number: int, inventory: str | None, store: Path | None, comment: str | None, *, remove: bool) -> None:
    """Mark configuration NUMBER, so that pruning keeps it, or remove the mark."""
    if store is None:
        variables = {"number": number, "comment": comment, "remove": remove or None}
        changed = play("mark", inventory, variables, quiet=True)["configuration"][-1]["changed"]
    else:
        with exported(store) as opened:
            history = History(opened)
            changed = history.unmark(number) if remove else history.mark(number, entry(comment))
    state = "no longer marked" if remove else "marked"
    already = ("not marked" if remove else "marked already") if not changed else state
    click.echo(f"configuration {number} is {already}")
