"""Make the allocation of an installation: what runs where, and what it uses of the license."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tandem_guard.license import Allocation, Entitlement, Use

from tandem.installation import Instance
from tandem.model import Model


def allocation_of(installation: str, tree: Mapping[str, Any], number: int, made: datetime) -> Allocation:
    """Return what an installation uses of its license, as the tree of a configuration says it.

    `number` is that of the apply, and rises with each.
    """
    servers, instances = tree["servers"], tree["instances"]
    return Allocation(
        installation=installation,
        number=number,
        made=made,
        servers={name: entry["address"] for name, entry in servers.items()},
        sites={name: entry["site"] for name, entry in servers.items()},
        instances={name: _use(name, entry) for name, entry in instances.items()},
    )


def _use(name: str, entry: Mapping[str, Any]) -> Use:
    return Use(name, entry["application"], entry["kind"], entry["address"], entry["server"], entry["entitlements"])


def used(model: Model, instance: Instance) -> dict[str, Entitlement]:
    """Return what an instance uses: of an option that differs by environment what is the most in any of them."""
    declaration = model.applications[instance.application].declaration
    if not declaration.entitlements:
        return {}
    everywhere = [model.tree.effective(instance.name, name) for name in (None, *model.tree.environments)]
    found = {
        name: [_used(effective[dotted].value) for effective in everywhere if dotted in effective]
        for name, dotted in declaration.entitlements.items()
    }
    return {name: max(values) for name, values in found.items() if values}


def _used(value: object) -> Entitlement:
    """Return how much of the license an option's value uses: of a list, its entries."""
    if isinstance(value, tuple | list):
        return len(value)
    assert isinstance(value, bool | int), "applications.agree refuses other types"
    return value
