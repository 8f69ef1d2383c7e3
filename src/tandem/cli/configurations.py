"""Tell which configurations are stored, which was active when, and where servers are."""

from __future__ import annotations

from pathlib import Path

import click
from tandem_server.history import History

from tandem.cli._common import inventory_option, json_option, print_json
from tandem.cli._playbook import play
from tandem.cli._store import exported, store_option
from tandem.configuration.history import lines, ordered


@click.command(short_help="Tell the history of configurations.")
@inventory_option
@store_option
@json_option
def command(inventory: str | None, store: Path | None, *, as_json: bool) -> None:
    """Tell who made which configuration when, which one is active since when, and what is pending on which server."""
    if store is None:
        found = play("configurations", inventory, {}, quiet=True)["configurations_info"][-1]
        history = {name: found[name] for name in ("active", "configurations", "servers", "pending")}
    else:
        with exported(store) as opened:
            history = ordered(History(opened).tell())
    if as_json:
        print_json(history)
    else:
        click.echo("\n".join(lines(history)))
