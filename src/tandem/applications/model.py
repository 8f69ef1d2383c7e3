"""Describe what an application declares in meta/application.yml: files, units, processes, what it needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from tandem.source.validate import Frozen

Effect = Literal["none", "reload", "restart"]
Texts = Annotated[tuple[str, ...], Field(strict=False)]
"""A list of texts in YAML, which pydantic would otherwise not take for a tuple."""


class Instances(Frozen):
    """Say how many instances an installation may hold; None is no limit."""

    minimum: int = Field(default=0, ge=0)
    maximum: int | None = Field(default=None, ge=0)


class File(Frozen):
    """Describe one file on the server, and what changes of it do to `unit`, or to all units of the application."""

    owner: str = "root"
    group: str = "root"
    mode: Annotated[str, Field(pattern=r"^0[0-7]{3}$")] = "0644"
    effect: Effect = "restart"
    unit: str | None = None


class Listen(Frozen):
    """Describe where a process listens; the port is a number or the name of an option of type port.

    `when` names a boolean option: the port is open only where it is true.
    """

    protocol: Literal["udp", "tcp", "sctp"]
    port: Annotated[int, Field(ge=1, le=65535)] | str
    when: str | None = None


class Process(Frozen):
    """Describe one process: what it listens on, who may reach it, what it connects to."""

    description: str
    listens: Mapping[str, Listen] = {}
    clients: Texts = ()
    clients_option: str | None = None
    connects: Texts = ()


class Unit(Frozen):
    """Describe one systemd unit of an instance; the timeout of a stop is in seconds."""

    process: str | None = None
    stop_timeout: int = Field(default=20, ge=1)


class Validator(Frozen):
    """Describe a command that judges staged files; `files` are the prefixes that make it run."""

    command: Texts = Field(min_length=1)
    files: Texts = Field(min_length=1)


class Health(Frozen):
    """Describe the probe of an instance; the timeout is in seconds in all."""

    command: Texts = Field(min_length=1)
    timeout: int = Field(default=20, ge=1)


ENVIRONMENTS, CLUSTER = "environments", "cluster"
"""What a license can limit that is no option: the number of environments, and whether a cluster has two instances."""


class Declaration(Frozen):
    """Hold the whole of meta/application.yml.

    `batch` names the option that says how many instances of a cluster may be interrupted at once; without it, one.
    `entitlements` maps what the license limits in an instance to the option that uses it: a number, a switch, or a list
    whose entries count; or to `environments` (their number) or `cluster` (yes, where it has more instances than
    one). An instance that is not `guarded` starts without a license too.
    """

    description: str
    suite: str | None
    license_kind: Literal["server", "billing_engine", "sip", "clustered_database", "none"] = "server"
    entitlements: Mapping[str, str] = {}
    guarded: bool = True
    instances: Instances = Instances()
    alone: bool = False
    beside: Texts = ()
    requires: Texts = ()
    after: Texts = ()
    batch: str | None = None
    packages: Texts = ()
    replaces: Texts = ()
    files: Mapping[str, File] = {}
    units: Mapping[str, Unit] = {}
    processes: Mapping[str, Process] = {}
    validators: Mapping[str, Validator] = {}
    health: Health | None = None

    @property
    def licensed(self) -> bool:
        """Tell whether an instance starts only where the license allows it."""
        return self.guarded and self.license_kind != "none"
