"""Compile an installation into a configuration, without contacting anything."""

from __future__ import annotations

import getpass
import time
from pathlib import Path

import click

from tandem.ansible.vault import decryption
from tandem.cli._common import inventory_option, json_option, outline_model, print_json
from tandem.cli._vault import vault_option
from tandem.configuration import Configuration, DirectoryStore, compile_model
from tandem.errors import Failed


@click.command(short_help="Compile the installation into a configuration.")
@inventory_option
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Store it there as well."
)
@vault_option
@json_option
def command(inventory: str | None, output: Path | None, vault_password_file: Path | None, *, as_json: bool) -> None:
    """Compile the installation and print the digest of the configuration; no server is contacted.

    With -o it is added to a directory in the form of an exported store, against which `tandem plan --store` compares.
    Files with secrets are left out there: nothing secret stays on this machine.
    """
    configuration = compile_model(outline_model(inventory), decryption(vault_password_file))
    number = _store(configuration, output) if output else None
    bundles = [configuration.bundle(server) for server in configuration.bundles]
    facts = {
        "installation": configuration.installation,
        "digest": configuration.digest,
        "servers": len(configuration.bundles),
        "files": sum(len(bundle.files) for bundle in bundles),
        "units": sum(len(bundle.units) for bundle in bundles),
    }
    if as_json:
        print_json({**facts, "number": number, "unreadable": configuration.unreadable})
        return
    click.echo(f"{facts['installation']}: {facts['servers']} servers, {facts['files']} files, {facts['units']} units")
    click.echo(f"digest {facts['digest']}" + (f", configuration {number} in {output}" if number else ""))
    options = sorted(
        {name for files in configuration.unreadable.values() for names in files.values() for name in names}
    )
    if options:
        click.echo(
            f"without the vault's password: {', '.join(options)} not read, and the files that need them left open"
        )


def _store(configuration: Configuration, directory: Path) -> int:
    """Add a configuration, but for the files with secrets, to a store in a directory."""
    blobs = {name: data for name, data in configuration.blobs.items() if name not in configuration.secret_blobs}
    description = {
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "author": getpass.getuser(),
        "comment": "compiled here",
    }
    try:
        return DirectoryStore(directory).add(configuration.record, blobs, description)
    except OSError as error:
        raise Failed(f"{error.filename or directory}: {error.strerror}") from None
