"""Describe the part of a configuration meant for one server: files, units, addresses, validators."""

from dataclasses import dataclass
from ipaddress import ip_address

from tandem.configuration.canonical import Json, canonical

FORMAT = 1
ORDER_STEP = 100
"""Room for the units of one instance between the ranks of two applications."""


@dataclass(frozen=True, slots=True)
class File:
    """A regular file; its content is the blob of that digest, None where a secret in it could not be read."""

    path: str
    digest: str | None
    size: int
    mode: str
    owner: str
    group: str
    secret: bool


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link."""

    path: str
    target: str


@dataclass(frozen=True, slots=True)
class Address:
    """A service address the server has to answer on."""

    address: str
    prefix: int
    interface: str


@dataclass(frozen=True, slots=True)
class Management:
    """The address the server is managed by, and how it reaches the other sites."""

    address: str
    prefix: int
    interface: str
    gateway: str


@dataclass(frozen=True, slots=True)
class Health:
    """A command that exits 0 when the instance is healthy; timeout in seconds, in all."""

    command: tuple[str, ...]
    timeout: int


@dataclass(frozen=True, slots=True)
class Unit:
    """A systemd unit that runs, the files it restarts or reloads for, and the addresses it answers on."""

    name: str
    instance: str | None
    order: int
    restart: tuple[str, ...]
    reload: tuple[str, ...]
    stop_timeout: int
    addresses: tuple[str, ...]
    health: Health | None


@dataclass(frozen=True, slots=True)
class Validator:
    """A command that judges staged files before they are put in place; `files` are the path prefixes it is about."""

    name: str
    command: tuple[str, ...]
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bundle:
    """Everything one server has to hold and run."""

    installation: str
    server: str
    management: Management
    files: tuple[File | Link, ...]
    addresses: tuple[Address, ...]
    units: tuple[Unit, ...]
    validators: tuple[Validator, ...]

    def ordered(self) -> "Bundle":
        """Return the same bundle with its lists in their one order."""
        return Bundle(
            self.installation,
            self.server,
            self.management,
            tuple(sorted(self.files, key=lambda file: file.path)),
            tuple(sorted(self.addresses, key=lambda address: int(ip_address(address.address)))),
            tuple(sorted(self.units, key=_turn)),
            tuple(sorted(self.validators, key=lambda validator: validator.name)),
        )

    def to_json(self) -> Json:
        """Return the bundle as the server program reads it."""
        own = self.ordered()
        return {
            "format": FORMAT,
            "installation": own.installation,
            "server": own.server,
            "management": _fields(own.management),
            "files": [{"kind": "file" if isinstance(file, File) else "link", **_fields(file)} for file in own.files],
            "addresses": [_fields(address) for address in own.addresses],
            "units": [{**_fields(unit), "health": _fields(unit.health) if unit.health else None} for unit in own.units],
            "validators": [_fields(validator) for validator in own.validators],
        }

    def encoded(self) -> bytes:
        """Return the bundle's one JSON text."""
        return canonical(self.to_json())


def _fields(part: Management | File | Link | Address | Unit | Validator | Health) -> Json:
    """Return the fields of a part, far faster than `asdict`, which copies what is in them."""
    return {name: getattr(part, name) for name in part.__slots__}


def _turn(unit: Unit) -> tuple[int, str, int, str]:
    """Return when a unit has its turn: by the rank of its application, then instance by instance."""
    return unit.order // ORDER_STEP, unit.instance or "", unit.order, unit.name


def from_json(entry: Json) -> Bundle:
    """Return the bundle that `Bundle.to_json` wrote."""
    return Bundle(
        entry["installation"],
        entry["server"],
        Management(**entry["management"]),
        tuple(_file(file) for file in entry["files"]),
        tuple(Address(**address) for address in entry["addresses"]),
        tuple(_unit(unit) for unit in entry["units"]),
        tuple(
            Validator(validator["name"], tuple(validator["command"]), tuple(validator["files"]))
            for validator in entry["validators"]
        ),
    )


def _file(entry: Json) -> File | Link:
    fields = {name: value for name, value in entry.items() if name != "kind"}
    return File(**fields) if entry["kind"] == "file" else Link(**fields)


def _unit(entry: Json) -> Unit:
    health = entry["health"]
    return Unit(
        entry["name"],
        entry["instance"],
        entry["order"],
        tuple(entry["restart"]),
        tuple(entry["reload"]),
        entry["stop_timeout"],
        tuple(entry["addresses"]),
        Health(tuple(health["command"]), health["timeout"]) if health else None,
    )
