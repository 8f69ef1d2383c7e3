"""Write the job templates of AWX, with their surveys."""

from __future__ import annotations

from pathlib import Path

import click
import yaml

from tandem.project import project_directory

HEAD = "---\n# Written by `make docs` from the playbooks and the documentation of the modules: do not edit.\n"


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def command(file: Path) -> None:
    """Write a job template for each playbook into FILE, as data for examples/awx/feed.yml."""
    from tandem.ansible.awx import job_templates  # noqa: PLC0415  slow to load

    templates = job_templates(project_directory())
    file.parent.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump({"awx_job_templates": templates}, sort_keys=False, allow_unicode=True, width=110)
    file.write_text(HEAD + text, encoding="utf-8")
    click.echo(f"{file} written: {len(templates)} job templates")
