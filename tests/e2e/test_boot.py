"""A server that boots has its addresses and services back by itself."""

import time

import pytest

from tests.fleet.fleet import Fleet
from tests.fleet.traces import files, stale, traces

OWN = {
    "South": ["dns@dns-1.service", "billing-engine@billing-2.service"],
    "East": ["database@database-main.service", "billing-engine@billing-1.service"],
    "West": ["web@web-1.service", "web@web-2.service"],
    "North": ["log-server@logs-1.service"],
}


@pytest.mark.parametrize(("server", "how"), [("South", "off"), ("East", "cut"), ("North", "cut"), ("West", "off")])
def test_a_server_comes_up_by_itself(applied: Fleet, server: str, how: str) -> None:
    units, addresses = applied.units(server), applied.addresses(server)
    before = files({server: traces(applied, server)})
    getattr(applied.lab, how)(server)
    applied.lab.on(server)
    applied.lab.wait([server])
    end = time.monotonic() + 60
    while not up(applied, server) and time.monotonic() < end:
        time.sleep(0.2)
    after = applied.units(server)
    for unit in OWN[server]:
        assert after[unit]["ActiveState"] == "active", applied.do(server, "journalctl", "-b", "-u", unit)
        assert after[unit]["InvocationID"] != units[unit]["InvocationID"]
    assert applied.addresses(server) == addresses
    assert files({server: traces(applied, server)}) == before
    assert stale(applied, server) == []
    assert "198.19.0.250" in applied.do(server, "nft", "list", "table", "inet", "tandem")
    assert "0 servers changed" in applied.tandem("apply")


def up(fleet: Fleet, server: str) -> bool:
    """Tell whether every unit that Tandem has started on a server is up."""
    units = fleet.units(server)
    return all(units.get(unit, {}).get("ActiveState") == "active" for unit in OWN[server])


def test_everything_serves_after_all_servers_have_booted(applied: Fleet) -> None:
    """All at once, as after a power cut of a whole site: nothing waits for another server for ever."""
    for server in applied.servers:
        applied.lab.cut(server)
    for server in applied.servers:
        applied.lab.on(server)
    applied.lab.wait()
    end = time.monotonic() + 60
    while time.monotonic() < end:
        answers = [
            applied.radius(address, "1001")
            for address in ("198.19.1.11", "198.19.1.12")
            if all(up(applied, s) for s in OWN)
        ]
        if answers and all("Session-Timeout = 2000" in answer for answer in answers):
            break
        time.sleep(0.5)
    else:
        pytest.fail("a billing engine does not answer a minute after everything was switched on")
    assert "<h1>web-1</h1>" in applied.from_controller("curl", "-s", "-m", "5", "http://198.19.1.31/")
    assert "no drift" in applied.tandem("drift")
