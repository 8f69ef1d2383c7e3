"""The command line of the lab: `python -m lab COMMAND`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn

import click
from rich.console import Console

from lab import prerequisites
from lab import status as looking
from lab.errors import LabError
from lab.lab import Lab
from lab.paths import STATE

TESTS = "test-"
REST = {"ignore_unknown_options": True, "allow_interspersed_args": False}


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def main() -> None:
    """Bring up the servers of an installation on this machine, look at them, and break them.

    Every COMMAND takes -i INVENTORY, a directory or its installation.yml (default: inventories/example), and --name, by
    which several labs run side by side (default: the installation's name). SERVER and SITE are names from
    installation.yml.
    """


def command(*parameters: Callable[..., Any], **settings: Any) -> Callable[[Callable[..., None]], click.Command]:
    """Make a function of a lab and its parameters a command with -i and --name."""

    def decorate(function: Callable[..., None]) -> click.Command:
        @wraps(function)
        def run(inventory: Path, name: str | None, **values: Any) -> None:
            prerequisites.check()
            function(Lab(inventory, name, say), **values)

        for parameter in reversed(parameters):
            run = parameter(run)
        run = click.option("--name", help="Name of the lab.  [default: the installation's name]")(run)
        run = click.option("-i", "--inventory", type=Path, default="inventories/example", show_default=True,
                           help="Inventory directory, or its installation.yml.")(run)  # fmt: skip
        return main.command(function.__name__.strip("_"), **settings)(run)

    return decorate


server = click.argument("server")
words = click.argument("words", nargs=-1, type=click.UNPROCESSED)
timeout = click.option("--timeout", default=120.0, show_default=True, help="Seconds to wait for the servers to answer.")
as_json = click.option("--json", "as_json", is_flag=True, help="As JSON.")


@command(
    click.option("--beside", type=Path, multiple=True, metavar="INVENTORY",
                 help="Bring up another installation in the same lab, too; remembered."),
    timeout,
)  # fmt: skip
def up(lab: Lab, beside: Sequence[Path], timeout: float) -> None:
    """Bring everything up and together, and wait until every server answers; repairs what is half made."""
    if beside:
        lab = Lab(lab.inventory, lab.name, say, beside)
    lab.up(timeout)
    show(lab)


@command(
    click.option("--cut", is_flag=True, help="Cut the servers' power instead of shutting them down."),
    click.option("--purge", is_flag=True, help="Cut, and throw away disks and keys too."),
    click.option("--tests", is_flag=True, help=f"Purge instead every lab named {TESTS}… whose test is dead."),
)
def down(lab: Lab, cut: bool, purge: bool, tests: bool) -> None:
    """Take everything away; disks stay unless --purge. Works on a lab half made, and without its inventory."""
    if tests:
        for path in sorted(STATE.glob(f"{TESTS}*")):
            if not _in_use(path.name):
                Lab(lab.inventory, path.name, say).down(purge=True)
    else:
        lab.down(cut=cut, purge=purge)


def _in_use(name: str) -> bool:
    """Tell whether the process that a test's lab is named after still lives: test-power-4711."""
    process = name.rpartition("-")[2]
    return process.isdigit() and Path("/proc", process).exists()


@command(as_json)
def status(lab: Lab, as_json: bool) -> None:
    """Show every server: power, since when, whether it answers, and what is wrong."""
    show(lab, as_json=as_json)


@command(server, words, context_settings=REST)
def ssh(lab: Lab, server: str, words: Sequence[str]) -> None:
    """Log in to a server over SSH as the user ansible, or run a command there."""
    lab.must_be_up()
    become("ssh", "-F", str(lab.ssh_config), lab.server(server).name, *plain(words))


@command(server, click.argument("words", nargs=-1, type=click.UNPROCESSED, required=True), context_settings=REST)
def exec_(lab: Lab, server: str, words: Sequence[str]) -> None:
    """Run a command on a server as root, without SSH: also with its cable out."""
    become(*lab.server(server).inside(plain(words)))


@command(
    click.option("--tools", is_flag=True, help="Use the programs of the base root, such as radclient and dig."),
    click.argument("words", nargs=-1, type=click.UNPROCESSED, required=True),
    context_settings=REST,
)
def controller(lab: Lab, words: Sequence[str], tools: bool) -> None:
    """Run a command where the lab's controller stands, with an address in each site."""
    become(*lab.in_controller(plain(words), tools=tools))


@command(server, click.option("-f", "--follow", is_flag=True, help="Go on showing what is added."))
def console(lab: Lab, server: str, follow: bool) -> None:
    """Show what a server printed on its console, of all its boots."""
    become("tail", "-n", "+1", *(["-F"] if follow else []), str(lab.server(server).paths.console))


@command(server)
def on(lab: Lab, server: str) -> None:
    """Switch a server on and wait until it answers."""
    lab.on(server)
    lab.wait([server])


@command(server)
def off(lab: Lab, server: str) -> None:
    """Shut a server down, as its power button does."""
    lab.off(server)


@command(server)
def cut(lab: Lab, server: str) -> None:
    """Take a server's power away; it stays off until `on`."""
    lab.cut(server)


@command(server)
def hang(lab: Lab, server: str) -> None:
    """Make a server hang: its kernel answers, its processes do not."""
    lab.hang(server)


@command(server)
def resume(lab: Lab, server: str) -> None:
    """Let a hanging server go on."""
    lab.resume(server)


@command(server)
def unplug(lab: Lab, server: str) -> None:
    """Pull a server's cables; they stay out until `plug`."""
    lab.unplug(server)


@command(server)
def plug(lab: Lab, server: str) -> None:
    """Plug a server's cables in."""
    lab.plug(server)


@command(server)
def reset(lab: Lab, server: str) -> None:
    """Throw a server's disk away and boot it as built from nothing; wait until it answers."""
    lab.reset(server)
    lab.wait([server])


@command(
    click.argument("here", metavar="SITE"),
    click.argument("there", metavar="SITE"),
    click.option("--one-way", is_flag=True, help="Lose only what the first sends to the second."),
)
def partition(lab: Lab, here: str, there: str, one_way: bool) -> None:
    """Lose silently everything that two sites send to each other."""
    lab.partition(here, there, one_way=one_way)


@command(click.argument("here", metavar="SITE"), click.argument("there", metavar="SITE"))
def heal(lab: Lab, here: str, there: str) -> None:
    """End a partition."""
    lab.heal(here, there)


@command(click.argument("servers", nargs=-1, metavar="[SERVER]..."), timeout)
def wait(lab: Lab, servers: Sequence[str], timeout: float) -> None:
    """Wait until the servers named, or all, answer."""
    lab.wait(servers, timeout)


def show(lab: Lab, *, as_json: bool = False) -> None:
    """Print how a lab stands."""
    seen = looking.look(lab)
    if as_json:
        click.echo(json.dumps(seen.as_json(), indent=2))
        return
    terminal = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    terminal.print(looking.table(seen))
    terminal.print("\n".join(looking.summary(seen)), soft_wrap=True)


def say(line: str) -> None:
    """Tell what takes time, apart from what a command prints as its result."""
    click.echo(line, err=True)


def plain(words: Sequence[str]) -> list[str]:
    """Return the words of a command, without the `--` that some like to put before them."""
    return list(words[1:] if words[:1] == ("--",) else words)


def become(*argv: str) -> NoReturn:
    """Let a program take this one's place, terminal, exit status and all."""
    os.execvp(argv[0], argv)  # noqa: S606 - there is nothing for a shell to do


def run() -> NoReturn:
    """Run a command, and say what went wrong in words. Exit status: 0, 1 failed, 2 wrong use, 130 interrupted."""
    try:
        main(standalone_mode=False)
    except (LabError, OSError) as error:
        click.echo(f"lab: {error}", err=True)
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("lab: interrupted; the same command again completes it, `down` takes away what was made", err=True)
        sys.exit(130)
    sys.exit(0)


if __name__ == "__main__":
    run()
