"""Ways to servers that are reached alike are set up once, and are what they would be one by one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible import context
from ansible.inventory.manager import InventoryManager
from ansible.module_utils.common.collections import ImmutableDict
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

from tandem.ansible.connection import Connection, Connections

INVENTORY = """
[all:vars]
ansible_user = operator
[all]
Alpha ansible_host=198.18.1.11
Beta ansible_host=198.18.1.12
Gamma ansible_host=198.18.1.13 ansible_port=2222
Delta ansible_host=198.18.1.14 ansible_become=true
Epsilon ansible_host=198.18.1.15 ansible_become=true
Zeta ansible_host=198.18.1.16 ansible_ssh_common_args="-o ProxyJump={{ inventory_hostname }}"
Eta ansible_host=198.18.1.17 ansible_ssh_common_args="-o ProxyJump={{ inventory_hostname }}"
Theta ansible_ssh_host=198.18.1.18
Iota ansible_ssh_host=198.18.1.19 ansible_host=198.18.1.20
kappa.example
"""


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what makes connections anew."""
    (tmp_path / "hosts.ini").write_text(INVENTORY)
    monkeypatch.setattr(context, "CLIARGS", ImmutableDict())
    monkeypatch.setenv("ANSIBLE_INVENTORY_ENABLED", "ini")
    loader = DataLoader()
    inventory = InventoryManager(loader=loader, sources=[str(tmp_path / "hosts.ini")])
    variables = HostVars(inventory, VariableManager(loader, inventory), loader)

    def make() -> Connections:
        return Connections(variables, PlayContext(), loader)

    return inventory.hosts, make


def words(way: Connection) -> list[bytes]:
    """Return the ssh command without what is drawn by lot for each."""
    return [re.sub(rb"BECOME-SUCCESS-\w+", b"", word) for word in way.argv("true")]


def test_every_way_is_what_it_would_be_alone(made: tuple[Mapping[str, Any], Any]) -> None:
    servers, make = made
    together = make()
    for server in servers:
        shared, alone = together.to(server), make().to(server)
        assert (shared.server, shared.address) == (alone.server, alone.address) == (server, alone.address)
        assert words(shared) == words(alone)
        assert shared.opening() == alone.opening()
    addresses = [together.to(server).address for server in servers]
    assert len(set(addresses)) == len(addresses)


def test_those_that_are_reached_alike_are_set_up_once(
    made: tuple[Mapping[str, Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    servers, make = made
    set_up = []
    real = Connections._make
    monkeypatch.setattr(Connections, "_make", lambda *given: set_up.append(given[1]) or real(*given))
    together = make()
    for server in servers:
        together.to(server)
    assert sorted({*servers} - {*set_up}) == ["Beta", "Epsilon", "kappa.example"]
