"""Say which servers can be left out of a run, because they are away."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from tandem.configuration.canonical import Json
from tandem.configuration.content import Content
from tandem.errors import Origin, Problems, did_you_mean

CONFIGURATION_SERVER = "configuration_server"
WITHOUT = Origin("--without")


def refuse_without(without: Iterable[str], new: Content, old: Content | None) -> None:
    """Raise InputRefused for every server that cannot be left out.

    It has to be one, it cannot be the configuration server, and it must find its way back: with another management
    address nobody would know it.
    """
    problems = Problems()
    tree = new.tree()
    keepers = {entry["server"] for entry in tree["instances"].values() if entry["application"] == CONFIGURATION_SERVER}
    before = old.tree()["servers"] if old else {}
    for name in sorted(set(without)):
        if name not in tree["servers"]:
            message = f"{name} is not a server of this configuration{did_you_mean(name, tree['servers'])}"
            problems.add(WITHOUT, message)
        elif name in keepers:
            problems.add(WITHOUT, f"{name} is the configuration server, which cannot be left out")
        elif name in before and before[name]["address"] != tree["servers"][name]["address"]:
            message = (
                f"{name} gets another management address, and could not be reached at it; change that when it is back"
            )
            problems.add(WITHOUT, message)
    problems.raise_if_any()


def there(instances: Json, without: Collection[str]) -> Json:
    """Return instances without those on servers that are away: they stand in for nobody."""
    return {name: entry for name, entry in instances.items() if entry["server"] not in without}
