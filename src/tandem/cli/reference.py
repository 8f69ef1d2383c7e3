"""Write the reference page of all options."""

from __future__ import annotations

from pathlib import Path

import click

from tandem import applications
from tandem.errors import Problems
from tandem.options.reference import reference
from tandem.project import roles_directory


@click.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
def command(directory: Path) -> None:
    """Write options.md, the reference of all options, into DIRECTORY."""
    problems = Problems()
    known = applications.load(roles_directory(), problems)
    problems.raise_if_any()
    page = reference((a.name, a.declaration.description, a.suite, a.options) for a in known.everything())
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "options.md").write_text(page, encoding="utf-8")
    click.echo(f"{directory}/options.md written: {sum(len(a.options) for a in known.everything())} options")
