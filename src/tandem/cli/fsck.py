"""Look for corruption of the store, and change nothing."""

from __future__ import annotations

from pathlib import Path

import click
from tandem_server.fsck import problems

from tandem.cli._common import inventory_option, json_option, print_json
from tandem.cli._playbook import Stopped, play
from tandem.cli._store import exported, store_option
from tandem.errors import Failed

SOUND = "The store is sound."


@click.command(short_help="Look for corruption of the store.")
@inventory_option
@store_option
@json_option
def command(inventory: str | None, store: Path | None, *, as_json: bool) -> None:
    """Read everything that is stored and print one line for each thing that is wrong; exit with 1 if there is any.

    An exported store may lack the contents of files with secrets.
    """
    if store is None:
        try:
            play("fsck", inventory, {}, quiet=True)
        except Stopped as stopped:
            if as_json and "configurations_info" in stopped.results:
                print_json({"problems": stopped.results["configurations_info"][-1]["problems"]})
            raise
        found = []
    else:
        with exported(store) as opened:
            found = problems(opened, secrets=False)
    if as_json:
        print_json({"problems": found})
    if found:
        raise Failed("\n".join(found))
    if not as_json:
        click.echo(SOUND)
