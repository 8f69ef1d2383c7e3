"""Write JSON Schemas, by which editors complete and check the files of an inventory."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from pydantic import TypeAdapter

from tandem import applications
from tandem.applications import Application, Applications
from tandem.cli._common import inventory_option
from tandem.errors import Origin, Problems
from tandem.inventory import InstallationEntry
from tandem.options import Option
from tandem.options.schema import DIALECT, Schema, options_schema
from tandem.project import INSTALLATION, inventory_directory, roles_directory
from tandem.source import BROKEN, Node, read_yaml

DIRECTORY = "build/schemas"


@click.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path), default=DIRECTORY)
@inventory_option
def command(directory: Path, inventory: str | None) -> None:
    """Write JSON Schemas of installation.yml and of the option files of every level into DIRECTORY (build/schemas).

    With them an editor that has a YAML language server completes and checks these files while they are typed.
    """
    problems = Problems()
    known = applications.load(roles_directory(), problems)
    problems.raise_if_any()
    # a schema helps to mend an installation.yml that is wrong, so it is made of what can be read of it
    file = inventory_directory(inventory) / INSTALLATION
    installation = read_yaml(file, INSTALLATION, Problems()) or Node(BROKEN, Origin(INSTALLATION))
    directory.mkdir(parents=True, exist_ok=True)
    patterns = {}
    for name, (files, schema) in sorted(schemas(known, installation).items()):
        path = directory / f"{name}.json"
        path.write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        patterns[str(path.resolve())] = files
    click.echo(f"{len(patterns)} schemas written to {directory}. Settings of an editor with a YAML language server:")
    click.echo(json.dumps({"yaml.customTags": ["!vault scalar"], "yaml.schemas": patterns}, indent=2))
    click.echo("Or, as the first line of a file:  # yaml-language-server: $schema=PATH_OF_ITS_SCHEMA")


def schemas(known: Applications, installation: Node) -> dict[str, tuple[list[str], Schema]]:
    """Return every schema by name, with the patterns of the files that it is for."""
    listed = installation.entries.get("environments", Node([], installation.origin))
    environments = tuple(item.value for item in listed.items if isinstance(item.value, str))
    of_installation = TypeAdapter[Any](InstallationEntry).json_schema() | {"$schema": DIALECT, "title": INSTALLATION}
    whole = options_schema("Options of the whole installation", _options(known.everything()), environments)
    found = {
        "installation": (["**/inventories/*/installation.yml"], of_installation),
        "options": (["**/options/installation.yml"], whole),
    }
    for suite in sorted({application.suite for application in known.values() if application.suite}):
        options = _options(application for application in known.values() if application.suite == suite)
        schema = options_schema(f"Options of suite {suite}", options, environments)
        found[f"options-{suite}"] = [f"**/options/{suite}.yml"], schema
    for application in known.values():
        schema = options_schema(f"Options of {application.name}", application.options.values(), environments)
        files = [
            f"**/options/{application.suite}/{cluster}{below}.yml"
            for cluster, node in installation.at(("clusters",)).entries.items()
            if node.at(("application",)).value == application.name
            for below in ("", "/*")
        ]
        found[f"options-{application.suite}-{application.name}"] = files, schema
    return found


def _options(of: Iterable[Application]) -> list[Option]:
    """Return the options of several applications."""
    return [option for application in of for option in application.options.values()]
