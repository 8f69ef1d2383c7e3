"""Remove old configurations, but for the active one, marked ones and the newest."""

from __future__ import annotations

from pathlib import Path

import click
from tandem_server.history import History

from tandem.cli._common import inventory_option, json_option, print_json
from tandem.cli._playbook import play
from tandem.cli._store import entry, exported, store_option
from tandem.configuration.history import pruned


@click.command(short_help="Remove old configurations.")
@inventory_option
@store_option
@click.option("--keep", type=click.IntRange(min=0), required=True, metavar="K", help="How many of the newest stay.")
@click.option("--check", is_flag=True, help="Remove nothing; tell what would go.")
@click.option("-m", "--comment", metavar="TEXT", help="Why, for the history.")
@json_option
def command(
    inventory: str | None, store: Path | None, keep: int, comment: str | None, *, check: bool, as_json: bool
) -> None:
    """Remove all configurations but the newest K, and every content that nothing names any more.

    The active configuration, marked ones, and those that servers are on or should come to always stay.
    """
    if store is None:
        variables = {"keep": keep, "comment": comment}
        result = play("prune", inventory, variables, check=check, quiet=True)["configuration"][-1]
        found = {name: result[name] for name in ("removed", "kept", "blobs", "bytes")}
    else:
        with exported(store) as opened:
            found = History(opened).prune(keep, entry(comment), check=check)
    if as_json:
        print_json(found)
    else:
        click.echo("\n".join(pruned(found, check=check)))
