"""Give a stored configuration back as files that can be edited."""

from __future__ import annotations

from pathlib import Path

import click

from tandem.cli._common import STORE, inventory_option
from tandem.cli._playbook import play
from tandem.configuration import DirectoryStore
from tandem.configuration.clone import clone


@click.command(short_help="Write a stored configuration as editable files.")
@click.argument("number", type=click.IntRange(min=1))
@click.argument("directory", type=click.Path(path_type=Path))
@inventory_option
@click.option("--store", type=STORE, metavar="DIR", help="Take it from an exported store.")
def command(number: int, directory: Path, inventory: str | None, store: Path | None) -> None:
    """Write the source of configuration NUMBER into DIRECTORY; compiled again it gives the same configuration."""
    if store is None:
        return _with_servers(inventory, number, directory)
    for path in clone(DirectoryStore(store).configuration(number), directory):
        click.echo(directory / path)
    return None


def _with_servers(inventory: str | None, number: int, directory: Path) -> None:
    """Clone from the store on the configuration server, by the playbook."""
    results = play("clone", inventory, {"number": number, "path": str(directory.resolve())})
    for path in results["source"][-1]["files"]:
        click.echo(directory / path)
