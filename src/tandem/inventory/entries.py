"""Describe what stands in installation.yml, part by part; the same models give editors their JSON Schema."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field
from tandem_guard.form import NAME

from tandem.errors import Origin
from tandem.options.addresses import parse_network
from tandem.source import Node
from tandem.source.validate import Frozen

SIZE = re.compile(r"([1-9][0-9]*)(MiB|GiB|TiB)\Z")
BYTES = {"MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}\Z")


def _address(value: object) -> IPv4Address:
    try:
        return IPv4Address(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError("is not an IPv4 address such as 198.18.0.11") from None


def _network(value: object) -> IPv4Network:
    try:
        return parse_network(Node(value, Origin("")))  # type: ignore[arg-type]
    except ValueError as error:
        raise ValueError(str(error).partition('" ')[2] or str(error)) from None


def _size(value: object) -> int:
    match = SIZE.match(value) if isinstance(value, str) else None
    if not match:
        raise ValueError("is not a size such as 4GiB (MiB, GiB or TiB)")
    return int(match[1]) * BYTES[match[2]]


def _interface(value: object) -> str:
    if not isinstance(value, str) or not INTERFACE.match(value):
        raise ValueError("is not the name of a network interface such as eth0")
    return value


def _license(value: object) -> str:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise ValueError("is not the name of a license: letters, digits, - and _, beginning with a letter")
    return value


AddressEntry = Annotated[IPv4Address, BeforeValidator(_address)]
NetworkAddress = Annotated[IPv4Network, BeforeValidator(_network)]
_SizeText = Annotated[str, Field(pattern="^[1-9][0-9]*(MiB|GiB|TiB)$")]
Size = Annotated[int, BeforeValidator(_size, json_schema_input_type=_SizeText)]
"""An amount of memory or disk, in bytes once read."""


class NetworkEntry(Frozen):
    """One network of a site; the gateway is its first address unless stated."""

    network: NetworkAddress
    gateway: AddressEntry | None = None
    interface: Annotated[str, BeforeValidator(_interface)] = "eth0"


class SiteEntry(Frozen):
    """One site: servers in one place; in an apply by site its runner reaches the others.

    It may have a license of its own, by the name that this has at the vendor.
    """

    kind: Literal["primary", "secondary"]
    networks: dict[str, NetworkEntry]
    runner: str | None = None
    license: Annotated[str, BeforeValidator(_license)] | None = None


class ServerEntry(Frozen):
    """One machine, with its management address."""

    site: str
    address: AddressEntry
    cpus: Annotated[int, Field(ge=1)] | None = None
    memory: Size | None = None
    disk: Size | None = None


class InstanceEntry(Frozen):
    """One instance: the server that it runs on and its service address."""

    server: str
    address: AddressEntry


class ClusterEntry(Frozen):
    """A named set of instances of one application."""

    application: str
    instances: dict[str, InstanceEntry]


class InstallationEntry(Frozen):
    """Everything one operator runs: sites, servers, environments, clusters and their instances."""

    plugin: Literal["tandem.platform.installation"]
    name: str
    controllers: Annotated[list[NetworkAddress], Field(min_length=1)]
    sites: dict[str, SiteEntry]
    servers: dict[str, ServerEntry]
    environments: list[str] = Field(default_factory=list)
    clusters: dict[str, ClusterEntry]
