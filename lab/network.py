"""Build a lab's network: per site a bridge and a router, a WAN between these, and a controller with a leg in each.

Everything is brought to what it should be, whatever is there already, so that running it again repairs it. The routers
reach each other by their own management gateways, so the WAN needs no addresses.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from lab import namespaces
from lab.namespaces import port
from lab.run import run
from lab.topology import Server, Site, Topology

SYSCTLS = [
    f"net.ipv4.conf.{scope}.{key}" for scope in ("all", "default") for key in ("rp_filter=0", "send_redirects=0")
]
RULES = """
table inet tandem_lab
delete table inet tandem_lab
table inet tandem_lab {
  set lost { type ipv4_addr; flags interval; }
  chain to_wan { type filter hook postrouting priority 0; oifname "wan" ip daddr @lost counter drop; }
}
"""


def build(lab: str, topology: Topology) -> None:
    """Make or repair everything but the servers' own namespaces; partitions are healed."""
    namespaces.ensure(namespaces.controller(lab))
    namespaces.batch(namespaces.controller(lab), ["link set lo up"])
    if len(topology.sites) > 1:
        _wan(lab)
    for site in topology.sites.values():
        _router(lab, site, topology)
        _leg(lab, site, topology)
    for site in topology.sites.values():
        namespaces.batch(namespaces.site(lab, site.name), _routes_of_router(site, topology))
    namespaces.batch(namespaces.controller(lab), _routes_of_controller(topology))


def _wan(lab: str) -> None:
    namespace = namespaces.wan(lab)
    namespaces.ensure(namespace)
    made = [] if "wan" in namespaces.links(namespace) else ["link add wan type bridge"]
    namespaces.batch(namespace, [*made, "link set lo up", "link set wan up"])


def _router(lab: str, site: Site, topology: Topology) -> None:
    """Make a site's bridges, one per cable of a server, with the gateways' addresses on them, and its WAN port."""
    namespace = namespaces.site(lab, site.name)
    namespaces.ensure(namespace)
    run([*namespaces.inside(namespace), "sysctl", "-qw", "net.ipv4.ip_forward=1", *SYSCTLS])
    there = namespaces.links(namespace)
    commands = ["link set lo up"]
    for number, interface in enumerate(site.interfaces):
        if f"br{number}" not in there:
            commands.append(f"link add br{number} type bridge")
        # an address of its own: else it takes a port's, so another one whenever a server's cable is made anew
        commands.append(f"link set br{number} address {mac(f'gateway of {site.name}', number)} up")
        commands += [
            f"addr replace {network.gateway}/{network.subnet.prefixlen} dev br{number}"
            for network in site.networks.values()
            if network.interface == interface
        ]
    if len(topology.sites) > 1:
        if "wan" not in there:
            commands.append(f"link add wan type veth peer name {port(site.name)} netns {namespaces.wan(lab)}")
        commands.append("link set wan up")
    namespaces.batch(namespace, commands)
    if len(topology.sites) > 1:
        namespaces.batch(namespaces.wan(lab), [f"link set {port(site.name)} master wan up"])
    run([*namespaces.inside(namespace), "nft", "-f", "-"], stdin=RULES)


def _leg(lab: str, site: Site, topology: Topology) -> None:
    """Connect the controller to a site's management bridge, where it has an address there."""
    address = topology.controller(site)
    if address is None:
        return
    leg, namespace = port(site.name), namespaces.controller(lab)
    made = []
    if leg not in namespaces.links(namespace):
        made = [f"link add {leg} type veth peer name controller netns {namespaces.site(lab, site.name)}"]
    namespaces.batch(namespace, [*made, f"link set {leg} up", f"addr replace {address} dev {leg}"])
    namespaces.batch(namespaces.site(lab, site.name), ["link set controller master br0 up"])


def _routes_of_router(site: Site, topology: Topology) -> Iterator[str]:
    for other in topology.sites.values():
        if other is not site:
            for network in other.networks.values():
                yield f"route replace {network.subnet} via {other.management.gateway} dev wan onlink"


def _routes_of_controller(topology: Topology) -> Iterator[str]:
    """Route each site's networks over the leg there; a site without one over the first leg, so by the WAN."""
    legs = [site for site in topology.sites.values() if topology.controller(site)]
    for site in topology.sites.values():
        by = site if site in legs else legs[0]
        for network in site.networks.values():
            if not (site in legs and network is site.management):
                yield f"route replace {network.subnet} via {by.management.gateway} dev {port(by.name)}"


def cables(server: Server) -> list[str]:
    """Return the names of a server's ports in its site's namespace, one per interface."""
    return [port(server.name, f".{number}") for number, _ in enumerate(server.site.interfaces)]


def boot_commands(lab: str, server: Server) -> list[list[str]]:
    """Return the commands that make a server's namespace anew, plugged into its site; one marked `-` may fail."""
    namespace, site = namespaces.server(lab, server.name), namespaces.site(lab, server.site.name)
    commands = [["-", "ip", "netns", "delete", namespace]]
    commands += [["-", "ip", "-n", site, "link", "delete", cable] for cable in cables(server)]
    commands += [["ip", "netns", "add", namespace]]
    for number, (interface, cable) in enumerate(zip(server.site.interfaces, cables(server), strict=True)):
        peer = ["peer", "name", cable, "netns", site]
        link = ["link", "add", interface, "address", mac(server.name, number), "type", "veth", *peer]
        commands += [["ip", "-n", namespace, *link], ["ip", "-n", site, "link", "set", cable, "master", f"br{number}"]]
    return commands


def mac(owner: str, number: int) -> str:
    """Return an interface's address, the same after every boot, as of a real card."""
    return "02:" + hashlib.sha256(f"{owner}/{number}".encode()).digest()[:5].hex(":")


def cable_commands(lab: str, server: Server, state: str) -> list[list[str]]:
    """Return the commands that plug a server's cables in (`up`) or pull them (`down`)."""
    namespace = namespaces.site(lab, server.site.name)
    return [["ip", "-n", namespace, "link", "set", cable, state] for cable in cables(server)]


def partition(lab: str, here: Site, there: Site, *, on: bool = True) -> None:
    """Lose silently, or carry again, what goes from one site to the other."""
    if on == (there.name in lost_sites(lab, here)):
        return
    comment = f' comment "{there.name}"' if on else ""
    elements = ", ".join(f"{network.subnet}{comment}" for network in there.networks.values())
    rule = f"{'add' if on else 'delete'} element inet tandem_lab lost {{ {elements} }}"
    run([*namespaces.inside(namespaces.site(lab, here.name)), "nft", rule])


def lost_sites(lab: str, site: Site) -> set[str]:
    """Return the sites to which a site's router loses everything."""
    listing = [
        *namespaces.inside(namespaces.site(lab, site.name)),
        "nft",
        "-j",
        "list",
        "set",
        "inet",
        "tandem_lab",
        "lost",
    ]
    done = run(listing, check=False)  # a router half made has no such table
    items = json.loads(done.stdout)["nftables"] if done.returncode == 0 else []
    elements = [element for item in items for element in item.get("set", {}).get("elem", [])]
    return {element["elem"]["comment"] for element in elements}
