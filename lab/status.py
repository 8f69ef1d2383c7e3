"""Show a lab: every server, whether it has power and answers, and what is wrong with it."""

from __future__ import annotations

import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from lab import answering, namespaces, network
from lab.errors import LabError
from lab.lab import Lab
from lab.run import captured
from lab.server import Server

COLOURS = {"on": "green", "off": "dim", "hanging": "yellow", "stray": "red"}


@dataclass(frozen=True)
class ServerStatus:
    """What is known of one server now. `since` is in seconds of Unix time, `memory` in bytes."""

    name: str
    site: str
    address: str
    state: str
    since: float | None
    ssh: bool
    boots: int
    memory: int | None
    wrong: list[str]


@dataclass(frozen=True)
class LabStatus:
    """What is known of a lab now. A partition names the site that sends and the one that never receives."""

    lab: str
    inventory: str
    beside: list[str]
    up: bool
    partitions: list[tuple[str, str]]
    servers: list[ServerStatus]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def look(lab: Lab) -> LabStatus:
    """Look at every server; takes a second or two when some do not answer."""
    up = namespaces.alive(namespaces.controller(lab.name))
    addresses = {name: str(server.entry.address) for name, server in lab.servers.items()}
    answer = answering.answering(lab.name, addresses) if up else set()
    with ThreadPoolExecutor(8) as pool:
        servers = list(pool.map(lambda server: _server(server, server.name in answer), lab.servers.values()))
    return LabStatus(lab.name, str(lab.inventory), list(map(str, lab.beside)), up, _partitions(lab), servers)


def _partitions(lab: Lab) -> list[tuple[str, str]]:
    sites = [site for site in lab.topology.sites.values() if namespaces.alive(namespaces.site(lab.name, site.name))]
    return [(site.name, other) for site in sites for other in sorted(network.lost_sites(lab.name, site))]


def _server(server: Server, answers: bool) -> ServerStatus:
    state, power = server.state(), server.power()
    return ServerStatus(
        server.name,
        server.entry.site.name,
        str(server.entry.address),
        state,
        power.get("since") if power.get("state") == ("off" if state == "off" else "on") else None,
        answers,
        power.get("boots", 0),
        server.group.memory() if state != "off" else None,
        _wrong(server, state, power, answers),
    )


def _wrong(server: Server, state: str, power: dict[str, Any], answers: bool) -> list[str]:
    wrong = []
    if server.paths.unplugged.exists():
        wrong.append("cable is out")
    if state == "off":
        wrong += [power["how"]] if power.get("how") else []
    elif state == "stray":
        wrong.append("its wrapper was killed; cut it, then switch it on")
    elif state == "on":
        if not answers:
            wrong.append("sshd does not answer")
        wrong += _failed_units(server)
    return wrong


def _failed_units(server: Server) -> list[str]:
    try:
        command = server.inside(["systemctl", "list-units", "--failed", "--plain", "--no-legend"])
        listing = captured(command, timeout=5).stdout
    except (LabError, subprocess.TimeoutExpired):
        return ["does not tell which units failed"]
    units = [line.split()[0] for line in listing.splitlines() if line.strip()]
    return [f"failed: {', '.join(units)}"] if units else []


def table(status: LabStatus) -> Table:
    """Return the table a person reads."""
    result = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 3, 0, 0))
    for heading in ("server", "site", "address", "power", "since", "ssh", "boots", "memory", ""):
        result.add_column(heading, justify="right" if heading in ("boots", "memory") else "left", no_wrap=heading != "")
    for server in status.servers:
        colour = COLOURS[server.state]
        wrong = "; ".join(server.wrong)
        result.add_row(
            server.name,
            server.site,
            server.address,
            f"[{colour}]{server.state}[/]",
            ago(server.since),
            "[green]answers[/]" if server.ssh else "[dim]-[/]" if server.state == "off" else "[red]no[/]",
            str(server.boots or "-"),
            f"{server.memory / 2**20:.0f} MiB" if server.memory else "-",
            f"[dim]{wrong}[/]" if server.state == "off" else f"[red]{wrong}[/]",
        )
    return result


def summary(status: LabStatus) -> list[str]:
    """Return the lines below the table: partitions, and how it stands altogether."""
    lost = set(status.partitions)
    lines = []
    for here, there in sorted(lost):
        if (there, here) not in lost:
            lines.append(f"partition: {here} loses everything it sends to {there}")
        elif here < there:
            lines.append(f"partition: nothing passes between {here} and {there}")
    well = sum(server.ssh and not server.wrong for server in status.servers)
    if not status.up:
        lines.append(f"lab {status.lab} is down")
    else:
        inventories = " and ".join((status.inventory, *status.beside))
        lines.append(f"lab {status.lab} ({inventories}): {well} of {len(status.servers)} servers are well")
    return lines


def ago(since: float | None) -> str:
    """Return how long ago a moment was, in its largest unit."""
    if since is None:
        return "-"
    seconds = max(0, int(time.time() - since))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
