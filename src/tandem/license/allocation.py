"""Make the allocation of an installation: what runs where, and what it uses of the license."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from tandem_guard.license import Allocation, Entitlement, Use

from tandem.applications.model import CLUSTER, ENVIRONMENTS
from tandem.installation import Instance
from tandem.model import Model


def allocation_of(
    installation: str, tree: Mapping[str, Any], number: int, made: datetime, sites: Collection[str]
) -> Allocation:
    """Return what the sites of an installation that have one license use of it, as the tree of a configuration says it.

    `number` is that of the apply, and rises with each.
    """
    servers = {name: entry for name, entry in tree["servers"].items() if entry["site"] in sites}
    instances = {name: entry for name, entry in tree["instances"].items() if entry["server"] in servers}
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


def all_used(model: Model) -> dict[str, dict[str, Entitlement]]:
    """Return what each instance uses."""
    return {name: used(model, instance) for name, instance in model.installation.instances.items()}


def used(model: Model, instance: Instance) -> dict[str, Entitlement]:
    """Return what an instance uses: of an option that differs by environment what is the most in any of them."""
    declaration = model.applications[instance.application].declaration
    if not declaration.entitlements:
        return {}
    named, counted = model.tree.named(instance.name), {*declaration.entitlements.values()}
    environments = [name for name in model.tree.environments if counted.intersection(named.get(name, ()))]
    everywhere = [model.tree.effective(instance.name, name) for name in (None, *environments)]
    around: dict[str, Entitlement] = {
        ENVIRONMENTS: len(model.installation.environments),
        CLUSTER: len(model.installation.clusters[instance.cluster].instances) > 1,
    }
    found = {
        name: [around[of]]
        if of in around
        else [_used(effective[of].value) for effective in everywhere if of in effective]
        for name, of in declaration.entitlements.items()
    }
    return {name: max(values) for name, values in found.items() if values}


def _used(value: object) -> Entitlement:
    """Return how much of the license an option's value uses: of a list, its entries."""
    if isinstance(value, tuple | list):
        return len(value)
    assert isinstance(value, bool | int), "applications.agree refuses other types"
    return value
