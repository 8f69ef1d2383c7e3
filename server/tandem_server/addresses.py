"""Add and remove the addresses of this server."""

import contextlib
import json
import os
import time

from .command import must
from .disk import Json
from .failure import Failure

ARP = 0x0806
HARDWARE = 6  # bytes of an Ethernet address; what has none needs no ARP
ANNOUNCEMENTS = 2
QUESTIONS = 2
PATIENCE = 0.3  # seconds for an answer to a question


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
    # with the broadcast address that networkd would give it: one that lacks it, networkd would set again for ever
    must(["ip", "address", "replace", name, "broadcast", "+", "dev", interface], f"address {address['address']}")
    announce(address["address"], interface)


def remove(address: str, interface: str, prefix: int) -> None:
    """Remove an address."""
    must(["ip", "address", "delete", f"{address}/{prefix}", "dev", interface], f"address {address}")


def set_gateway(gateway: str, interface: str) -> None:
    """Make a gateway the default one, where it is not yet."""
    route = ["default", "via", gateway, "dev", interface]
    shown = must(["ip", "-4", "route", "show", "default"], "default route")
    if route not in (line.split()[: len(route)] for line in shown.splitlines()):
        must(["ip", "route", "replace", *route], "default route")


def announce(address: str, interface: str) -> None:
    """Send gratuitous ARP for an address; what cannot hear it will find out by asking."""
    import socket  # noqa: PLC0415  only when an address comes

    hardware = _hardware(interface)
    if len(hardware) != HARDWARE:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind((interface, 0))
        for _ in range(ANNOUNCEMENTS):
            raw.send(_request(hardware, _packed(address), address))


def refuse_taken(address: str, interface: str) -> None:
    """Ask the network for an address as in RFC 5227; raise Failure when somebody else answers for it."""
    import select  # noqa: PLC0415  only when an address comes
    import socket  # noqa: PLC0415

    hardware = _hardware(interface)
    if len(hardware) != HARDWARE:
        return
    ip = _packed(address)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ARP)) as raw:
        raw.bind((interface, ARP))
        for _ in range(QUESTIONS):
            raw.send(_request(hardware, bytes(4), address))
            deadline = time.monotonic() + PATIENCE
            while (left := deadline - time.monotonic()) > 0 and select.select([raw], [], [], left)[0]:
                frame = raw.recv(128)
                owner = frame[22:28]
                if frame[28:32] == ip and owner != hardware:
                    message = f"answers already, at {owner.hex(':')}: another server still has it; apply there first"
                    raise Failure(f"address {address}", message)


def _hardware(interface: str) -> bytes:
    with open(f"/sys/class/net/{interface}/address") as file:
        return bytes.fromhex(file.read().strip().replace(":", ""))


def _request(hardware: bytes, sender: bytes, address: str) -> bytes:
    """Return the Ethernet frame that asks everybody who has an address."""
    ether = b"\xff" * 6 + hardware + ARP.to_bytes(2, "big")
    return ether + bytes.fromhex("0001080006040001") + hardware + sender + bytes(6) + _packed(address)


def _packed(address: str) -> bytes:
    return bytes(map(int, address.split(".")))


def interface_exists(interface: str) -> bool:
    """Return whether this server has an interface of that name."""
    return os.path.exists(f"/sys/class/net/{interface}")
