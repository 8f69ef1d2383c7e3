"""Be the command line: `tandem VERB`, one file of this folder for each verb, imported only when it is used."""

from __future__ import annotations

import gc
import importlib
import io
import os
import signal
import sys
from pathlib import Path

import click

from tandem.errors import InputRefused, TandemError

INTERRUPTED = 130


class _Verbs(click.Group):
    """Find the verbs: each is `command` in the module of its name; names that begin with _ are no verbs."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names of all verbs, sorted."""
        return sorted(file.stem for file in Path(__path__[0]).glob("[a-z]*.py"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return one verb."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = importlib.import_module(f"tandem.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what each verb is for, which its module says in the first line, without importing any."""
        import ast  # noqa: PLC0415  slow to load

        rows = []
        for name in self.list_commands(ctx):
            file = Path(__path__[0], f"{name}.py")
            docstring = ast.get_docstring(ast.parse(file.read_bytes())) or ""
            rows.append((name, docstring.partition("\n")[0]))
        with formatter.section("Verbs"):
            formatter.write_dl(rows)


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-i", "--inventory", metavar="INVENTORY", help="Inventory directory; otherwise that of ansible.cfg.")
@click.version_option(package_name="tandem", message="%(prog)s %(version)s")
def tandem(inventory: str | None) -> None:
    """Run a multi-site service platform from one option tree kept in git."""


def main() -> None:
    """Run the command line; whatever an operator did wrong ends in one message and an exit status."""
    gc.set_threshold(100_000)  # a verb makes little garbage; by default, looking for it is a tenth of a large plan
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # none is wanted, and looking for them takes a while
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="replace")  # an arrow that a terminal has no letter for is no reason to fail
    try:
        status = tandem.main(standalone_mode=False)
    except InputRefused as refused:
        for problem in refused.problems:
            click.echo(str(problem), err=True)
        number = len(refused.problems)
        click.echo(f"{number} error{'' if number == 1 else 's'}. No server was contacted.", err=True)
        status = refused.exit_status
    except TandemError as error:
        if str(error):
            click.echo(str(error), err=True)
        status = error.exit_status
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # one more ends it, whatever still holds it
        try:
            click.echo("interrupted", err=True)
        finally:
            os._exit(INTERRUPTED)  # without waiting for who does not read what is still to be shown
    sys.exit(status if isinstance(status, int) else 0)
