"""Add and remove the addresses of this server."""

import contextlib
import json
import os
import socket

from .command import must
from .disk import Json

ARP = 0x0806
ANNOUNCEMENTS = 2


def present() -> dict[str, tuple[str, int]]:
    """Return every IPv4 address of this server with its interface and prefix length."""
    found = {}
    for link in json.loads(must(["ip", "-json", "-4", "address", "show"], "addresses")):
        for address in link.get("addr_info", []):
            found[address["local"]] = (link["ifname"], address["prefixlen"])
    return found


def add(address: Json) -> None:
    """Add an address to its interface and announce it, so that neighbours forget who had it before."""
    interface = address["interface"]
    # removing the first address of a network must not take the others along
    with contextlib.suppress(OSError), open(f"/proc/sys/net/ipv4/conf/{interface}/promote_secondaries", "w") as file:
        file.write("1")
    name = f"{address['address']}/{address['prefix']}"
    must(["ip", "address", "replace", name, "dev", interface], f"address {address['address']}")
    announce(address["address"], interface)


def remove(address: str, interface: str, prefix: int) -> None:
    """Remove an address."""
    must(["ip", "address", "delete", f"{address}/{prefix}", "dev", interface], f"address {address}")


def set_gateway(gateway: str, interface: str) -> None:
    """Make a gateway the default one, where it is not yet."""
    shown = must(["ip", "-4", "route", "show", "default"], "default route")
    if f"via {gateway} " not in shown:
        must(["ip", "route", "replace", "default", "via", gateway, "dev", interface], "default route")


def announce(address: str, interface: str) -> None:
    """Send gratuitous ARP for an address; what cannot hear it will find out by asking."""
    with open(f"/sys/class/net/{interface}/address") as file:
        hardware = bytes.fromhex(file.read().strip().replace(":", ""))
    if len(hardware) != 6:
        return
    ip = socket.inet_aton(address)
    ether = b"\xff" * 6 + hardware + ARP.to_bytes(2, "big")
    request = bytes.fromhex("0001080006040001") + hardware + ip + bytes(6) + ip
    with contextlib.suppress(OSError), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind((interface, 0))
        for _ in range(ANNOUNCEMENTS):
            raw.send(ether + request)


def interface_exists(interface: str) -> bool:
    """Return whether this server has an interface of that name."""
    return os.path.exists(f"/sys/class/net/{interface}")
