"""Make the allocation of an installation: what runs where, and what it uses of the license."""

from __future__ import annotations

from datetime import datetime

from tandem_guard.license import Allocation, Entitlement, Use

from tandem.installation import Instance
from tandem.model import Model


def allocation_of(model: Model, number: int, made: datetime) -> Allocation:
    """Return what an installation uses of its license; `number` is that of the apply, and rises with each."""
    installation = model.installation
    return Allocation(
        installation=installation.name,
        number=number,
        made=made,
        servers={name: str(server.address) for name, server in installation.servers.items()},
        instances={name: _use(model, instance) for name, instance in installation.instances.items()},
    )


def _use(model: Model, instance: Instance) -> Use:
    declaration = model.applications[instance.application].declaration
    effective = model.tree.effective(instance.name)
    values = {name: effective[dotted].value for name, dotted in declaration.entitlements.items() if dotted in effective}
    return Use(
        name=instance.name,
        application=instance.application,
        kind=declaration.license_kind,
        address=str(instance.address),
        server=instance.server.name,
        options={name: _used(value) for name, value in values.items()},
    )


def _used(value: object) -> Entitlement:
    """Return how much of the license an option's value uses: of a list, its entries."""
    if isinstance(value, tuple | list):
        return len(value)
    assert isinstance(value, bool | int), "applications.agree refuses other types"
    return value
