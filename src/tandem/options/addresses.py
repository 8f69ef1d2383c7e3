"""Know the types of options that name machines and networks."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network
from typing import Any, Literal

from tandem.options.types import OptionType
from tandem.source.node import Node
from tandem.source.validate import show

LABEL = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)\Z")


class Address(OptionType):
    """Be an IPv4 address."""

    type: Literal["address"]

    @property
    def phrase(self) -> str:
        return "an IPv4 address such as 198.18.0.11"

    def parse(self, node: Node) -> str:
        try:
            return str(IPv4Address(node.value if isinstance(node.value, str) else ""))
        except ValueError:
            raise self.refuse(node) from None

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "ipv4"}


class Network(OptionType):
    """Be an IPv4 network with its prefix length."""

    type: Literal["network"]

    @property
    def phrase(self) -> str:
        return "an IPv4 network such as 198.18.0.0/24"

    def parse(self, node: Node) -> str:
        return str(parse_network(node))

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+){3}/[0-9]+$"}


class Hostname(OptionType):
    """Be the name of a host or a domain."""

    type: Literal["hostname"]

    @property
    def phrase(self) -> str:
        return "a host name such as ns1.example.net"

    def parse(self, node: Node) -> str:
        name = node.value if isinstance(node.value, str) else ""
        labels = name.split(".")
        if len(name) > 253 or not all(map(LABEL.match, labels)) or labels[-1].isdigit():
            raise self.refuse(node)
        return name

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "hostname"}


def parse_network(node: Node) -> IPv4Network:
    """Return the network that a node names; raise ValueError if it names none, or an address inside one."""
    text = node.value if isinstance(node.value, str) and "/" in node.value else ""
    try:
        network = IPv4Network(text, strict=False)
    except ValueError:
        raise ValueError(f"{show(node)} is not an IPv4 network such as 198.18.0.0/24") from None
    if str(network) != text:
        raise ValueError(f"{show(node)} is not the address of a network; did you mean {network}?")
    return network
