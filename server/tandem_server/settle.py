"""Bring addresses and units of this server to what a bundle says: half of a transaction, and of its undoing."""

import contextlib
from collections.abc import Callable, Iterator
from itertools import groupby

from . import addresses, health, units
from .disk import Json
from .failure import Failure

Tell = Callable[..., None]
DOORS = ("nftables.service", "ssh.service")  # units behind which the controller may find itself shut out


class Change:
    """What going from one bundle to another does to addresses and units; a bundle of None is a new server."""

    def __init__(self, wanted: Json, previous: Json | None, hold: list[str], spared: list[str] | None = None) -> None:
        """`spared` are units that ran before Tandem came: they are not stopped with what it brought."""
        self.hold = set(hold)
        wanted_addresses = {
            address["address"]: address for address in wanted["addresses"] if address["address"] not in self.hold
        }
        had = {address["address"]: address for address in (previous or {}).get("addresses", [])}
        present = addresses.present()
        management = wanted.get("management")
        self.management = management if management and _differs(management, present) else None
        self.gateway = management
        before = (previous or {}).get("management")
        # a run that died may have left the new one, and what the controller is connected over is then the old one
        self.moved = bool(self.management or (before and management and before["address"] != management["address"]))
        # a gateway that does not answer shuts out everybody who is not in the network itself
        self.rerouted = bool(before and management and before.get("gateway") != management.get("gateway"))
        self.add = [address for address in wanted_addresses.values() if _differs(address, present)]
        keep = {*wanted_addresses, management["address"]} if management else set(wanted_addresses)
        self.remove = [(name, *present[name]) for name in sorted(had) if name not in keep and name in present]
        # an address that stays, on another interface or in a larger network
        again = [self.management, *self.add] if self.management else self.add
        self.remove += [(a["address"], *present[a["address"]]) for a in again if a["address"] in present]
        self.present = present
        old = [*(previous or {}).get("retired", []), *([before] if before and self.moved else [])]
        # to go once nobody is connected over them any more
        self.retired = [address for address in old if address["address"] in present and address["address"] not in keep]
        self.units = {unit["name"]: unit for unit in wanted["units"]}
        held = {name for name, unit in self.units.items() if self.hold.intersection(unit["addresses"])}
        names = {unit["name"] for unit in (previous or {}).get("units", [])}
        stay = {*self.units, *(spared or ())}
        stopping = [unit for unit in (previous or {}).get("units", []) if unit["name"] not in stay]
        self.stop = [*reversed(stopping), *(self.units[name] for name in sorted(held & names))]
        self.debts = [debt for debt in units.debts(wanted) if debt["name"] not in held]
        self._restart_for_addresses()

    def _restart_for_addresses(self) -> None:
        """Let a unit whose address has just arrived start anew: it may have been unable to bind."""
        added = {address["address"] for address in self.add}
        for debt in self.debts:
            if debt["action"] == "reload" and added.intersection(self.units[debt["name"]]["addresses"]):
                debt["action"] = "restart"

    def interrupts(self) -> set[str]:
        """Name the instances that run now and would not run for a moment, or any more."""
        running = units.active_states([unit["name"] for unit in self.stop]) if self.stop else {}
        stopped = [unit for unit in self.stop if running.get(unit["name"]) in units.GOOD]
        restarted = [self.units[debt["name"]] for debt in self.debts if debt["action"] == "restart"]
        return {unit["instance"] for unit in [*stopped, *restarted] if unit["instance"]}

    def stop_units(self, tell: Tell) -> list[Json]:
        """Stop what is wanted here no more, while its files are still there; return what was stopped."""
        running = units.active_states([unit["name"] for unit in self.stop]) if self.stop else {}
        stopped = []
        for unit in self.stop:
            if running.get(unit["name"], "inactive") == "inactive":
                units.forget(unit["name"])
                continue
            tell("progress", step=f"stopping {unit['name']}")
            units.stop(unit["name"], unit.get("stop_timeout", 30))
            stopped.append({"name": unit["name"], "action": "stop"})
        return stopped

    def take_addresses(self, tell: Tell, *, must: bool) -> None:
        """Add what is missing; a new management address stands beside the old one.

        An address that answers on the network already, because another server has it, is never taken: with `must`
        that raises Failure, otherwise the server goes without. The same holds for whatever else keeps it from one.
        """
        new = [self.management, *self.add] if self.management else self.add
        forgiven = None if must else tell
        for address in new:
            tell("progress", step=f"adding address {address['address']}")
            with _telling(forgiven):
                self._take(address)
        if self.gateway and self.gateway.get("gateway"):
            with _telling(forgiven):
                addresses.set_gateway(self.gateway["gateway"], self.gateway["interface"])

    def _take(self, address: Json) -> None:
        """Add one address; raise Failure where another server has it, or there is no interface for it."""
        if not addresses.interface_exists(address["interface"]):
            raise Failure(
                f"address {address['address']}", f"there is no interface {address['interface']} on this server"
            )
        if address["address"] not in self.present:
            addresses.refuse_taken(address["address"], address["interface"])
        addresses.add(address)

    def release_addresses(self, tell: Tell) -> None:
        """Remove what is wanted here no more."""
        for address, interface, prefix in self.remove:
            tell("progress", step=f"removing address {address}")
            addresses.remove(address, interface, prefix)

    def retire(self, spare: str | None = None) -> list[Json]:
        """Remove old management addresses but for one, and return that: who is connected over another is cut off."""
        for address in self.retired:
            if address["address"] != spare:
                addresses.remove(address["address"], address["interface"], address["prefix"])
        return [address for address in self.retired if address["address"] == spare]

    def settle_units(self, tell: Tell) -> list[Json]:
        """Start, restart and reload exactly the units that need it, one instance after the other; return what was done.

        The next instance is touched only when the last one is healthy again.
        """
        done = []
        for instance, debts in groupby(self.debts, key=lambda debt: self.units[debt["name"]]["instance"]):
            touched = list(debts)
            for debt in touched:
                tell("progress", step=f"{debt['action']}ing {debt['name']}")
                units.act(debt["name"], debt["action"])
                done.append({"name": debt["name"], "action": debt["action"]})
            for debt in touched:
                tell("progress", step=f"probing {instance or debt['name']}")
                health.probe(self.units[debt["name"]])
        return done

    def needs_confirmation(self, done: list[Json]) -> bool:
        """Return whether the controller might be shut out: another management address, gateway, rules, or sshd."""
        return self.moved or self.rerouted or any(action["name"] in DOORS for action in done)

    def addresses(self) -> list[Json]:
        """Return what happens to addresses, for the result."""
        added = [{"address": address["address"], "action": "add"} for address in self.add]
        if self.management:
            added.insert(0, {"address": self.management["address"], "action": "add"})
        gone = [address for address, *_ in self.remove] + [address["address"] for address in self.retired]
        return added + [{"address": address, "action": "remove"} for address in gone]


@contextlib.contextmanager
def _telling(tell: Tell | None) -> Iterator[None]:
    """Tell what fails and go on; without somebody to tell, raise it."""
    try:
        yield
    except (Failure, OSError) as error:
        if tell is None:
            raise
        tell("progress", step=str(error))


def _differs(address: Json, present: dict[str, tuple[str, int]]) -> bool:
    return present.get(address["address"]) != (address["interface"], address["prefix"])
