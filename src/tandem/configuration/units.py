"""Say which units run on a server, which files they restart or reload for, and what Tandem adds to them.

To each unit Tandem adds a drop-in that records what the unit started with, a list of its inputs for that record, and
the link by which tandem.target pulls it in: so a unit on old files is known, whatever run left it there. Where the
installation has a license, the drop-in asks whether it allows the instance, before it starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from tandem import server_program
from tandem.applications import Application
from tandem.configuration.bundle import ORDER_STEP, Health, Unit, Validator
from tandem.installation import Instance
from tandem.render import INSTANCE, RenderedFile, placed

SYSTEMD = "/etc/systemd/system"
DISTRIBUTION = "/lib/systemd/system"
INPUTS = "/etc/tandem/units"
RECORD = "/usr/lib/tandem/record"
GUARD = f"/usr/bin/python3 -IS {server_program.PATH} guard"
SECTIONS = {"service": "Service", "socket": "Socket"}
"""Where a unit of some kind can record what it starts with. A timer cannot: systemd itself rereads what is in it."""


def units_of(
    application: Application, instance: Instance | None, rank: int, files: Iterable[RenderedFile]
) -> Iterator[Unit]:
    """Yield the units of one instance of an application (None: of base); `files` are those of the server."""
    declaration = application.declaration
    name = instance.name if instance else None
    own = [file for file in files if file.application == application.name and file.instance in (None, name)]
    names = [placed(unit, name) for unit in declaration.units]
    for index, (unit, attributes) in enumerate(declaration.units.items()):
        inputs = [file for file in own if _concerns(file, unit, placed(unit, name), names)]
        yield Unit(
            placed(unit, name),
            name,
            rank * ORDER_STEP + index,
            tuple(sorted([*_paths(inputs, "restart"), *([drop_in(placed(unit, name))] if _section(unit) else [])])),
            tuple(sorted(_paths(inputs, "reload"))),
            attributes.stop_timeout,
            _addresses(instance),
            _health(application, name),
        )


def validators_of(application: Application, instance: Instance | None) -> Iterator[Validator]:
    """Yield the validators of one instance (those with %i), or those of the application as a whole (None)."""
    for title, validator in application.declaration.validators.items():
        of_instance = any(INSTANCE in text for text in (*validator.command, *validator.files))
        if of_instance != (instance is not None):
            continue
        name = instance.name if instance else None
        yield Validator(
            f"{title} {name}" if name else title,
            tuple(placed(word, name) for word in validator.command),
            tuple(sorted("/" + placed(prefix, name) for prefix in validator.files)),
        )


def additions(unit: Unit, *, licensed: bool) -> Mapping[str, str]:
    """Return the files that Tandem adds for a unit: path → content; one that is `licensed` asks before it starts."""
    section = _section(unit.name)
    if section is None:
        return {}
    lines = [f"{effect} {path}\n" for effect in ("restart", "reload") for path in getattr(unit, effect)]
    guard = f"ExecStartPre=+{GUARD} {unit.instance}\n" if licensed else ""
    record = f"[{section}]\n{guard}ExecStartPre=+{RECORD} start %n\n"
    record += f"ExecReload=+{RECORD} reload %n\n" if section == "Service" else ""
    return {f"{INPUTS}/{unit.name}": "".join(lines), drop_in(unit.name): record}


def _section(unit: str) -> str | None:
    return SECTIONS.get(unit.rpartition(".")[2])


def link(unit: str, shipped: Iterable[str]) -> tuple[str, str]:
    """Return path and target of the link that makes tandem.target pull in a unit; `shipped` are the server's files."""
    file = f"{SYSTEMD}/{unit_file(unit)}"
    target = file if file in shipped else f"{DISTRIBUTION}/{unit_file(unit)}"
    return f"{SYSTEMD}/tandem.target.wants/{unit}", target


def drop_in(unit: str) -> str:
    """Return the path of the drop-in that Tandem adds to a unit."""
    return f"{SYSTEMD}/{unit}.d/tandem.conf"


def unit_file(unit: str) -> str:
    """Return the name of the file a unit is defined in: for an instance of a template, the template.

    >>> unit_file("billing-engine@billing-1.service"), unit_file("nftables.service")
    ('billing-engine@.service', 'nftables.service')
    """
    prefix, at, rest = unit.partition("@")
    return f"{prefix}@.{rest.rpartition('.')[2]}" if at else unit


def _concerns(file: RenderedFile, declared: str, unit: str, units: list[str]) -> bool:
    """Tell whether a file is an input of a unit: not when it is declared for, or defines, another one of them."""
    if file.attributes.unit is not None:
        return file.attributes.unit == declared
    owners = [name for name in units if _defines(file.path, name)]
    return not owners or unit in owners


def _defines(path: str, unit: str) -> bool:
    names = (unit, unit_file(unit))
    return any(path == f"{SYSTEMD}/{name}" or path.startswith(f"{SYSTEMD}/{name}.d/") for name in names)


def _paths(files: Iterable[RenderedFile], effect: str) -> list[str]:
    return [file.path for file in files if file.attributes.effect == effect]


def _addresses(instance: Instance | None) -> tuple[str, ...]:
    """Return the service address of an instance; one that is its server's management address is always there."""
    return (str(instance.address),) if instance and instance.address != instance.server.address else ()


def _health(application: Application, instance: str | None) -> Health | None:
    health = application.declaration.health
    return Health(tuple(placed(word, instance) for word in health.command), health.timeout) if health else None
