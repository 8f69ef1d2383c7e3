"""Count what an allocation uses of a license."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from .license import Allocation, Entitlement, License, Use

NONE = "none"  # the kind of applications that no license counts
SERVER = "server"  # the kind of applications that count as servers only
UNLIMITED = 0


@dataclass(frozen=True)
class Limit:
    """How much of a limit is used; `allowed` is None where there is none, `by` are servers or instances."""

    what: str
    used: int
    allowed: int | None
    by: tuple[str, ...]

    @property
    def exceeded(self) -> bool:
        """Tell whether more is used than is allowed."""
        return self.allowed is not None and self.used > self.allowed

    def __str__(self) -> str:
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
    return [*_servers(license_, allocation), *_entitlements(license_, allocation)]


def _servers(license_: License, allocation: Allocation) -> Iterator[Limit]:
    used = servers_by_kind(allocation.instances.values())
    for kind in (SERVER, *sorted((used.keys() | license_.kinds.keys() | license_.bundled.keys()) - {SERVER})):
        by = tuple(sorted(used.get(kind, ())))
        allowed = license_.servers if kind == SERVER else license_.limit(kind)
        unlimited = allowed == UNLIMITED and (kind == SERVER or license_.bundled.get(kind, kind) in license_.kinds)
        yield Limit(_servers_of(kind), len(by), None if unlimited else allowed, by)


def _entitlements(license_: License, allocation: Allocation) -> Iterator[Limit]:
    """Yield what instances use of what their applications are entitled to: of each the one that uses most."""
    most: dict[tuple[str, str], tuple[int, list[str]]] = {}
    for instance in allocation.instances.values():
        for name, value in instance.options.items():
            known, by = most.setdefault((instance.application, name), (0, []))
            if value > known:
                most[instance.application, name] = int(value), [instance.name]
            elif value and value == known:
                by.append(instance.name)
    for (application, name), (value, by) in sorted(most.items()):
        granted = license_.entitlements.get(application, {}).get(name, False)
        yield Limit(f"{application}: {name}", value, _allowed(granted), tuple(sorted(by)))


def _allowed(granted: Entitlement) -> int | None:
    """Return how much is allowed: of a limit 0 means any number, and of what is not licensed nothing."""
    if isinstance(granted, bool):
        return int(granted)
    return None if granted == UNLIMITED else granted


def _servers_of(kind: str) -> str:
    """Return what servers of a kind are called.

    >>> _servers_of("server"), _servers_of("billing_engine"), _servers_of("sip")
    ('servers', 'billing engine servers', 'SIP servers')
    """
    if kind == SERVER:
        return "servers"
    return f"{'SIP' if kind == 'sip' else kind.replace('_', ' ')} servers"


def exceeded(license_: License, allocation: Allocation) -> list[Limit]:
    """Return the limits of a license of which an allocation uses more than is allowed."""
    return [limit for limit in limits(license_, allocation) if limit.exceeded]


def head_room(found: Iterable[Limit]) -> Mapping[str, int | None]:
    """Return how much of each limit is left; None where there is no limit."""
    return {limit.what: None if limit.allowed is None else limit.allowed - limit.used for limit in found}
