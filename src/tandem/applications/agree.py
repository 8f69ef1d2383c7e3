"""Check that declarations agree with each other: names that they mention exist, and a module has one owner."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from tandem_guard.form import NAME

from tandem.applications.model import CLUSTER, ENVIRONMENTS
from tandem.errors import Problems, did_you_mean
from tandem.options.lists import List
from tandem.options.types import Integer

if TYPE_CHECKING:
    from tandem.applications.load import Application

WHOLE_GROUPS = ("servers", "controllers", "runner", "everyone")
"""What a process may name as its clients beside applications."""

RESERVED_SUITES = ("installation",)
"""Names that a suite cannot have, because an option file of that name means something else."""

RESERVED_MODULES = ("environments",)

COUNTABLE = ("integer", "boolean", "list")
"""Types of options that a license can limit."""


def agree(applications: list[Application], problems: Problems) -> None:
    """Note where declarations contradict each other."""
    names = {application.name for application in applications}
    owners: dict[str, str] = {}
    for application in applications:
        for module in application.modules:
            owner = owners.setdefault(module, application.name)
            if owner != application.name:
                problems.add(application.origin, f"module {module} belongs to {owner} already; a module has one owner")
            if module in RESERVED_MODULES:
                problems.add(application.origin, f"a module cannot be called {module}")
        if application.suite in RESERVED_SUITES:
            problems.add(application.origin, f"a suite cannot be called {application.suite}")
        for what, mentioned in _mentioned(application):
            for name in mentioned:
                if name not in names and not (what.endswith("clients") and name in WHOLE_GROUPS):
                    message = f"{what}: {name} is not an application{did_you_mean(name, names)}"
                    problems.add(application.origin, message)
        _processes(application, problems)
        _units(application, problems)
        _entitlements(application, problems)


def _mentioned(application: Application) -> Iterator[tuple[str, Iterable[str]]]:
    """Yield where a declaration names other applications, and which."""
    declaration = application.declaration
    yield "requires", declaration.requires
    yield "after", declaration.after
    yield "beside", declaration.beside
    for name, process in declaration.processes.items():
        yield f"processes.{name}.clients", process.clients
        yield f"processes.{name}.connects", process.connects


def _processes(application: Application, problems: Problems) -> None:
    """Check what the processes of an application say of its own options."""
    options = application.options
    for name, process in application.declaration.processes.items():
        for listen, socket in process.listens.items():
            if socket.when is not None and (socket.when not in options or options[socket.when].type.type != "boolean"):
                message = f"{socket.when} is not an option of type boolean{did_you_mean(socket.when, options)}"
                problems.add(application.origin, f"processes.{name}.listens.{listen}.when: {message}")
            if isinstance(socket.port, str):
                option = options.get(socket.port)
                if option is None or option.type.type != "port":
                    message = f"{socket.port} is not an option of type port{did_you_mean(socket.port, options)}"
                    problems.add(application.origin, f"processes.{name}.listens.{listen}.port: {message}")
        if process.clients_option is not None:
            option = options.get(process.clients_option)
            kind = option.type if option else None
            if not isinstance(kind, List) or kind.items.type != "network":
                message = f"{process.clients_option} is not an option of type list of network"
                problems.add(application.origin, f"processes.{name}.clients_option: {message}")


def _units(application: Application, problems: Problems) -> None:
    """Check what files say of units, and units of processes."""
    declaration = application.declaration
    batch = declaration.batch
    if batch is not None and (batch not in application.options or application.options[batch].type.type != "integer"):
        message = f"{batch} is not an option of type integer{did_you_mean(batch, application.options)}"
        problems.add(application.origin, f"batch: {message}")
    for path, file in declaration.files.items():
        if file.unit is not None and file.unit not in declaration.units:
            message = f"{file.unit} is not a unit{did_you_mean(file.unit, declaration.units)}"
            problems.add(application.origin, f"files.{path}.unit: {message}")
    for unit, declared in declaration.units.items():
        if declared.process is not None and declared.process not in declaration.processes:
            message = f"{declared.process} is not a process{did_you_mean(declared.process, declaration.processes)}"
            problems.add(application.origin, f"units.{unit}.process: {message}")


def _entitlements(application: Application, problems: Problems) -> None:
    """Check that what the license limits has a name that can stand in it, and is an option that can be counted."""
    options = application.options
    for name, dotted in application.declaration.entitlements.items():
        kind = options[dotted].type if dotted in options else None
        if not NAME.fullmatch(name):
            message = "is no name for what a license limits: letters, digits, - and _"
            problems.add(application.origin, f"entitlements: {name} {message}")
        if dotted in (ENVIRONMENTS, CLUSTER):
            continue
        if kind is None or kind.type not in COUNTABLE:
            countable = [other for other, option in options.items() if option.type.type in COUNTABLE]
            message = f"{dotted} is not an option of type {', '.join(COUNTABLE)}{did_you_mean(dotted, countable)}"
            problems.add(application.origin, f"entitlements.{name}: {message}")
        elif isinstance(kind, Integer) and (kind.minimum is None or kind.minimum < 0):
            problems.add(application.origin, f"entitlements.{name}: {dotted} has no minimum, so it can be negative")
