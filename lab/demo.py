"""Bring up the example installation and its vendor, apply both, and show it working: what `make lab` does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from lab import prerequisites
from lab.errors import LabError
from lab.lab import Lab
from tandem.ansible.vault import decryption
from tandem.model import Model, load
from tandem.project import roles_directory

PASSWORD = Path(__file__).parent / "vault-password"
LICENSES = Path("vendor/licenses")
"""Where, in the vendor's inventory, the licenses are described."""
ACCOUNT, NUMBER, SECONDS = "1001", "442079460000", 2000
"""The example's account with funds, a number it can call, and for how long: 1.00 at 0.03 a minute."""

PATIENCE = 90
"""Seconds for the licensing servers to serve a license that was published."""

NEXT = """
Try next:
  . lab/env                                              commands on PATH, the password of the example's vault
  tandem plan                                            nothing changes
  tandem explain billing-1 billing_engine.log.level      which level set it, and which one won
  $EDITOR {inventory}/options/cluster_suite/billing.yml  billing_engine: log: level: debug
  tandem plan --diff; tandem apply                       restarts two billing engines, one after the other
  tandem rollback NUMBER                                 the stored bytes return
  lab status; lab cut Beta; lab on Beta; lab ssh Alpha; lab down
The guide: docs/guide.md"""


@click.command()
@click.option("-i", "--inventory", type=Path, default=Path("inventories/example"), show_default=True)
def main(inventory: Path) -> None:
    """Bring up an installation, apply it, and show it working."""
    console = Console(highlight=False)
    try:
        prerequisites.check()
        model = load(inventory, roles_directory())
        vendor = _vendor(inventory, model)
        lab = Lab(inventory, beside=[vendor] if vendor else [])
        console.print("[bold]1. The servers[/]")
        lab.up()
        console.print("[bold]2. The configuration[/]")
        if vendor:
            _license(lab, vendor, model.installation.name)
        for verb in (["bootstrap"], ["apply", "--comment", "make lab"]):
            _tandem(lab, inventory, *verb)
        console.print("[bold]3. What answers[/]")
        console.print(_table(model), soft_wrap=True)
        answers = [_answers(console, lab, model, name) for name in _billing_engines(model)]
    except LabError as error:
        raise SystemExit(str(error)) from None
    console.print(NEXT.format(inventory=inventory), soft_wrap=True)
    sys.exit(0 if all(answers) else 1)


def _vendor(inventory: Path, model: Model) -> Path | None:
    """Return the inventory of the vendor next to an inventory, if it has a license for that installation."""
    vendor = (inventory if inventory.is_dir() else inventory.parent).absolute().parent / "vendor"
    return vendor if (vendor / LICENSES / f"{model.installation.name}.yml").is_file() else None


def _license(lab: Lab, vendor: Path, name: str) -> None:
    """Bring up the vendor, publish a license, and wait until both licensing servers serve it."""
    for verb in (["bootstrap"], ["apply", "--comment", "make lab"]):
        _tandem(lab, vendor, *verb)
    _tandem(lab, vendor, "license", "publish", name, "--vendor", str(vendor / "vendor"))
    end = time.monotonic() + PATIENCE
    for instance in load(vendor, roles_directory()).installation.instances_of("licensing_server"):
        pull = ["systemctl", "start", f"licensing-server-pull@{instance.name}.service"]
        ask = ["curl", "-fsk", "-m", "2", "-o", "/dev/null", f"https://{instance.address}/{name}.xml"]
        while any(lab.exec(instance.server.name, argv).returncode for argv in (pull, ask)):
            if time.monotonic() > end:
                raise LabError(f"{instance.server.name}: does not serve the license of {name} (waited {PATIENCE} s)")
            time.sleep(0.5)


def _tandem(lab: Lab, inventory: Path, *words: str) -> None:
    environment = {**os.environ, "ANSIBLE_VAULT_PASSWORD_FILE": str(PASSWORD), "TANDEM_LAB": lab.name}
    status = subprocess.run(
        [sys.executable, "-m", "tandem", "-i", str(inventory), *words], env=environment, check=False
    ).returncode
    if status:
        raise SystemExit(status)


def _table(model: Model) -> Table:
    """Show every server with what runs on it, and where it answers."""
    table = Table(box=None, header_style="bold", padding=(0, 1, 0, 0))
    for column in ("server", "site", "managed at", "instance", "application", "answers at"):
        table.add_column(column, no_wrap=True)
    for server in sorted(model.installation.servers.values(), key=lambda server: (server.site.name, server.name)):
        instances = sorted(model.installation.instances_on(server.name), key=lambda instance: instance.name)
        first = [server.name, server.site.name, str(server.address)]
        for instance in instances:
            table.add_row(*first, instance.name, instance.application, str(instance.address))
            first = ["", "", ""]
        if not instances:
            table.add_row(*first, "-", "", "")
    return table


def _billing_engines(model: Model) -> list[str]:
    return sorted(instance.name for instance in model.installation.instances_of("billing_engine"))


def _answers(console: Console, lab: Lab, model: Model, name: str) -> bool:
    """Ask a billing engine by RADIUS how long the example's account may call; return whether that is right."""
    instance = model.installation.instances[name]
    dotted = "billing_engine.clients.secret"
    value = model.tree.effective(name)[dotted].value
    decrypt = decryption(PASSWORD)
    assert decrypt, "a password file was named"
    secret = model.tree.options(name)[dotted].reveal(value, decrypt)
    session = f"User-Name={ACCOUNT},Called-Station-Id={NUMBER},Acct-Session-Id=demo-{name}-{os.urandom(4).hex()}"
    argv = ["radclient", "-x", "-r", "2", "-t", "3"]
    done = lab.controller([*argv, f"{instance.address}:1812", "auth", str(secret)], stdin=session + "\n", tools=True)
    # a call of no length gives back what was reserved for it
    stop = f"{session},Acct-Status-Type=Stop,Acct-Session-Time=0\n"
    lab.controller([*argv, f"{instance.address}:1813", "acct", str(secret)], stdin=stop, tools=True)
    seconds = re.search(r"Received Access-Accept[\s\S]*Session-Timeout = (\d+)", done.stdout)
    good = seconds is not None and int(seconds[1]) == SECONDS
    if seconds:
        said = f"{ACCOUNT}, who has 1.00, may call at 0.03 a minute for {seconds[1]} s"
    else:
        said = " ".join((done.stdout + done.stderr).strip().splitlines()[-1:])
    console.print(
        f"[{'green]✓' if good else 'red]✗'}[/] RADIUS to {name} at {instance.address}: {said}", soft_wrap=True
    )
    return good


if __name__ == "__main__":
    main()
