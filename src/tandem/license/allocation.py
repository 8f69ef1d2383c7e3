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
        sites={name: server.site.name for name, server in installation.servers.items()},
        instances={name: _use(model, instance) for name, instance in installation.instances.items()},
    )


def _use(model: Model, instance: Instance) -> Use:
    """Return what an instance uses: of an option that differs by environment what is the most in any of them."""
    declaration = model.applications[instance.application].declaration
    everywhere = [model.tree.effective(instance.name, name) for name in (None, *model.tree.environments)]
    used = {
        name: [_used(effective[dotted].value) for effective in everywhere if dotted in effective]
        for name, dotted in declaration.entitlements.items()
    }
    return Use(
        name=instance.name,
        application=instance.application,
        kind=declaration.license_kind,
        address=str(instance.address),
        server=instance.server.name,
        options={name: max(values) for name, values in used.items() if values},
    )


def _used(value: object) -> Entitlement:
    """Return how much of the license an option's value uses: of a list, its entries."""
    if isinstance(value, tuple | list):
        return len(value)
    assert isinstance(value, bool | int), "applications.agree refuses other types"
    return value
