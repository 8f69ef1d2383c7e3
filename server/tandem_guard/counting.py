"""Count what an allocation uses of a license."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .license import Allocation, License, Use

NONE = "none"  # the kind of applications that no license counts
SERVER = "server"  # the kind of applications that count as servers only
KINDS = {"sip": "SIP"}
"""What kinds are called that are not called by their name."""


@dataclass(frozen=True)
class Limit:
    """How much of a limit is used: `name` is a kind, or application and entitlement.

    `allowed` is None where there is no limit, and 0 or 1 for a `switch`. `by` are the servers or instances that use it.
    """

    name: str
    used: int
    allowed: int | None
    by: tuple[str, ...]
    switch: bool = False

    @property
    def what(self) -> str:
        """Return the name as people read it.

        >>> [Limit(name, 0, 0, ()).what for name in ("server", "billing_engine", "sip", "web.pages")]
        ['servers', 'billing engine servers', 'SIP servers', 'web: pages']
        """
        if self.entitlement:
            return self.name.replace(".", ": ")
        return "servers" if self.name == SERVER else f"{KINDS.get(self.name, self.name.replace('_', ' '))} servers"

    @property
    def entitlement(self) -> bool:
        """Tell whether this is not a number of servers, but what an application is entitled to."""
        return "." in self.name

    @property
    def exceeded(self) -> bool:
        """Tell whether more is used than is allowed."""
        return self.allowed is not None and self.used > self.allowed

    def __str__(self) -> str:
        if self.switch:
            return f"{self.what}: {'used, and not licensed' if self.exceeded else 'licensed'}"
        over = f", {self.used - self.allowed} too many" if self.allowed is not None and self.exceeded else ""
        return f"{self.what}: {self.used} of {'any number' if self.allowed is None else self.allowed}{over}"


def servers_by_kind(instances: Iterable[Use]) -> dict[str, set[str]]:
    """Map each kind to the servers that run at least one instance of it; `server` are those that run anything."""
    found: dict[str, set[str]] = {SERVER: set()}
    for instance in instances:
        if instance.kind != NONE:
            found[SERVER].add(instance.server)
            found.setdefault(instance.kind, set()).add(instance.server)
    return found


def limits(license_: License, allocation: Allocation) -> list[Limit]:
    """Return every limit of a license, with what an allocation uses of it: servers, kinds, then entitlements."""
    instances = list(allocation.instances.values())
    return [*_servers(license_, instances), *_entitlements(license_, instances)]


def _servers(license_: License, instances: list[Use]) -> Iterator[Limit]:
    used = servers_by_kind(instances)
    for kind in (SERVER, *sorted((used.keys() | license_.kinds.keys() | license_.bundled.keys()) - {SERVER})):
        by = tuple(sorted(used.get(kind, ())))
        yield Limit(kind, len(by), license_.servers if kind == SERVER else license_.limit(kind), by)


def _entitlements(license_: License, instances: list[Use]) -> Iterator[Limit]:
    """Yield what applications are entitled to, and of each what the instance uses that uses most."""
    granted = {(app, name): value for app, options in license_.entitlements.items() for name, value in options.items()}
    used: dict[tuple[str, str], dict[str, int]] = {key: {} for key in granted}
    for instance in instances:
        for name, value in instance.options.items():
            used.setdefault((instance.application, name), {})[instance.name] = int(value)
    for (application, name), by in sorted(used.items()):
        most = max(by.values(), default=0)
        users = tuple(sorted(each for each, value in by.items() if value == most and value))
        value = granted.get((application, name), False)
        allowed = int(value) if isinstance(value, bool) else value or None
        yield Limit(f"{application}.{name}", most, allowed, users, isinstance(value, bool) and most <= 1)


def exceeded(license_: License, allocation: Allocation) -> list[Limit]:
    """Return the limits of a license of which an allocation uses more than is allowed."""
    return [limit for limit in limits(license_, allocation) if limit.exceeded]
